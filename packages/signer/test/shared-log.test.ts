/** Two signers with the keys of one log: the second goes on where the first ended, and nowhere else. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, formatCheckpoint, formatNote, type NoteSignature, utf8 } from '@tallystick/core';
import { LocalCosigners } from '@tallystick/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../src/journal/journal.ts';
import { parseLine } from '../src/journal/lines.ts';
import { readLines } from '../src/journal/read-lines.ts';
import { SigningKey } from '../src/keystore/signing-key.ts';
import { Mark } from '../src/mark.ts';
import type { Signer } from '../src/signer.ts';
import { scratchDirectory } from './support/scratch.ts';
import { at, GrowingLog, keySpecs, knowKeys, licenseToSign, origin, signerOn } from './support/signing.ts';
import { TestTrust } from './support/trust.ts';

const log = new GrowingLog(40);
const other = new GrowingLog(40, 'other');
const start = Date.parse(at);

let keys: SigningKey[];
let cosigners: LocalCosigners;
let trust: TestTrust;
let time: number;

interface Started {
  signer: Signer;
  mark: Mark;
  journal: Journal;
  journalFile: string;
}

beforeEach(() => {
  keys = keySpecs().map((spec) => new SigningKey(spec));
  time = start;
  cosigners = new LocalCosigners(() => time);
  trust = new TestTrust({ logKey: keys[0]!.publicKey, quorum: cosigners.quorum });
});

function begin(isShared = true, signing: readonly SigningKey[] = keys): Started {
  const folder = scratchDirectory();
  const file = join(folder, 'mark.db');
  Mark.create(file, origin);
  const mark = Mark.open(file, origin);
  knowKeys(mark, signing);
  const journalFile = join(folder, 'journal');
  const journal = Journal.open(journalFile, mark, () => time);
  const clock = { now: () => time, monotonic: () => time - start };
  return { signer: signerOn(mark, signing, { clock, trust, journal, isShared }), mark, journal, journalFile };
}

async function sign(signer: Signer, checkpoint: Checkpoint, from: number): Promise<string> {
  const proof = from === checkpoint.size ? [] : log.proof(from, checkpoint.size);
  return noteOf(checkpoint, await signer.signCheckpoint(checkpoint, proof));
}

function noteOf(checkpoint: Checkpoint, signatures: NoteSignature[]): string {
  return formatNote({ text: formatCheckpoint(checkpoint), signatures });
}

async function cosigned(note: string, checkpoint: Checkpoint): Promise<Uint8Array> {
  const lines = await cosigners.cosign(note, checkpoint.size, (from) => log.proof(from, checkpoint.size));
  return utf8(`${note}${noteOf(checkpoint, lines).split('\n\n')[1]}`);
}

/** What its lines are about, in their order. */
function linesOf(file: string): string[] {
  const fd = openSync(file, 'r');
  try {
    return [...readLines(fd, 0, fstatSync(fd).size)].map(({ bytes }) => parseLine(bytes).event.op);
  } finally {
    closeSync(fd);
  }
}

