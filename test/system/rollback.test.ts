import { cpSync, readdirSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { LogTree } from '@tallystick/core';
import { SignerClient, SignerRefused } from '@tallystick/signer/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { walkLog } from './support/log-walk.ts';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

interface Readiness {
  reads: { ready: boolean };
  mutations: { ready: boolean; reasons: { code: string; detail: string }[] };
}

/**
 * Copies of the ledger and of the signer's mark, by day. The access log goes on, and with it the signer's mark of it: a mark
 * of another day would be noticed as well, sooner or later than what is expected.
 */
class Backups {
  readonly #system: RealSystem;

  constructor(system: RealSystem) {
    this.#system = system;
  }

  take(day: string): void {
    const { root } = this.#system.layout;
    for (const part of ['ledger', 'signer']) copyFiles(`${root}/${part}`, `${root}.${day}/${part}`);
  }

  putBack(day: string, part: 'ledger' | 'signer'): void {
    const { root } = this.#system.layout;
    for (const name of filesOfTheLog(`${root}/${part}`)) rmSync(`${root}/${part}/${name}`);
    copyFiles(`${root}.${day}/${part}`, `${root}/${part}`);
  }
}

function filesOfTheLog(folder: string): string[] {
  return readdirSync(folder).filter((name) => !name.startsWith('access-mark') && !name.includes('.sock'));
}

function copyFiles(from: string, to: string): void {
  for (const name of filesOfTheLog(from)) cpSync(`${from}/${name}`, `${to}/${name}`);
}

let system: RealSystem;
let backups: Backups;
/** Issued on the first day, revoked on the second. */
let license: { id: string; key: string };
/** The last tests share one running system. */
let isAskingSigner = false;
let sizes: { yesterday: number; today: number };

async function issue(): Promise<{ id: string; key: string }> {
  const { document, licenseKey } = await system.must<{ document: { id: string }; licenseKey: string }>(
    'POST',
    '/v1/licenses?wait=published',
    { plan: 'pro-yearly', licensee: 'Contoso' },
  );
  return { id: document.id, key: licenseKey };
}

beforeAll(async () => {
  system = await RealSystem.start();
  backups = new Backups(system);
  await system.ready();
  await system.sellPro();
  license = await issue();
  await system.published();
  const yesterday = await system.publishedSize();
  await system.down();
  backups.take('yesterday');
  await system.up();
  await system.ready();
  await system.must('POST', `/v1/licenses/${license.id}/revoke?wait=published`, { reason: 'fraud' });
  await issue();
  await system.published();
  sizes = { yesterday, today: await system.publishedSize() };
  await system.down();
  backups.take('today');
});

afterAll(async () => {
  for (const day of ['yesterday', 'today'])
    rmSync(`${system.layout.root}.${day}`, { recursive: true, force: true });
  await system[Symbol.asyncDispose]();
});

afterEach(async () => {
  if (!isAskingSigner) await system.down();
});

/** Starts, expects that changes are refused for this reason and reads are served, and stops. */
async function expectClosed(code: string, detail: RegExp): Promise<void> {
  await system.up();
  const readiness = await eventually(`readiness to name ${code}`, async () => {
    const { json } = await system.ops('/readyz');
    const { mutations } = json as Readiness;
    return mutations.reasons[0]?.code === code ? (json as Readiness) : null;
  });
  expect(readiness.mutations.ready).toBe(false);
  expect(readiness.mutations.reasons[0]?.detail).toMatch(detail);
  expect(readiness.reads.ready).toBe(code !== 'integrity');
  const size = await system.size();
  const attempts = [
    system.admin('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' }),
    system.admin('POST', `/v1/licenses/${license.id}/reissue`, {}),
    system.admin('POST', '/v1/products', { code: 'other', name: 'Other' }),
  ];
  for (const { status, json } of await Promise.all(attempts)) {
    expect({ status, code: (json as { code: string }).code }).toEqual({
      status: code === 'integrity' ? 500 : 503,
      code,
    });
  }
  expect(await system.size()).toBe(size);
  expect(system.lines.some((line) => line.startsWith('server: ') && line.includes(`"alarm":"${code}"`))).toBe(
    true,
  );
  if (code !== 'integrity')
    expect((await system.admin('GET', `/v1/licenses/${license.id}`)).status).toBe(200);
}

async function afterwards(): Promise<void> {
  await system.down();
  system.lines.length = 0;
  backups.putBack('today', 'ledger');
  backups.putBack('today', 'signer');
}

