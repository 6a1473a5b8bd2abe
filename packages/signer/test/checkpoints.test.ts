import {
  base64,
  decodeUtf8,
  emptyRoot,
  encodeEnvelope,
  encodePromise,
  LogTree,
  leafHash,
  makeVerifierKey,
  noteSignatureType,
  payloadTypes,
  utf8,
  verifyLogSignatures,
  verifyPromise,
} from '@tallystick/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal } from '../src/journal/journal.ts';
import { Mark } from '../src/mark.ts';
import type { Signer } from '../src/signer.ts';
import {
  GrowingLog,
  keySpecs,
  licenseToSign,
  origin,
  postQuantumLogKey,
  signedCheckpoint,
  signerOn,
  signerWith,
} from './support/signing.ts';

const log = new GrowingLog(40);
const other = new GrowingLog(40, 'other');

describe('the log key', () => {
  it('signs what grows from what it signed, as a note that clients accept', async () => {
    const { signer, keys } = signerWith();
    const vkey = makeVerifierKey(origin, noteSignatureType.ed25519, keys[0]!.publicKey.key);
    let signed = 0;
    for (const size of [0, 1, 2, 7, 8, 8, 31, 40]) {
      const checkpoint = log.checkpoint(size);
      const signatures = await signer.signCheckpoint(checkpoint, log.proof(signed, size));
      await verifyLogSignatures(signedCheckpoint(checkpoint, signatures), [vkey]);
      signed = size;
    }
    expect(signer.describe().mark.size).toBe(40);
  });

  it('signs with each of its algorithms, neither of which a client does without', async () => {
    const { signer, keys } = signerWith([...keySpecs(), postQuantumLogKey()]);
    const vkeys = [
      makeVerifierKey(origin, noteSignatureType.ed25519, keys[0]!.publicKey.key),
      makeVerifierKey(origin, noteSignatureType.mlDsa44Cosignature, keys.at(-1)!.publicKey.key),
    ];
    const checkpoint = log.checkpoint(8);
    const signatures = await signer.signCheckpoint(checkpoint, []);
    const noteOf = (lines: typeof signatures) => signedCheckpoint(checkpoint, lines);
    await verifyLogSignatures(noteOf(signatures), vkeys);
    expect(signatures).toHaveLength(2);
    for (const stripped of signatures) {
      const left = noteOf(signatures.filter((line) => line !== stripped));
      await expect(verifyLogSignatures(left, vkeys)).rejects.toMatchObject({ code: 'LOG_SIGNATURE_INVALID' });
    }
    // A client from before the second key reads the same note.
    await verifyLogSignatures(noteOf(signatures), vkeys.slice(0, 1));
    const promise = { origin, index: 8, count: 1, root: emptyRoot, publishBy: '2026-03-01T13:00:00.000Z' };
    expect((await signer.signPromise(promise)).keyid).toBe(keys[0]!.keyid);
  });

  it('signs the same checkpoint again: fresh cosignatures need its line', async () => {
    const { signer } = signerWith();
    const first = await signer.signCheckpoint(log.checkpoint(8), []);
    expect(await signer.signCheckpoint(log.checkpoint(8), [])).toEqual(first);
  });

  it('has the mark on disk before the signature leaves, and refuses the same after a restart', async () => {
    const { signer, mark, keys, markFile, journalFile } = signerWith();
    await signer.signCheckpoint(log.checkpoint(20), []);
    mark[Symbol.dispose]();
    using reopened = Mark.open(markFile, origin);
    await using journal = Journal.open(journalFile, reopened, () => 0);
    const restarted = signerOn(reopened, keys, { journal });
    await expect(restarted.signCheckpoint(log.checkpoint(19), [])).rejects.toThrow(
      /had 20 entries and now has 19/,
    );
    await expect(restarted.signCheckpoint(other.checkpoint(20), [])).rejects.toThrow(/another history/);
    await expect(restarted.signCheckpoint(log.checkpoint(21), log.proof(20, 21))).rejects.toMatchObject({
      reason: 'unconfirmed',
    });
  });

  it('signs nothing when the mark cannot be moved', async () => {
    const { signer, mark } = signerWith();
    mark[Symbol.dispose]();
    await expect(signer.signCheckpoint(log.checkpoint(5), [])).rejects.toThrow();
  });

  const refusals: [string, string, (signer: Signer) => Promise<unknown>][] = [
    ['rollback', 'a smaller size', (signer) => signer.signCheckpoint(log.checkpoint(9), [])],
    ['rollback', 'the empty log', (signer) => signer.signCheckpoint(log.checkpoint(0), [])],
    ['fork', 'another root of the same size', (signer) => signer.signCheckpoint(other.checkpoint(10), [])],
    ['fork', 'a larger size without a proof', (signer) => signer.signCheckpoint(log.checkpoint(12), [])],
    [
      'fork',
      'a proof of growth from elsewhere',
      (signer) => signer.signCheckpoint(log.checkpoint(12), log.proof(9, 12)),
    ],
    [
      'fork',
      'another log that grew',
      (signer) => signer.signCheckpoint(other.checkpoint(12), other.proof(10, 12)),
    ],
    [
      'fork',
      'another log with our proof',
      (signer) => signer.signCheckpoint(other.checkpoint(12), log.proof(10, 12)),
    ],
    [
      'fork',
      'a proof that is too long',
      (signer) => signer.signCheckpoint(log.checkpoint(12), [...log.proof(10, 12), emptyRoot]),
    ],
    [
      'fork',
      'a proof beside the same size',
      (signer) => signer.signCheckpoint(log.checkpoint(10), [emptyRoot]),
    ],
    [
      'fork',
      'half a size',
      (signer) => signer.signCheckpoint({ ...log.checkpoint(12), size: 11.5 }, log.proof(10, 12)),
    ],
    [
      'fork',
      'a size that is no number',
      (signer) => signer.signCheckpoint({ ...log.checkpoint(12), size: Number.NaN }, []),
    ],
    [
      'other_log',
      'another origin',
      (signer) => signer.signCheckpoint({ ...log.checkpoint(10), origin: 'x' }, []),
    ],
  ];
  it.each(refusals)('refuses (%s) %s, and stays where it was', async (reason, _what, ask) => {
    const { signer } = signerWith();
    await signer.signCheckpoint(log.checkpoint(10), []);
    await expect(ask(signer)).rejects.toMatchObject({ name: 'SignerRefusal', reason });
    expect(signer.describe().mark.size).toBe(10);
    await signer.signCheckpoint(log.checkpoint(12), log.proof(10, 12));
  });

  it('signs one history only, whatever it is asked', async () => {
    const asked = fc.record({ fork: fc.boolean(), from: fc.nat(40), to: fc.nat(40) });
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { maxLength: 12 }), async (asks) => {
        const { signer, mark } = signerWith();
        const signed: { fork: boolean; to: number }[] = [];
        for (const { fork, from, to } of asks) {
          const source = fork ? other : log;
          try {
            await signer.signCheckpoint(source.checkpoint(to), source.proof(Math.min(from, to), to));
            signed.push({ fork, to });
          } catch (error) {
            expect(error).toMatchObject({ name: 'SignerRefusal' });
          }
        }
        mark[Symbol.dispose]();
        const sizes = signed.map(({ to }) => to);
        expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
        expect(new Set(signed.filter(({ to }) => to > 0).map(({ fork }) => fork)).size).toBeLessThanOrEqual(
          1,
        );
      }),
      { numRuns: 40 },
    );
  });
});

