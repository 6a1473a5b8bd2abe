import { type LogRecord, leafHash, parseRecordEntry, zeroSalt } from '@tallystick/core';
import type { JournalEvent } from '@tallystick/signer';
import type { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JournaledLog } from './support/journaled-log.ts';
import { append, continuation, firstOf } from './support/tamper.ts';

type Begun = Extract<JournalEvent, { op: 'begun' }>;
const publishBy = '2030-01-01T00:00:00.000Z';
let log: JournaledLog;

async function sell(system: TestSystem, count = 4): Promise<void> {
  for (let nth = 0; nth < count; nth++)
    await system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: `Licensee ${nth}` });
  await system.ledger.whenPublished(system.ledger.size, 10_000);
}

/** A record that the signer signs, as a thief of the server's process would make one. */
const stolen: LogRecord = {
  ns: 'acme',
  type: 'plan.updated',
  subject: new Uint8Array(32).fill(1),
  rev: 0,
  prev: null,
  doc: zeroSalt,
  cause: zeroSalt,
  at: '2026-01-01T00:00:00.000Z',
};

/** Asks the signer behind the ledger's back; returns what it signed. */
async function steal(system: TestSystem, index: number, count = 1): Promise<Uint8Array> {
  const records = Array.from({ length: count }, () => ({ record: stolen, content: null }));
  const { entries } = await system.world.signer.signBatch({ records, index, publishBy });
  return entries[0]!;
}

beforeAll(async () => {
  log = await JournaledLog.make(async (system) => {
    await system.sellPro();
    await sell(system);
  });
});

afterAll(() => {
  log[Symbol.dispose]();
});

/** Runs on a copy of the log that nobody touched. */
async function onCopy(work: (copy: JournaledLog) => Promise<void>): Promise<void> {
  using copy = log.copy();
  await work(copy);
}

describe('a journal and a log that nobody touched', () => {
  it('explain each other, and everything is counted', async () => {
    const report = await log.audit();
    expect(report.incidents).toEqual([]);
    const { ok, counts, journal, size, published } = report;
    expect(ok).toBe(true);
    expect(published).toBe(size);
    expect(journal).toMatchObject({ lines: log.lines.length, from: 3 });
    const signed = log.events.flatMap((event) => (event.op === 'batch' ? event.leaves.length / 32 : []));
    expect(counts.signed).toBe(signed.reduce((sum, count) => sum + count, 0));
    expect(counts).toMatchObject({
      entries: size,
      earlier: 2,
      pending: 0,
      abandoned: 0,
      refused: 0,
      starts: 1,
    });
    expect(counts.checkpoints).toBeGreaterThan(1);
  });
});

describe('a server that asks for signatures and keeps them out of the log', () => {
  it.each([
    ['under the entries that follow, and goes on as if nothing had been', 'not_said', 0],
    ['for an index that the log is nowhere near', 'ahead', 50_000],
  ])('%s, is found', async (_how, kind, ahead) => {
    using journaled = await JournaledLog.make(async (system) => {
      await system.sellPro();
      await sell(system, 1);
      await steal(system, system.ledger.size + ahead, 3);
      if (ahead === 0) await sell(system, 1);
    });
    const { ok, incidents } = await journaled.audit();
    expect(ok).toBe(false);
    expect(incidents).toMatchObject([{ kind }]);
  });

  it('where a map root takes the place, is found', async () => {
    // Long enough for the thief to be asked for between a change and its checkpoint.
    const times = { intervalMs: 300 };
    const steals = async (system: TestSystem): Promise<void> => {
      await system.sellPro();
      await steal(system, system.ledger.size);
    };
    using journaled = await JournaledLog.make(steals, { times });
    expect(await journaled.audit()).toMatchObject({ ok: false, incidents: [{ kind: 'unlogged' }] });
  });

  it('and says that a commit failed, has them in a counted list; one that is logged after all is found', async () => {
    let entry = new Uint8Array(0) as Uint8Array;
    using journaled = await JournaledLog.make(async (system) => {
      await system.sellPro();
      entry = await steal(system, system.ledger.size, 3);
      await system.world.signer.abandon({ index: system.ledger.size, cause: 'commit_failed' });
      await sell(system, 1);
    });
    const { ok, counts, abandoned } = await journaled.audit();
    expect(ok).toBe(true);
    expect(counts.abandoned).toBe(3);
    expect(abandoned).toMatchObject([{ cause: 'commit_failed', count: 3 }]);
    const { subject, rev } = parseRecordEntry(entry).record;
    journaled.tamper((database) => append(database, { entry, subject, rev }));
    expect(await journaled.audit()).toMatchObject({ ok: false, incidents: [{ kind: 'abandoned_logged' }] });
  });
});

