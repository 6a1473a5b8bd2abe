import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { base64, equalBytes, leafHash, utf8 } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../src/journal/journal.ts';
import {
  encodeLine,
  type JournalEvent,
  type JournalLine,
  leavesOf,
  lineHash,
  parseLine,
} from '../src/journal/lines.ts';
import { generateKeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import { Mark } from '../src/mark.ts';
import { scratchDirectory } from './support/scratch.ts';
import {
  at,
  GrowingLog,
  licenseToSign,
  origin,
  record,
  type SignerParts,
  signerOn,
  signerWith,
} from './support/signing.ts';
import { namespaceWith, TestTrust } from './support/trust.ts';

let parts: SignerParts<never>;
const log = new GrowingLog(300);
const plain = { record: record('plan.created'), content: null };
const now = (): number => Date.parse(at);

beforeEach(() => {
  parts = signerWith() as SignerParts<never>;
});

afterEach(() => {
  parts.mark[Symbol.dispose]();
});

/** Every line of a journal; throws where the chain does not hold. */
function linesOf(file: string): JournalLine[] {
  const texts = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  let before: Uint8Array | null = null;
  return texts.map((text, nth) => {
    const line = parseLine(utf8(text));
    expect(line.n).toBe(nth);
    expect(line.prev && base64(line.prev)).toBe(before && base64(before));
    before = lineHash(utf8(text));
    return line;
  });
}

function eventsOf(file: string): JournalEvent[] {
  return linesOf(file).map(({ event }) => event);
}

const opsOf = (file: string): string[] => eventsOf(file).map(({ op }) => op);

/** Ends the signer as a stop does, and starts another one on what it left behind. */
async function restart(): Promise<void> {
  await parts.journal[Symbol.asyncDispose]();
  startAgain();
}

/** Starts another signer on what a killed one left behind. */
function startAgain(): void {
  parts.mark[Symbol.dispose]();
  const { markFile, journalFile, keys } = parts;
  const mark = Mark.open(markFile, origin);
  parts = { ...parts, mark };
  const journal = Journal.open(journalFile, mark, now);
  parts = { ...parts, journal, signer: signerOn(mark, keys, { journal }) };
}

const batch = (index: number, count = 1) => ({
  records: Array.from({ length: count }, () => plain),
  index,
  publishBy: at,
});

describe('the journal', () => {
  it('has a line of everything that was signed before the signature is answered, in one chain', async () => {
    const { signer, journalFile } = parts;
    const items = [licenseToSign(), plain];
    const { entries } = await signer.signBatch({ records: items, index: 7, publishBy: at });
    const signed = eventsOf(journalFile).at(-1);
    if (signed?.op !== 'batch') throw new Error('no batch');
    expect(signed).toMatchObject({ index: 7, publishBy: at });
    expect(leavesOf(signed.leaves).map(base64)).toEqual(entries.map((entry) => base64(leafHash(entry))));
    const { keys } = parts as unknown as SignerParts<{ keyid: string; usages: string[] }>;
    const usedBy = (usage: string): string => keys.find(({ usages }) => usages.includes(usage))?.keyid ?? '';
    expect(signed.keyids).toEqual([usedBy('license'), usedBy('plan'), usedBy('log')]);
    await signer.signPromise({ origin, index: 7, count: 2, root: new Uint8Array(32), publishBy: at });
    await signer.signCheckpoint(log.checkpoint(9), []);
    // Signed again, for fresh cosignatures.
    await signer.signCheckpoint(log.checkpoint(9), []);
    const twice = [log.proof(9, 12), []].map(async (proof) => {
      await signer.signCheckpoint(log.checkpoint(12), proof);
      expect(eventsOf(journalFile).at(-1)).toMatchObject({ op: 'checkpoint', size: 12 });
    });
    await Promise.all(twice);
    expect(opsOf(journalFile)).toEqual([
      'begun',
      'started',
      'keys',
      'batch',
      'promise',
      'checkpoint',
      'checkpoint',
    ]);
    expect(statSync(journalFile).mode & 0o777).toBe(0o600);
  });

  it('takes what comes while the disk is busy in one write, and answers each when it is there', async () => {
    const { signer, journalFile } = parts;
    const answered = Array.from({ length: 40 }, async (_, nth) => {
      const { entries } = await signer.signBatch(batch(10 * nth, 10));
      const written = eventsOf(journalFile).filter((event) => event.op === 'batch');
      expect(written.some(({ leaves }) => equalBytes(leaves.subarray(0, 32), leafHash(entries[0]!)))).toBe(
        true,
      );
    });
    await Promise.all(answered);
    expect(opsOf(journalFile).filter((op) => op === 'batch')).toHaveLength(40);
  });

  it('says of what was signed for the same indexes before that nobody said why', async () => {
    const { signer, journalFile } = parts;
    await signer.signBatch(batch(10, 3));
    await signer.signBatch(batch(13, 2));
    await signer.signBatch(batch(12, 1));
    const ended = eventsOf(journalFile).filter((event) => event.op === 'abandoned');
    expect(ended).toMatchObject([
      { line: 3, index: 10, cause: 'not_said' },
      { line: 4, index: 13, cause: 'not_said' },
    ]);
    await signer.signBatch(batch(13, 1));
    expect(eventsOf(journalFile).filter((event) => event.op === 'abandoned')).toHaveLength(2);
  });

  it('says once why what was signed is not used, also after a restart', async () => {
    await parts.signer.signBatch(batch(10, 3));
    await parts.signer.signBatch(batch(13, 2));
    startAgain();
    await parts.signer.abandon({ index: 13, cause: 'commit_failed' });
    await parts.signer.abandon({ index: 13, cause: 'commit_failed' });
    await parts.signer.signBatch(batch(13, 2));
    const { journalFile, signer } = parts;
    expect(eventsOf(journalFile).filter((event) => event.op === 'abandoned')).toMatchObject([
      { line: 4, index: 13, cause: 'commit_failed' },
    ]);
    // What a checkpoint covers is in the log: nobody can say otherwise.
    await signer.signCheckpoint(log.checkpoint(15), []);
    await signer.abandon({ index: 15, cause: 'restarted' });
    await restart();
    await parts.signer.abandon({ index: 10, cause: 'restarted' });
    expect(opsOf(journalFile).slice(-4)).toEqual(['resumed', 'started', 'keys', 'resumed']);
  });

  it('begins behind what was signed elsewhere where it is made with a log', () => {
    const { mark } = parts;
    const file = `${parts.journalFile}.of-init`;
    Journal.create(file, log.checkpoint(3), mark, now);
    expect(eventsOf(file)).toMatchObject([{ op: 'begun', size: 3, by: 'init', lost: null }]);
    expect(mark.journal).toMatchObject({ n: 0 });
    expect(() => Journal.create(file, log.checkpoint(3), mark, now)).toThrow(/EEXIST/);
  });
});

describe('a journal at a start', () => {
  it.each([1, 35])('loses a last line of which %i bytes were written, and says so', async (length) => {
    await parts.signer.signBatch(batch(10));
    const before = readFileSync(parts.journalFile).indexOf(0);
    const file = openSync(parts.journalFile, 'r+');
    writeSync(file, '{"v":1,"n":4,"prev":"AAAA and so on', before);
    if (length === 1) writeSync(file, new Uint8Array(40), 0, 40, before + 1);
    closeSync(file);
    startAgain();
    const started = eventsOf(parts.journalFile).findLast(({ op }) => op === 'started');
    expect(started).toMatchObject({ cut: length });
    expect(readFileSync(parts.journalFile).subarray(before).toString()).toMatch(/^\{"v":1,"n":4,/);
  });

  it('that was shortened below what the mark remembers is refused, and stays as it is', async () => {
    await parts.signer.signBatch(batch(10));
    await parts.journal[Symbol.asyncDispose]();
    const whole = readFileSync(parts.journalFile);
    for (const cut of [1, 400]) {
      truncateSync(parts.journalFile, whole.lastIndexOf('\n', whole.length - cut) + 1 - (cut === 1 ? 1 : 0));
      const left = readFileSync(parts.journalFile);
      if (cut === 400) expect(startAgain).toThrow(/not the newest journal: the mark remembers its line 3/);
      else expect(startAgain).toThrow(/not the newest journal/);
      expect(readFileSync(parts.journalFile)).toEqual(left);
    }
    writeFileSync(parts.journalFile, whole);
    startAgain();
  });

  it('that a power cut left pages in behind its end goes on without them, as often as it starts', async () => {
    await parts.signer.signBatch(batch(0));
    await parts.journal[Symbol.asyncDispose]();
    const { journalFile } = parts;
    const pages = [Buffer.alloc(4096), Buffer.from('{"v":1,"n":9,"prev":"'), Buffer.alloc(9000, 0x61)];
    appendFileSync(journalFile, Buffer.concat(pages));
    for (let nth = 0; nth < 4; nth++) {
      startAgain();
      await parts.signer.signBatch(batch(nth + 1, 40));
      await parts.journal[Symbol.asyncDispose]();
    }
    expect(opsOf(journalFile).filter((op) => op === 'batch')).toHaveLength(5);
  });

  it.each([['nothing'], ['half a line']])(
    'that was killed with %s in it before it began begins',
    async (what) => {
      await parts.journal[Symbol.asyncDispose]();
      const directory = scratchDirectory();
      const [markFile, journalFile] = [join(directory, 'mark.db'), join(directory, 'journal')];
      Mark.create(markFile, origin);
      writeFileSync(journalFile, what === 'nothing' ? '' : '{"v":1,"n":0,"prev":null,"at"');
      using mark = Mark.open(markFile, origin);
      await using journal = Journal.open(journalFile, mark, now);
      expect(journal.lost).toBeNull();
      expect(opsOf(journalFile)).toEqual(['begun', 'started']);
    },
  );

  it('that is gone begins anew, and says for ever what is missing', async () => {
    await parts.signer.signBatch(batch(10));
    await parts.journal[Symbol.asyncDispose]();
    renameSync(parts.journalFile, `${parts.journalFile}.away`);
    startAgain();
    expect(parts.journal.lost).toBe(4);
    expect(eventsOf(parts.journalFile)[0]).toMatchObject({ op: 'begun', size: 0, by: 'signer', lost: 4 });
    await restart();
    expect(parts.journal.lost).toBeNull();
  });

  it('of another log, or with a line that does not follow, is refused', async () => {
    const others = signerWith() as SignerParts<never>;
    await others.journal[Symbol.asyncDispose]();
    await parts.signer.signBatch(batch(10));
    await parts.journal[Symbol.asyncDispose]();
    const text = readFileSync(parts.journalFile, 'utf8');
    const spoiled: [string, RegExp][] = [
      [`${text}${text.split('\n')[3]}\n`, /line 3 does not follow/],
      [`${text}{}\n`, /is damaged behind line 3/],
      [readFileSync(others.journalFile, 'utf8').replace(origin, 'tally.example/other'), /./],
      ['', /not the newest/],
    ];
    for (const [content, message] of spoiled) {
      writeFileSync(parts.journalFile, content);
      expect(startAgain).toThrow(message);
    }
    rmSync(parts.markFile);
    Mark.create(parts.markFile, origin);
    const foreign = encodeLine({
      n: 0,
      prev: null,
      at,
      event: {
        op: 'begun',
        origin: 'tally.example/other',
        size: 0,
        root: new Uint8Array(32),
        by: 'init',
        lost: null,
      },
    });
    writeFileSync(parts.journalFile, `${Buffer.from(foreign).toString()}\n`);
    expect(startAgain).toThrow(/journal of another log/);
    others.mark[Symbol.dispose]();
  });
});

describe('a namespace that the authority did not sign', () => {
  it('gets no line, of no revision', async () => {
    const trust = new TestTrust();
    const forger = new SigningKey(generateKeySpec(['authority'], 'acme'));
    for (const rev of [0, 1]) {
      const { entry, document } = await trust.logged(namespaceWith([], { rev }), forger);
      await parts.signer.adopt(entry, document).catch(() => null);
    }
    expect(opsOf(parts.journalFile)).not.toContain('adopted');
  });
});

describe('refusals', () => {
  it('are in the journal with their number, and a flood of them takes little room', async () => {
    const { journal, journalFile } = parts;
    for (let nth = 0; nth < 10_000; nth++)
      journal.refused({ op: 'batch', reason: 'limit', message: `the ${nth}th\nof many` });
    for (let nth = 0; nth < 500; nth++)
      journal.refused({ op: `op ${nth}`, reason: 'unknown_request', message: 'x'.repeat(5000) });
    await journal[Symbol.asyncDispose]();
    const refused = eventsOf(journalFile).filter((event) => event.op === 'refused');
    const counts = Map.groupBy(refused, ({ request, reason }) => `${request} ${reason}`);
    expect([...counts].map(([key, each]) => [key, each.reduce((sum, { count }) => sum + count, 0)])).toEqual([
      ['batch limit', 10_000],
      ['unknown unknown_request', 500],
    ]);
    expect(refused[0]?.message).toBe('the 0th of many');
    expect(statSync(journalFile).size).toBeLessThan(4000);
  });
});

describe('a line', () => {
  const hash = (value: number): Uint8Array => new Uint8Array(32).fill(value);
  const events: JournalEvent[] = [
    { op: 'begun', origin, size: 3, root: hash(1), by: 'init', lost: null },
    { op: 'begun', origin, size: 3, root: hash(1), by: 'signer', lost: 9 },
    { op: 'started', cut: 17 },
    { op: 'keys', keys: [{ keyid: 'a', usages: ['log'] }] },
    { op: 'batch', index: 5, leaves: new Uint8Array(96).fill(7), keyids: ['a', 'b'], publishBy: at },
    { op: 'promise', index: 5, count: 2, root: hash(2), publishBy: at },
    { op: 'checkpoint', size: 8, root: hash(3) },
    { op: 'adopted', ns: 'acme', type: 'namespace.updated', rev: 2, leaf: hash(4) },
    { op: 'resumed', size: 8 },
    { op: 'abandoned', line: 4, index: 5, leaves: hash(5), cause: 'not_said' },
    { op: 'refused', request: 'batch', reason: 'limit', message: 'too much', count: 3 },
  ];

  it.each(events)('of $op is read as it was written, and in no other form', (event) => {
    const line = { n: 4, prev: hash(9), at, event };
    const bytes = encodeLine(line);
    expect(parseLine(bytes)).toEqual(line);
    const text = Buffer.from(bytes).toString();
    const others = [
      text.replace('"v":1', '"v":2'),
      text.replace(/\}$/, ',"more":1}'),
      text.replace('{"v":1,"n":4', '{"n":4,"v":1'),
      text.replace('"n":4', '"n":-4'),
      JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).slice(0, -1))),
      text.replace(`"op":"${event.op}"`, '"op":"other"'),
      ` ${text}`,
    ];
    for (const other of others) expect(() => parseLine(utf8(other)), other).toThrow(/./);
  });
});