describe('a promise', () => {
  const leaves = ['a', 'b', 'c'].map((text) => leafHash(utf8(text)));
  const tree = new LogTree();
  for (const leaf of leaves) tree.append(leaf);
  const statement = {
    origin,
    index: 10,
    count: 3,
    root: tree.root(),
    publishBy: '2026-03-01T13:00:00.000Z',
  };

  it('is signed by the log key and verifies for each entry', async () => {
    const { signer, keys } = signerWith();
    const envelope = encodeEnvelope({
      payload: encodePromise(statement),
      payloadType: payloadTypes.promise,
      signatures: [await signer.signPromise(statement)],
    });
    for (const [nth, leaf] of leaves.entries()) {
      const path = tree.inclusionProof(nth).map(base64);
      const promise = { envelope: base64(envelope), index: 10 + nth, leaf: base64(leaf), path };
      const verified = await verifyPromise(promise, origin, [keys[0]!.publicKey]);
      expect(decodeUtf8(encodePromise(verified))).toBe(decodeUtf8(encodePromise(statement)));
    }
  });

  it('is not made for entries that a checkpoint covers already', async () => {
    const { signer } = signerWith();
    await signer.signCheckpoint(log.checkpoint(20), []);
    const batch = { records: [licenseToSign()], publishBy: statement.publishBy };
    await expect(signer.signBatch({ ...batch, index: 19 })).rejects.toMatchObject({ reason: 'rollback' });
    expect((await signer.signBatch({ ...batch, index: 20 })).entries).toHaveLength(1);
  });

  it('is refused for another log', async () => {
    const { signer } = signerWith();
    await expect(signer.signPromise({ ...statement, origin: 'x' })).rejects.toMatchObject({
      reason: 'other_log',
    });
  });

  it('is still signed when the checkpoint over it is: there may be no quorum for that yet', async () => {
    const { signer, mark } = signerWith();
    await signer.signCheckpoint(log.checkpoint(20), []);
    expect((await signer.signPromise(statement)).sig).toHaveLength(64);
    expect(mark.checkpoint.size).toBe(20);
  });
});