describe('a batch that fails', () => {
  it('to be committed is accounted for once, with its cause', async () => {
    using journaled = await JournaledLog.make(async (system, store) => {
      await system.sellPro();
      store.fail('append', 'did nothing', { times: 2 });
      const issue = { type: 'license.issue', plan: 'pro-yearly' } as const;
      await Promise.allSettled(Array.from({ length: 60 }, () => system.run(issue)));
      store.mend();
      await sell(system, 2);
    });
    const { incidents, abandoned, counts } = await journaled.audit();
    expect(incidents).toEqual([]);
    expect(counts.abandoned).toBeGreaterThan(0);
    expect(new Set(abandoned.map(({ cause }) => cause))).toEqual(new Set(['commit_failed']));
  });

  it('because its server died is accounted for by the next one', async () => {
    using journaled = await JournaledLog.make(async (system) => {
      await system.sellPro();
      await steal(system, system.ledger.size, 2);
      await system.restart();
      await system.ready();
      await sell(system, 2);
    });
    const { incidents, abandoned } = await journaled.audit();
    expect(incidents).toEqual([]);
    expect(abandoned).toMatchObject([{ cause: 'restarted', count: 2 }]);
  });
});

describe('a thief of a key', () => {
  it('who writes what was signed elsewhere into the store is found', async () => {
    await onCopy(async (copy) => {
      copy.tamper((database) => {
        const { id } = firstOf(database, 'license.issued');
        append(database, continuation(database, id, 'license.revoked', copy.keyFor('license')));
      });
      const { size, incidents } = await copy.audit();
      expect(incidents).toMatchObject([{ kind: 'unsigned', index: size - 1, line: null }]);
    });
  });

  it('who publishes a checkpoint that was signed elsewhere is found', async () => {
    await onCopy(async (copy) => {
      const { size, published } = await copy.audit();
      expect(published).toBe(size);
      copy.tamper((database) => {
        const sql = 'SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1';
        const { note } = database.prepare(sql).get() as { note: string };
        const other = note.replace(`\n${size}\n`, `\n${size - 1}\n`);
        database
          .prepare('INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)')
          .run(size - 1, other, publishBy);
      });
      expect(await copy.audit()).toMatchObject({ incidents: [{ kind: 'published', index: size - 1 }] });
    });
  });
});

