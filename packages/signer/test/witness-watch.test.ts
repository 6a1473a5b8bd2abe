/** Attacks with a mark that was put back, and clocks that went wrong. */
import { join } from 'node:path';
import { type Checkpoint, formatCheckpoint, formatNote, utf8 } from '@tallystick/core';
import { LocalCosigners } from '@tallystick/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { SigningKey } from '../src/keystore/signing-key.ts';
import { Mark } from '../src/mark.ts';
import type { Signer } from '../src/signer.ts';
import { scratchDirectory } from './support/scratch.ts';
import {
  at,
  GrowingLog,
  keySpecs,
  knowKeys,
  licenseToSign,
  origin,
  record,
  signerOn,
} from './support/signing.ts';
import { TestTrust } from './support/trust.ts';

const log = new GrowingLog(40);
const other = new GrowingLog(40, 'other');
const start = Date.parse(at);
/** A key is stolen, and the brake is to say so. */
const brakeBatch = () => ({
  ...batch,
  records: [{ record: record('brake.updated', { rev: 1, prev: new Uint8Array(32) }), content: null }],
});
const batch = { records: [licenseToSign()], index: 39, publishBy: at };

let keys: SigningKey[];
let cosigners: LocalCosigners;
let trust: TestTrust;
let alarms: string[];
/** Milliseconds; what is true, and what the signer's clock adds to it. */
let time: number;
let error: number;
let slept: number;

beforeEach(() => {
  keys = keySpecs().map((spec) => new SigningKey(spec));
  cosigners = new LocalCosigners(() => time);
  trust = new TestTrust({ logKey: keys[0]!.publicKey, quorum: cosigners.quorum });
  alarms = [];
  time = start;
  error = 0;
  slept = 0;
});

function newMark(): Mark {
  const file = join(scratchDirectory(), 'mark.db');
  Mark.create(file, origin);
  const mark = Mark.open(file, origin);
  knowKeys(mark, keys);
  return mark;
}

function startOn(mark: Mark): Signer {
  const clock = { now: () => time + error, monotonic: () => time - start - slept };
  return signerOn(mark, keys, { clock, trust, report: (message) => alarms.push(message) });
}

/** Has a checkpoint signed and cosigned; the note as it is published. */
async function publish(signer: Signer, checkpoint: Checkpoint, from: number): Promise<Uint8Array> {
  const proof = from === checkpoint.size ? [] : log.proof(from, checkpoint.size);
  const own = await signer.signCheckpoint(checkpoint, proof);
  const text = formatCheckpoint(checkpoint);
  const lines = await cosigners.cosign(formatNote({ text, signatures: own }), checkpoint.size, (oldSize) =>
    log.proof(oldSize, checkpoint.size),
  );
  return utf8(formatNote({ text, signatures: [...own, ...lines] }));
}

async function publishAndShow(signer: Signer, size: number, from: number): Promise<Uint8Array> {
  const note = await publish(signer, log.checkpoint(size), from);
  await signer.witnessed(note, true);
  return note;
}

const refused = (reason: string): unknown => expect.objectContaining({ name: 'SignerRefusal', reason });

