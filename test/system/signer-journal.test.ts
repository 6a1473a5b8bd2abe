import { readFileSync, truncateSync } from 'node:fs';
import { auditSigner, type SignerAuditReport } from '@tallystick/audit';
import { run } from '@tallystick/cli';
import { SqliteStore } from '@tallystick/ledger';
import { Mark } from '@tallystick/signer';
import { SignerClient } from '@tallystick/signer/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Load } from './support/load.ts';
import { RealSystem } from './support/real-system.ts';
import { SeededRandom } from './support/seeded-random.ts';
import { eventually, sleep } from './support/waiting.ts';

const origin = 'tally.example/log';
let system: RealSystem;
let load: Load;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  load = new Load(system, new SeededRandom(SeededRandom.seed('signer journal')));
  load.start(6);
});

afterAll(async () => {
  await load?.stop();
  await system?.[Symbol.asyncDispose]();
});

async function untilWorkIsDone(changes: number): Promise<void> {
  const goal = load.acknowledged.length + changes;
  await eventually(
    `${changes} more changes`,
    () => load.acknowledged.length >= goal || load.faults.length > 0,
    30_000,
  );
}

/** Beside the running system, or with what the signer's mark says where nothing runs. */
async function audit(isAtRest: boolean): Promise<SignerAuditReport> {
  const { layout } = system;
  await using store = SqliteStore.open(layout.ledger.store, { readOnly: true });
  const parts = { store, origin, journal: layout.signer.journal };
  if (!isAtRest) return await auditSigner({ ...parts, known: null }, { all: true });
  using mark = Mark.open(layout.signer.mark, origin);
  return await auditSigner({ ...parts, known: mark.journal }, { all: true });
}

/** `tally audit signer --json` on the system's folder. */
async function tally(...flags: string[]): Promise<{ code: number; report: SignerAuditReport }> {
  const out: string[] = [];
  const terminal = { isTTY: false, columns: null };
  const code = await run(
    ['audit', 'signer', '--json', '--data', system.layout.root, ...flags],
    (setExitCode) => ({
      stdout: { ...terminal, write: (text) => void out.push(text) },
      stderr: { ...terminal, write: () => {} },
      env: {},
      signal: new AbortController().signal,
      now: () => Date.now(),
      newKey: () => '',
      readStdin: async () => new Uint8Array(0),
      ask: async () => null,
      openBrowser: async () => false,
      sleep: async () => {},
      setExitCode,
    }),
  );
  return { code, report: JSON.parse(out.join('')) as SignerAuditReport };
}

describe('the journal of a system under load', () => {
  it('explains a log that grows while it is read', async () => {
    await untilWorkIsDone(30);
    for (let round = 0; round < 5; round++) {
      const { incidents, counts } = await audit(false);
      expect(incidents).toEqual([]);
      expect(counts.signed).toBeGreaterThan(20);
      await untilWorkIsDone(5);
    }
  });

  it('explains it while signer and server are killed again and again', async () => {
    for (const victim of ['signer', 'server', 'signer', 'signer'] as const) {
      await untilWorkIsDone(20);
      await sleep(20);
      system.kill(victim);
      await untilWorkIsDone(1);
      expect((await audit(false)).incidents, victim).toEqual([]);
    }
    await untilWorkIsDone(20);
    expect(load.faults).toEqual([]);
  });

  it('has every refusal, and what a thief of the socket had signed', async () => {
    await load.stop();
    await system.ready();
    await system.published();
    const client = new SignerClient(system.layout.signer.socket);
    const zero = new Uint8Array(32);
    const record = {
      ns: 'acme',
      subject: zero,
      rev: 0,
      prev: null,
      doc: zero,
      cause: zero,
      at: '2026-01-01T00:00:00.000Z',
    };
    const batch = (type: string, index: number) => ({
      records: [{ record: { ...record, type }, content: null }],
      index,
      publishBy: record.at,
    });
    for (let nth = 0; nth < 20; nth++)
      await expect(client.signBatch(batch('root.updated', 1_000_000))).rejects.toMatchObject({
        reason: 'no_key',
      });
    await client.signBatch(batch('plan.updated', 1_000_000));
    await client[Symbol.asyncDispose]();
    const { code, report } = await tally('--all');
    expect(code).toBe(2);
    expect(report.incidents).toMatchObject([{ kind: 'ahead', index: 1_000_000 }]);
    expect(report.skipped[0]).toMatch(/a running signer keeps it to itself/);
  });

  it('at rest is checked to its end, and says what was refused and abandoned, and why', async () => {
    await system.down();
    const { incidents, counts, refusals, abandoned, skipped } = await audit(true);
    expect(incidents).toMatchObject([{ kind: 'ahead' }]);
    expect(skipped).toEqual([]);
    // A signer that was started anew asks for what its cosigners know, before it goes on.
    const asked = refusals.filter(({ reason }) => reason !== 'unconfirmed');
    expect(asked).toMatchObject([{ request: 'batch', reason: 'no_key', count: 20 }]);
    expect(counts.starts).toBe(4);
    for (const { cause } of abandoned) expect(['restarted', 'signer_lost']).toContain(cause);
    const { journal } = system.layout.signer;
    const whole = readFileSync(journal);
    truncateSync(journal, whole.lastIndexOf('\n', whole.length - 2) + 1);
    expect((await tally('--all')).report.incidents.map(({ kind }) => kind)).toEqual(['shortened', 'ahead']);
    // Nor does a signer go on from there.
    await expect(system.up()).rejects.toThrow(
      /journal is not the newest journal: the mark remembers its line/,
    );
  });
});