describe('a journal that was tampered with', () => {
  const swap = (lines: string[], nth: number): string[] =>
    lines.with(nth, lines[nth + 1]!).with(nth + 1, lines[nth]!);
  const cases: [string, (lines: string[]) => string[], string][] = [
    ['a line taken out', (lines) => lines.toSpliced(4, 1), 'chain'],
    ['a line changed', (lines) => lines.with(4, lines[4]!.replace('"at":"2', '"at":"3')), 'chain'],
    ['a line that is no line', (lines) => lines.with(4, 'x'), 'chain'],
    ['two lines exchanged', (lines) => swap(lines, 4), 'chain'],
    ['a line twice', (lines) => lines.toSpliced(4, 0, lines[4]!), 'chain'],
    ['the first line gone', (lines) => lines.slice(1), 'chain'],
    ['the last line cut off', (lines) => lines.slice(0, -1), 'shortened'],
    ['half of it cut off', (lines) => lines.slice(0, lines.length / 2), 'shortened'],
  ];

  it.each(cases)('is found: %s', async (_what, change, kind) => {
    await onCopy(async (copy) => {
      copy.write(change(copy.lines));
      expect((await copy.audit({ all: false })).incidents).toMatchObject([{ kind }]);
    });
  });

  it('with a chain made anew is found by the log', async () => {
    const forgeries: [Parameters<JournaledLog['forge']>[0], string[]][] = [
      [
        (lines) => lines.filter(({ event }) => event.op !== 'batch' || event.index < 8),
        ['shortened', 'unsigned'],
      ],
      [(lines) => lines.slice(0, -2), ['shortened', 'unsigned', 'published']],
      [
        (lines) =>
          lines.map((line) =>
            line.event.op === 'checkpoint' && line.event.size > 8
              ? { ...line, event: { ...line.event, root: leafHash(zeroSalt) } }
              : line,
          ),
        ['shortened', 'checkpoint', 'published'],
      ],
      [
        (lines) =>
          lines.map((line) =>
            line.event.op === 'begun' ? { ...line, event: { ...line.event, size: 4, root: zeroSalt } } : line,
          ),
        ['shortened', 'history'],
      ],
    ];
    for (const [forgery, kinds] of forgeries)
      await onCopy(async (copy) => {
        copy.forge(forgery);
        expect(await copy.kinds()).toEqual(kinds);
      });
  });

  it('that lacks the adoption of a namespace, or has a promise that the log does not keep, is found', async () => {
    await onCopy(async (copy) => {
      copy.forge((lines) => [
        ...lines.filter(({ event }) => event.op !== 'adopted'),
        { ...lines[0]!, event: { op: 'promise', index: 4, count: 1, root: zeroSalt, publishBy } },
        { ...lines[0]!, event: { op: 'promise', index: 900_000, count: 1, root: zeroSalt, publishBy } },
      ]);
      // From the start, as for a namespace that was logged later.
      copy.forge(([first, ...lines]) => [
        { ...first!, event: { ...(first!.event as Begun), size: 1, by: 'init', root: copy.rootOf(1) } },
        ...lines,
      ]);
      expect((await copy.audit({ known: null })).incidents.map(({ kind, index }) => [kind, index])).toEqual([
        ['not_adopted', 1],
        ['unsigned', 2],
        ['promise', 4],
        ['promise', 900_000],
      ]);
    });
  });

  it('whose mark cannot be read is held against the log alone', async () => {
    await onCopy(async (copy) => {
      copy.write(copy.lines.slice(0, 6));
      expect((await copy.audit({ known: null })).incidents.map(({ kind }) => kind)).toContain('unsigned');
    });
  });
});

describe('a journal that is younger than its log', () => {
  it('answers from the entry on with which the server went on', async () => {
    await onCopy(async (copy) => {
      const size = copy.events.flatMap((event) => (event.op === 'batch' ? event.index : [])).at(-1)!;
      const mark = copy.events.findLast((event) => event.op === 'checkpoint' && event.size <= size) as {
        size: number;
        root: Uint8Array;
      };
      copy.forge((lines) =>
        lines.flatMap((line) => {
          const { event } = line;
          if (event.op === 'begun')
            return { ...line, event: { ...event, by: 'signer' as const, size: mark.size, root: mark.root } };
          if (event.op === 'resumed') return { ...line, event: { op: 'resumed' as const, size } };
          if (event.op === 'checkpoint') return event.size >= mark.size ? line : [];
          return !('index' in event) || event.index >= size ? line : [];
        }),
      );
      const { incidents, journal, counts } = await copy.audit({ known: null });
      expect(incidents).toEqual([]);
      expect(journal.from).toBe(size);
      expect(counts.earlier).toBeGreaterThan(2);
    });
  });

  it('answers for what a checkpoint covers, whatever size it was told at first', async () => {
    await onCopy(async (copy) => {
      copy.forge((lines) =>
        lines.map((line) => {
          const { event } = line;
          if (event.op === 'begun') return { ...line, event: { ...event, by: 'signer' as const } };
          return event.op === 'resumed'
            ? { ...line, event: { op: 'resumed' as const, size: Number.MAX_SAFE_INTEGER - 1 } }
            : line;
        }),
      );
      const { journal, size } = await copy.audit({ known: null });
      expect(journal.from).toBeLessThan(size);
    });
  });

  it('that says of an earlier one that it is gone, is an incident', async () => {
    await onCopy(async (copy) => {
      copy.forge((lines) =>
        lines.map((line) =>
          line.event.op === 'begun' ? { ...line, event: { ...line.event, lost: 9 } } : line,
        ),
      );
      expect((await copy.audit({ known: null })).incidents).toMatchObject([{ kind: 'lost' }]);
    });
  });
});