describe("yesterday's database put back", () => {
  it('is noticed by the mark of the signer, and the missing entries are named', async () => {
    backups.putBack('yesterday', 'ledger');
    const { yesterday, today } = sizes;
    await expectClosed('log_behind', new RegExp(`entries ${yesterday} to ${today - 1} `));
    await afterwards();
  });

  it('is noticed by the memory of the witnesses where the mark was put back, too', async () => {
    backups.putBack('yesterday', 'ledger');
    backups.putBack('yesterday', 'signer');
    const { yesterday, today } = sizes;
    await expectClosed(
      'log_behind',
      new RegExp(`publishes ${yesterday}.*entries ${yesterday} to ${today - 1};`),
    );
    await afterwards();
  });

  it('is noticed where the mark alone was put back: it does not know what was published', async () => {
    backups.putBack('yesterday', 'signer');
    const { yesterday, today } = sizes;
    await expectClosed(
      'signer_behind',
      new RegExp(`checkpoint of ${today} entries .* mark stands at ${yesterday}: the mark was put back`),
    );
    await system.down();
    const forward = () => new Operator(system).must('signer', 'forward-mark');
    expect(await forward()).toMatchObject({ before: yesterday, published: today, moved: true });
    expect(await forward()).toMatchObject({ before: today, published: today, moved: false });
    await afterwards();
  });

  it('is over when the right one is back', async () => {
    await system.up();
    await system.ready();
    expect((await system.admin('GET', `/v1/licenses/${license.id}`)).text).toContain('"state":"revoked"');
    await system.must('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Contoso' });
    await walkLog(system);
    await system.published();
    sizes.today = await system.publishedSize();
    await system.down();
    rmSync(`${system.layout.root}.today`, { recursive: true });
    backups.take('today');
  });
});

describe('a tail that was deleted', () => {
  it.each([
    ['whole rows', ['leaves', 'entries', 'contents', 'causes']],
    ['leaves alone', ['leaves']],
  ])('is noticed: %s', async (_, tables) => {
    const keep = sizes.today - 3;
    const database = new DatabaseSync(system.layout.ledger.store);
    for (const table of tables) database.exec(`DELETE FROM ${table} WHERE idx >= ${keep}`);
    database.close();
    await expectClosed('log_behind', new RegExp(`entries ${keep} to ${sizes.today - 1} `));
    await afterwards();
  });
});

describe('the store of another system', () => {
  it('is refused', async () => {
    await using other = await RealSystem.create();
    rmSync(system.layout.ledger.projections);
    cpSync(other.layout.ledger.store, system.layout.ledger.store);
    for (const end of ['-wal', '-shm']) rmSync(`${system.layout.ledger.store}${end}`, { force: true });
    await expect(system.up()).rejects.toThrow(/another log|no namespace|missing/);
    await afterwards();
  });
});

describe('the signer, asked directly', () => {
  let signer: SignerClient;
  let signed: { origin: string; size: number; root: Uint8Array };

  beforeAll(async () => {
    isAskingSigner = true;
    await system.up();
    await system.ready();
    signer = new SignerClient(system.layout.signer.socket);
    signed = (await signer.hello()).mark;
  });

  afterAll(async () => {
    await signer[Symbol.asyncDispose]();
  });

  /** Another history as long as the one that was signed, or longer. */
  function otherHistory(size: number): LogTree {
    const tree = new LogTree();
    for (let at = 0; at < size; at++) tree.append(new Uint8Array(32).fill(at));
    return tree;
  }

  async function expectRefusal(reason: string, asked: Promise<unknown>): Promise<void> {
    const from = system.lines.length;
    const refusal = await asked.catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SignerRefused);
    expect((refusal as SignerRefused).reason).toBe(reason);
    const line = await eventually('an alarm', () =>
      system.lines.slice(from).find((each) => each.startsWith('signer: ')),
    );
    expect(JSON.parse(line.slice('signer: '.length))).toMatchObject({ alarm: 'signer_refused', reason });
  }

  it('refuses the same size with another root', async () => {
    const root = otherHistory(signed.size).root();
    await expectRefusal('fork', signer.signCheckpoint({ ...signed, root }, []));
  });

  it('refuses a second history that is longer, with a proof that holds for itself', async () => {
    const size = signed.size + 5;
    const tree = otherHistory(size);
    const proof = tree.consistencyProof(signed.size, size);
    await expectRefusal('fork', signer.signCheckpoint({ ...signed, size, root: tree.root() }, proof));
  });

  it('refuses a smaller size, also the true one of yesterday', async () => {
    const { tree } = await walkLog(system);
    const size = signed.size - 1;
    await expectRefusal('rollback', signer.signCheckpoint({ ...signed, size, root: tree.root(size) }, []));
  });

  it('refuses a checkpoint and a promise of another log', async () => {
    const origin = 'tally.example/other';
    await expectRefusal('other_log', signer.signCheckpoint({ ...signed, origin }, []));
    const statement = {
      origin,
      index: signed.size,
      count: 1,
      root: signed.root,
      publishBy: '2030-01-01T00:00:00.000Z',
    };
    await expectRefusal('other_log', signer.signPromise(statement));
  });

  it('still signs the true history', async () => {
    await system.must('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Contoso' });
    await walkLog(system);
  });
});