describe('a signer that goes on from what another one signed', () => {
  it('moves its mark there, and signs no growth before cosigners confirm it since then', async () => {
    const [first, second] = [begin(), begin()];
    const note = await sign(first.signer, log.checkpoint(12), 0);
    await second.signer.follow(utf8(note), log.proof(0, 12));
    expect(second.signer.describe().mark.size).toBe(12);
    await expect(second.signer.signCheckpoint(log.checkpoint(20), log.proof(12, 20))).rejects.toMatchObject({
      reason: 'unconfirmed',
    });
    time += 2000;
    const again = await sign(second.signer, log.checkpoint(12), 12);
    await second.signer.witnessed(await cosigned(again, log.checkpoint(12)), true);
    await sign(second.signer, log.checkpoint(20), 12);
    await expect(second.signer.signCheckpoint(other.checkpoint(20), [])).rejects.toMatchObject({
      reason: 'fork',
    });
  });

  it('is not led by a confirmation from before', async () => {
    const [first, second] = [begin(), begin()];
    const old = await cosigned(await sign(first.signer, log.checkpoint(12), 0), log.checkpoint(12));
    time += 60_000;
    await second.signer.follow(utf8(await sign(first.signer, log.checkpoint(12), 12)), log.proof(0, 12));
    await second.signer.witnessed(old, false);
    await expect(second.signer.signCheckpoint(log.checkpoint(20), log.proof(12, 20))).rejects.toMatchObject({
      reason: 'unconfirmed',
    });
  });

  it('signs no records either before that: who follows a log has none to sign', async () => {
    const [first, second] = [begin(), begin()];
    const batch = { records: [licenseToSign()], index: 12, publishBy: at };
    await second.signer.follow(utf8(await sign(first.signer, log.checkpoint(12), 0)), log.proof(0, 12));
    await expect(second.signer.signBatch(batch)).rejects.toMatchObject({ reason: 'unconfirmed' });
    time += 2000;
    const again = await sign(second.signer, log.checkpoint(12), 12);
    await second.signer.witnessed(await cosigned(again, log.checkpoint(12)), true);
    expect((await second.signer.signBatch(batch)).entries).toHaveLength(1);
  });

  it('signs no growth on a confirmation that is minutes old: the other one may have gone on', async () => {
    const [first, second] = [begin(), begin()];
    const confirmed = await cosigned(await sign(first.signer, log.checkpoint(12), 0), log.checkpoint(12));
    await first.signer.witnessed(confirmed, true);
    await second.signer.follow(confirmed, log.proof(0, 12));
    time += 122_000;
    await expect(first.signer.signCheckpoint(other.checkpoint(20), [])).rejects.toMatchObject({
      reason: 'fork',
    });
    await expect(first.signer.signCheckpoint(log.checkpoint(20), log.proof(12, 20))).rejects.toMatchObject({
      reason: 'unconfirmed',
    });
    const again = await sign(first.signer, log.checkpoint(12), 12);
    await first.signer.witnessed(await cosigned(again, log.checkpoint(12)), true);
    await sign(first.signer, log.checkpoint(20), 12);
  });

  it('signs nothing below it any more', async () => {
    const [first, second] = [begin(), begin()];
    const note = await sign(first.signer, log.checkpoint(12), 0);
    await second.signer.follow(utf8(note), log.proof(0, 12));
    const batch = { records: [licenseToSign()], index: 11, publishBy: at };
    await expect(second.signer.signBatch(batch)).rejects.toMatchObject({ reason: 'rollback' });
    await expect(second.signer.signCheckpoint(log.checkpoint(11), [])).rejects.toMatchObject({
      reason: 'rollback',
    });
  });

  it('does not go back for an older one', async () => {
    const [first, second] = [begin(), begin()];
    const old = await sign(first.signer, log.checkpoint(5), 0);
    await second.signer.follow(utf8(await sign(first.signer, log.checkpoint(12), 5)), log.proof(0, 12));
    await second.signer.follow(utf8(old), []);
    expect(second.signer.describe().mark.size).toBe(12);
  });

  const refusals: [string, object, (first: Started, second: Started) => Promise<void>][] = [
    [
      'of another history',
      { reason: 'fork' },
      async (_first, { signer }) => {
        await sign(signer, log.checkpoint(8), 0);
        const forged = await begin().signer.signCheckpoint(other.checkpoint(8), []);
        await signer.follow(utf8(noteOf(other.checkpoint(8), forged)), []);
      },
    ],
    [
      'that does not continue its mark',
      { reason: 'fork' },
      async (first, { signer }) => {
        await sign(signer, log.checkpoint(8), 0);
        const note = noteOf(
          other.checkpoint(12),
          await first.signer.signCheckpoint(other.checkpoint(12), []),
        );
        await signer.follow(utf8(note), other.proof(8, 12));
      },
    ],
    [
      'without the proof',
      { reason: 'fork' },
      async (first, { signer }) => {
        await sign(signer, log.checkpoint(8), 0);
        await signer.follow(utf8(await sign(first.signer, log.checkpoint(12), 0)), []);
      },
    ],
    [
      'that the log did not sign',
      { code: 'LOG_SIGNATURE_INVALID' },
      async (_first, { signer }) => {
        const strange = begin(
          true,
          keySpecs().map((spec) => new SigningKey(spec)),
        );
        await signer.follow(utf8(await sign(strange.signer, log.checkpoint(12), 0)), log.proof(0, 12));
      },
    ],
    [
      'where its log is not shared',
      { reason: 'not_shared' },
      async (first) => {
        const alone = begin(false);
        await alone.signer.follow(utf8(await sign(first.signer, log.checkpoint(12), 0)), log.proof(0, 12));
      },
    ],
  ];
  it.each(refusals)('refuses one %s, and stays where it is', async (_case, error, act) => {
    const [first, second] = [begin(), begin()];
    await expect(act(first, second)).rejects.toMatchObject(error);
    expect(second.signer.describe().mark.size).toBeLessThanOrEqual(8);
  });

  it('writes one line of it, however long it follows, and is where it was after a restart', async () => {
    const [first, second] = [begin(), begin()];
    for (let size = 1; size <= 10; size++) {
      const note = await sign(first.signer, log.checkpoint(size), size - 1);
      await second.signer.follow(utf8(note), log.proof(size - 1, size));
    }
    await second.journal[Symbol.asyncDispose]();
    const ops = linesOf(second.journalFile);
    expect(ops.filter((op) => op === 'followed')).toHaveLength(1);
    const again = Journal.open(second.journalFile, second.mark, () => time);
    await again[Symbol.asyncDispose]();
    expect(second.mark.checkpoint.size).toBe(10);
  });

  it('does not stand further than its journal says, when it ends in between', async () => {
    const [first, second] = [begin(), begin()];
    const note = utf8(await sign(first.signer, log.checkpoint(12), 0));
    await second.journal[Symbol.asyncDispose]();
    await expect(second.signer.follow(note, log.proof(0, 12))).rejects.toThrow('could not be made durable');
    expect(second.mark.checkpoint.size).toBe(0);
  });

  it('signs no records of before once its journal says so', async () => {
    const [first, second] = [begin(), begin()];
    const note = utf8(await sign(first.signer, log.checkpoint(12), 0));
    const following = second.signer.follow(note, log.proof(0, 12));
    const batch = { records: [licenseToSign()], index: 0, publishBy: at };
    const next = (): Promise<string> => new Promise((resolve) => setImmediate(resolve, 'asks on'));
    do await second.signer.signBatch(batch).catch(() => null);
    while ((await Promise.race([following.then(() => 'is there'), next()])) === 'asks on');
    await second.journal[Symbol.asyncDispose]();
    const ops = linesOf(second.journalFile);
    expect(ops).toContain('batch');
    expect(ops.lastIndexOf('batch')).toBeLessThan(ops.indexOf('followed'));
  });
});