describe('a signer that starts on a mark that is not empty', () => {
  it('signs no growth before a quorum has cosigned that mark since the start', async () => {
    const mark = newMark();
    const before = await publishAndShow(startOn(mark), 10, 0);
    time += 1000;
    const signer = startOn(mark);
    const grow = () => signer.signCheckpoint(log.checkpoint(12), log.proof(10, 12));
    await expect(grow()).rejects.toEqual(refused('unconfirmed'));
    // What was cosigned before it started may be all that an attacker has kept.
    await signer.witnessed(before, true);
    await expect(grow()).rejects.toEqual(refused('unconfirmed'));
    await publishAndShow(signer, 10, 10);
    await expect(grow()).resolves.toHaveLength(1);
  });

  it('that was put back signs no second history, though mark and database fit each other', async () => {
    const put = newMark();
    put.advance(log.checkpoint(10), null);
    await publishAndShow(startOn(newMark()), 20, 0);
    const signer = startOn(put);
    // The cosigners know more, so nobody gets a fresh cosignature for the old state.
    await expect(publish(signer, log.checkpoint(10), 10)).rejects.toThrow(/has seen 20 entries/);
    await expect(signer.signCheckpoint(other.checkpoint(20), other.proof(10, 20))).rejects.toBeDefined();
    expect(put.checkpoint.size).toBe(10);
  });

  it('that was put back signs nothing at all once it is shown what was published', async () => {
    const note = await publishAndShow(startOn(newMark()), 20, 0);
    const put = newMark();
    put.advance(log.checkpoint(10), null);
    const signer = startOn(put);
    await expect(signer.witnessed(note, true)).rejects.toEqual(refused('mark_behind'));
    await expect(signer.signCheckpoint(log.checkpoint(10), [])).rejects.toEqual(refused('mark_behind'));
    await expect(signer.signBatch(batch)).rejects.toEqual(refused('mark_behind'));
  });

  it('with another history of the same size than what was published signs nothing', async () => {
    const note = await publishAndShow(startOn(newMark()), 20, 0);
    const forked = newMark();
    forked.advance(other.checkpoint(20), null);
    await expect(startOn(forked).witnessed(note, true)).rejects.toEqual(refused('mark_behind'));
  });
});

describe('cosigners that were replaced', () => {
  it('confirm nothing any more once their successors were heard alone, also with an old mark', async () => {
    const mark = newMark();
    const signer = startOn(mark);
    await publishAndShow(signer, 10, 0);
    const former = cosigners;
    cosigners = new LocalCosigners(() => time);
    const second = trust.next(trust.root, { quorum: cosigners.quorum });
    await signer.adoptTrustRoot([trust.root, second]);
    await publishAndShow(signer, 20, 10);
    time += 400 * 86_400_000;
    // Whoever has their keys, and a copy of the mark, has the rest of what the signer remembers as it is.
    mark.advance(log.checkpoint(20), null);
    const again = startOn(mark);
    cosigners = former;
    const stale = await publish(again, log.checkpoint(20), 20);
    await expect(again.witnessed(stale, true)).rejects.toEqual(refused('no_quorum'));
    await expect(again.signCheckpoint(log.checkpoint(22), log.proof(20, 22))).rejects.toEqual(
      refused('unconfirmed'),
    );
  });
});

describe('what a signer is shown', () => {
  it.each([
    [
      'with a cosigner less than a quorum',
      (lines: string[]) => lines.filter((line) => !/replayer/.test(line)),
    ],
    ['without the signature of the log', (lines: string[]) => lines.filter((line) => !/— tally/.test(line))],
    ['with a cosignature that was changed', (lines: string[]) => lines.map(spoil)],
  ])('%s is refused and confirms nothing', async (_what, change) => {
    const mark = newMark();
    await publishAndShow(startOn(mark), 10, 0);
    const signer = startOn(mark);
    const note = Buffer.from(await publish(signer, log.checkpoint(10), 10)).toString('utf8');
    const changed = utf8(change(note.split('\n')).join('\n'));
    await expect(signer.witnessed(changed, true)).rejects.toEqual(refused('no_quorum'));
    await expect(signer.signCheckpoint(log.checkpoint(12), log.proof(10, 12))).rejects.toEqual(
      refused('unconfirmed'),
    );
  });

  it.each([[''], ['nothing of the kind'], ['tally.example/log\n12\n']])(
    'as %j is malformed',
    async (text) => {
      await expect(startOn(newMark()).witnessed(utf8(text), true)).rejects.toMatchObject({
        code: 'MALFORMED',
      });
    },
  );
});

/** Another last character before the padding of a witness' line. */
function spoil(line: string): string {
  if (!/— witness/.test(line)) return line;
  const place = line.length - 6;
  return `${line.slice(0, place)}${line[place] === 'A' ? 'B' : 'A'}${line.slice(place + 1)}`;
}

