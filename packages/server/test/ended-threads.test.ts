/** Threads beside the ledger's that end by themselves: out of memory, or by an error that nobody caught. */
import { Worker } from 'node:worker_threads';
import { defaultPolicyDocument } from '@tallystick/gate';
import { Thread, ThreadError } from '@tallystick/ledger/thread';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ServerConfig } from '../src/config.ts';
import { ContentExport } from '../src/contents/content-export.ts';
import { ShadowRuns } from '../src/shadow/shadow-runs.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('documents for mirrors', () => {
  it('are sealed again once the thread that seals them has ended', async () => {
    const bytes = new Uint8Array([1]);
    const gone = new ThreadError({
      name: 'ThreadError',
      message: 'a thread of the ledger is gone: it ended',
    });
    const thread = (call: () => Promise<unknown>): Thread =>
      ({ call, [Symbol.asyncDispose]: async () => {} }) as unknown as Thread;
    vi.spyOn(Thread, 'start')
      .mockResolvedValueOnce(thread(() => Promise.reject(gone)))
      .mockResolvedValueOnce(thread(async () => ({ bytes, alarms: [] })));
    const config = { store: 'ledger.db', trustRoot: 'trust-root.json', contentKeys: { prn_1: 'key' } };
    await using contents = new ContentExport(config as unknown as ServerConfig, {} as never);
    const ask = (): Promise<Uint8Array> => contents.sealed('prn_1', { from: 0, size: 1, leaves: '' });
    await expect(ask()).rejects.toMatchObject({ code: 'overloaded' });
    expect(await ask()).toBe(bytes);
  });
});

describe('a shadow', () => {
  it('whose thread fails is a problem for who asks, and no rejection that nobody hears', async () => {
    await using shadows = new ShadowRuns({ store: 'nowhere.db' }, null, defaultPolicyDocument);
    const listening = vi.spyOn(Worker.prototype, 'on');
    const asked = shadows.ask(defaultPolicyDocument(), { from: null, to: null });
    const refused = expect(asked).rejects.toMatchObject({ name: 'ServiceProblem', code: 'internal' });
    const worker = await vi.waitUntil(() => listening.mock.contexts[0] as Worker | undefined);
    worker.emit('error', new Error('the thread is out of memory'));
    await worker.terminate();
    await refused;
  });
});
