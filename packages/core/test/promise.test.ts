import { describe, expect, it } from 'vitest';
import {
  encodePromise,
  type KeptPromise,
  LogTree,
  parsePromise,
  payloadTypes,
  utf8,
  verifyPromise,
} from '../src/index.ts';
import { b64, digest, dsse, ed25519Signer, type Signer } from './support/signers.ts';

const log = ed25519Signer('log');
const origin = 'log.example';
const leaves = ['a', 'b', 'c', 'd', 'e'].map((text) => digest(text));
const tree = new LogTree();
for (const leaf of leaves) tree.append(leaf);
const statement = {
  origin,
  index: 100,
  count: 5,
  root: new Uint8Array(tree.root()),
  publishBy: '2026-11-23T10:15:30.000Z',
};

function kept(
  at: number,
  changes: Partial<KeptPromise> = {},
  signer: Signer = log,
  type: string = payloadTypes.promise,
): KeptPromise {
  const envelope = b64(dsse(type, encodePromise(statement), [signer]));
  const leaf = b64(leaves[at] as Uint8Array);
  return { envelope, index: 100 + at, leaf, path: tree.inclusionProof(at).map(b64), ...changes };
}

describe('a promise', () => {
  it.each([0, 1, 2, 3, 4])('holds for entry %i of its batch', async (at) => {
    expect(await verifyPromise(kept(at), origin, [log])).toEqual(statement);
  });

  it.each<[string, string, KeptPromise]>([
    ['another leaf', 'MALFORMED', kept(1, { leaf: b64(digest('x')) })],
    ['another index', 'MALFORMED', kept(1, { index: 102 })],
    ['an index before the batch', 'MALFORMED', kept(0, { index: 99 })],
    ['an index after the batch', 'MALFORMED', kept(4, { index: 105 })],
    ['an index that is no integer', 'MALFORMED', kept(0, { index: 100.5 })],
    ['a path cut short', 'MALFORMED', kept(1, { path: kept(1).path.slice(1) })],
    ['a path too long', 'MALFORMED', kept(1, { path: [...kept(1).path, b64(digest('x'))] })],
    ['a leaf of 31 bytes', 'MALFORMED', kept(1, { leaf: b64(digest('x').slice(1)) })],
    ['an envelope that is no base64', 'MALFORMED', kept(1, { envelope: '!' })],
    ['another payload type', 'MALFORMED', kept(1, {}, log, payloadTypes.lease)],
    ['a stranger for a log', 'LOG_SIGNATURE_INVALID', kept(1, {}, ed25519Signer('stranger'))],
  ])('is refused with %s', async (_, code, promise) => {
    await expect(verifyPromise(promise, origin, [log])).rejects.toMatchObject({ code });
  });

  it('of another log is refused', async () => {
    await expect(verifyPromise(kept(1), 'other.example', [log])).rejects.toMatchObject({
      code: 'LOG_SIGNATURE_INVALID',
    });
  });

  it.each([
    ['a negative index', '"index":100', '"index":-1', 'MALFORMED'],
    ['an instant without milliseconds', '.000Z', 'Z', 'MALFORMED'],
    ['version 2', '"v":1', '"v":2', 'TOO_NEW'],
    ['an unknown member', '"v":1', '"v":1,"x":1', 'TOO_NEW'],
  ])('says nothing with %s', (_, from, to, code) => {
    const text = new TextDecoder().decode(encodePromise(statement)).replace(from, to);
    expect(() => parsePromise(utf8(text))).toThrow(expect.objectContaining({ code }));
  });
});