describe("a signer's clock", () => {
  it.each([
    ['right', 0, 0, true],
    ['two seconds slow', -2000, 1, true],
    ['six seconds slow', -7000, 1, false],
    ['a day slow', -86_400_000, 1, false],
    ['three seconds fast', 3000, 1, true],
    ['seven seconds fast', 7000, 1, false],
    ['a day fast', 86_400_000, 1, false],
  ])('that is %s', async (_what, wrong, alarmed, signs) => {
    error = wrong;
    const signer = startOn(newMark());
    await publishAndShow(signer, 10, 0);
    expect(alarms).toHaveLength(alarmed);
    const growth = signer.signCheckpoint(log.checkpoint(12), log.proof(10, 12));
    const asked = signer.signBatch(batch);
    if (signs) await Promise.all([asked, growth]);
    else {
      await expect(asked).rejects.toEqual(refused('clock'));
      await expect(growth).rejects.toEqual(refused('clock'));
      await expect(signer.signBatch(brakeBatch())).rejects.toEqual(refused('clock'));
    }
    expect(signer.clockProblem() === null).toBe(signs);
  });

  it.each([7000, -7000, 86_400_000])(
    'that is set wrong by %i ms lets nothing be signed from that moment on, but what is signed already',
    async (wrong) => {
      const mark = newMark();
      const signer = startOn(mark);
      await publishAndShow(signer, 10, 0);
      error = wrong;
      const grow = () => signer.signCheckpoint(log.checkpoint(12), log.proof(10, 12));
      await expect(grow()).rejects.toEqual(refused('clock'));
      await expect(signer.signBatch(batch)).rejects.toEqual(refused('clock'));
      expect(mark.checkpoint.size).toBe(10);
      await publishAndShow(signer, 10, 10);
      await expect(grow()).rejects.toEqual(refused('clock'));
      error = 0;
      await expect(grow()).resolves.toHaveLength(1);
    },
  );

  it('that is ahead is not taken for right because the same checkpoint is cosigned again and again', async () => {
    error = 20_000;
    const signer = startOn(newMark());
    await publishAndShow(signer, 10, 0);
    for (let count = 0; count < 5; count++) {
      time += 10_000;
      await publishAndShow(signer, 10, 10);
      await expect(signer.signBatch(batch)).rejects.toEqual(refused('clock'));
    }
  });

  it('that is right again after the host slept is known by what is cosigned next', async () => {
    const signer = startOn(newMark());
    await publishAndShow(signer, 10, 0);
    // What only runs stood still meanwhile.
    slept = 3_600_000;
    time += slept;
    const grow = () => signer.signCheckpoint(log.checkpoint(12), log.proof(10, 12));
    await expect(grow()).rejects.toEqual(refused('clock'));
    await publishAndShow(signer, 10, 10);
    await expect(grow()).resolves.toHaveLength(1);
  });

  it('that is right signs no record from the future, which no replayer would take', async () => {
    const signer = startOn(newMark());
    await publishAndShow(signer, 10, 0);
    const said = (ms: number) => ({
      ...batch,
      records: [licenseToSign({}, { at: new Date(start + ms).toISOString() })],
    });
    await expect(signer.signBatch(said(300_000))).resolves.toBeDefined();
    await expect(signer.signBatch(said(300_001))).rejects.toEqual(refused('clock'));
  });

  it('is not taken for wrong because somebody was slow to show what was cosigned', async () => {
    const signer = startOn(newMark());
    const note = await publish(signer, log.checkpoint(10), 0);
    time += 3_600_000;
    await signer.witnessed(note, true);
    expect(alarms).toEqual([]);
    await expect(signer.signBatch(batch)).resolves.toBeDefined();
  });

  it('that is put right lets it sign again, by what is cosigned next', async () => {
    error = 60_000;
    const signer = startOn(newMark());
    await publishAndShow(signer, 10, 0);
    await expect(signer.signBatch(batch)).rejects.toEqual(refused('clock'));
    error = 0;
    time += 1000;
    await publishAndShow(signer, 10, 10);
    await expect(signer.signBatch(batch)).resolves.toBeDefined();
    expect(alarms).toHaveLength(1);
  });

  it('is held against the middle of what the cosigners say, not against one of them', async () => {
    cosigners.witnesses[0]!.skew = 3600;
    const signer = startOn(newMark());
    await publishAndShow(signer, 10, 0);
    expect(alarms).toEqual([]);
  });
});
