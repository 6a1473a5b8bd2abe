/** Behavior that was once missing; each of these failed before it was mended. */
import { setTimeout as after } from 'node:timers/promises';
import { formatVerifierKey, parsePolicy } from '@tallystick/core';
import { afterEach, describe, expect, it } from 'vitest';
import { CosignerClient } from '../src/quorum/cosigner-client.ts';
import { Quorum } from '../src/quorum/quorum.ts';
import { FakeCosigner, PlainLog, type Script } from './support/fake-cosigner.ts';

const log = new PlainLog(40);
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function fakes(count: number): Promise<FakeCosigner[]> {
  const all = Array.from({ length: count }, (_, nth) => new FakeCosigner(`witness.example/${nth}`));
  for (const each of all) {
    await each.listen();
    closing.push(() => each.close());
  }
  return all;
}

const ahead: Script = (_asked, response) => {
  response.writeHead(409, { 'content-type': 'text/x.tlog.size' });
  response.end('35\n');
};

describe('a cosigner that has seen more, and says so after the others made a quorum', () => {
  it('stops the log at the next checkpoint at the latest', async () => {
    const all = await fakes(3);
    const [late] = all as [FakeCosigner];
    late.script = async (...given) => {
      await after(100);
      ahead(...given);
    };
    const lines = all.map(({ vkey, url }, nth) => `witness w${nth} ${formatVerifierKey(vkey)} ${url}`);
    const policy = parsePolicy(
      `${lines.join('\n')}\ngroup witnesses 1 w0 w1\ngroup replayers 1 w2\n` +
        'group quorum all witnesses replayers\nquorum quorum\n',
    );
    const quorum = new Quorum({ policy, urls: {}, timeoutMs: 2000, now: () => Date.now() });
    closing.push(() => quorum.close());
    const outcomes: string[] = [];
    for (const size of [21, 22, 23]) {
      await quorum.cosign(log.note(size), size, log.proofTo(size), [policy]).then(
        () => outcomes.push('published'),
        (error: unknown) => outcomes.push((error as { problem?: string }).problem ?? 'error'),
      );
      await after(200);
    }
    expect(outcomes).toContain('log_behind');
  });
});

describe('a cosigner that answers with nonsense', () => {
  it.each<[string, Script]>([
    ['no signature line', (_asked, response) => response.end('hello\n')],
    [
      'no size',
      (_asked, response) => response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end('many'),
    ],
    ['no end', (_asked, response) => response.end('x'.repeat(200_000))],
  ])('is shown as refusing, not as unreachable: %s', async (_what, script) => {
    const [fake] = (await fakes(1)) as [FakeCosigner];
    fake.script = script;
    const client = new CosignerClient(fake.name, [fake.vkey], fake.url, 1000, () => 0);
    closing.push(() => client.close());
    await expect(client.cosign(log.note(21), 21, log.proofTo(21))).rejects.toThrow();
    expect(client.status.state).toBe('refusing');
    expect(client.status.lastError).toContain(fake.name);
  });

  it('does not count with a cosignature of time 0, which states no time', async () => {
    const [fake] = (await fakes(1)) as [FakeCosigner];
    fake.script = (asked, response) => response.end(fake.line(asked.note, 0));
    const client = new CosignerClient(fake.name, [fake.vkey], fake.url, 1000, () => 0);
    closing.push(() => client.close());
    await expect(client.cosign(log.note(21), 21, log.proofTo(21))).rejects.toThrow();
  });
});

describe('a cosigner that restarts', () => {
  it('is asked again at once where only the kept connection was stale', async () => {
    const [fake] = (await fakes(1)) as [FakeCosigner];
    const client = new CosignerClient(fake.name, [fake.vkey], fake.url, 1000, () => 0);
    closing.push(() => client.close());
    await client.cosign(log.note(5), 5, log.proofTo(5));
    let isFirst = true;
    fake.script = (asked, response) => {
      // What a server that went away does to a request on a connection from before.
      if (isFirst) response.socket?.destroy();
      else response.end(fake.line(asked.note));
      isFirst = false;
    };
    await expect(client.cosign(log.note(9), 9, log.proofTo(9))).resolves.toHaveLength(1);
  });
});
