import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  base64,
  checkCosignature,
  formatCheckpoint,
  parseCheckpointText,
  parsePolicy,
  parseSignedCheckpoint,
  parseTlogProof,
  parseVerifierKey,
  verifyLogSignatures,
  verifyQuorum,
} from '../src/index.ts';
import {
  b64,
  bytesOf,
  digest,
  ed25519Signer,
  mlDsaSigner,
  type NoteSigner,
  noteLine,
  type Signer,
  vkeyOf,
} from './support/signers.ts';

const malformed: unknown = expect.objectContaining({ code: 'MALFORMED' });
const root = digest('root');
const emptyRoot = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
const text = `log.example\n7\n${b64(root)}\n`;
const note = (...lines: string[]) => parseSignedCheckpoint(bytesOf(`${text}\n${lines.join('')}`));

/** A key of node:crypto's own making, with its hedged signatures. */
function nativeMlDsa(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ml-dsa-44');
  const key = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-1312));
  return { alg: 'ml-dsa-44', key, sign: (message) => new Uint8Array(sign(null, message, privateKey)) };
}

describe('the text of a checkpoint', () => {
  it.each([0, 1, 2 ** 32, 2 ** 53 - 1])('comes back for size %i', (size) => {
    const checkpoint = { origin: 'log.example/x', size, root: size === 0 ? digest('') : root };
    expect(parseCheckpointText(formatCheckpoint(checkpoint))).toEqual(checkpoint);
  });

  it.each([
    ['an extension line', `${text}extension\n`],
    ['a blank extension line', `${text}\n`],
    ['two lines', 'log.example\n7\n'],
    ['no final line feed', text.slice(0, -1)],
    ['a size with a zero in front', text.replace('\n7', '\n07')],
    ['size -1', text.replace('\n7', '\n-1')],
    ['size 2^53', text.replace('\n7', '\n9007199254740992')],
    ['size 2^64', text.replace('\n7', '\n18446744073709551616')],
    ['size 0 with another root', text.replace('\n7', '\n0')],
    ['a root of 31 bytes', `log.example\n7\n${b64(root.slice(1))}\n`],
    ['a loose root', text.replace('=\n', '\n')],
    ['an empty origin', text.replace('log.example', '')],
    ['a space in the origin', text.replace('.', ' ')],
    ['a no-break space in the origin', text.replace('.', '\u00a0')],
    ['a plus in the origin', text.replace('.', '+')],
    ['a space before the size', text.replace('\n7', '\n 7')],
  ])('is refused with %s', (_, bad) => {
    expect(() => parseCheckpointText(bad)).toThrow(malformed);
  });

  it('has the root of nothing at size 0', () => {
    expect(parseCheckpointText(`log.example\n0\n${emptyRoot}\n`).size).toBe(0);
  });
});

const log: NoteSigner = { name: 'log.example', type: 1, signer: ed25519Signer('log') };
const logPq: NoteSigner = { name: 'log.example', type: 6, signer: nativeMlDsa() };
const other: NoteSigner = { name: 'log.example', type: 1, signer: ed25519Signer('other log') };
const keys = [log, logPq].map((party) => parseVerifierKey(vkeyOf(party)));
const wrong = (party: NoteSigner): string => noteLine(party, text.replace('7', '8'));

describe('log signatures', () => {
  it('hold where every known key signed, whatever strangers did', async () => {
    await verifyLogSignatures(note(wrong(other), noteLine(log, text), noteLine(logPq, text)), keys);
    await verifyLogSignatures(note(noteLine(log, text)), keys.slice(0, 1));
    await verifyLogSignatures(note(noteLine(logPq, text, 1234)), keys.slice(1));
  });

  it.each([
    ['the Ed25519 key is missing', [noteLine(logPq, text)]],
    ['the ML-DSA-44 key is missing', [noteLine(log, text)]],
    ['a known key signed well and badly', [noteLine(log, text), noteLine(logPq, text), wrong(log)]],
    ['a known key signed badly and well', [wrong(logPq), noteLine(log, text), noteLine(logPq, text)]],
    ['only a stranger of the same name signed', [noteLine(other, text), noteLine(logPq, text)]],
    ['the ML-DSA-44 key signed another checkpoint', [noteLine(log, text), wrong(logPq)]],
    [
      'the line is a cosignature of the same key',
      [noteLine({ ...log, type: 4 }, text), noteLine(logPq, text)],
    ],
  ])('fail where %s', async (_, lines) => {
    await expect(verifyLogSignatures(note(...lines), keys)).rejects.toMatchObject({
      code: 'LOG_SIGNATURE_INVALID',
    });
  });

  it('fail for a key under another name than the origin', async () => {
    const named = { ...log, name: 'log.example/2' };
    const check = verifyLogSignatures(note(noteLine(named, text)), [parseVerifierKey(vkeyOf(named))]);
    await expect(check).rejects.toMatchObject({ code: 'LOG_SIGNATURE_INVALID' });
  });
});

const cosigners: [string, NoteSigner][] = [
  ['Ed25519', { name: 'w.example', type: 4, signer: ed25519Signer('w') }],
  ['ML-DSA-44 of node:crypto', { name: 'w.example', type: 6, signer: nativeMlDsa() }],
  ['ML-DSA-44, deterministic', { name: 'w.example', type: 6, signer: mlDsaSigner('w') }],
];

describe.each(cosigners)('a cosignature (%s)', (_, party) => {
  const vkey = parseVerifierKey(vkeyOf(party));
  const check = (...lines: string[]) => checkCosignature(note(...lines), vkey);
  const good = noteLine(party, text, 1000);

  it('says when, 0 for no time', async () => {
    expect(await check(good)).toEqual({ is: 'valid', seconds: 1000 });
    expect(await check(noteLine(party, text, 0))).toEqual({ is: 'valid', seconds: 0 });
    expect(await check(noteLine(party, text, 2 ** 53 - 1))).toEqual({ is: 'valid', seconds: 2 ** 53 - 1 });
  });

  it('counts as the newest of several, and not at all beside a bad one', async () => {
    expect(await check(noteLine(party, text, 5), good, noteLine(party, text, 7))).toEqual({
      is: 'valid',
      seconds: 1000,
    });
    expect(await check(good, noteLine(party, text.replace('7', '8'), 5))).toEqual({ is: 'invalid' });
  });

  it('is absent where others signed, also under its name', async () => {
    const stranger = { ...party, type: 4 as const, signer: ed25519Signer('stranger') };
    expect(await check(noteLine(stranger, text, 5))).toEqual({ is: 'absent' });
    expect(await check(noteLine(log, text))).toEqual({ is: 'absent' });
  });

  it('fails for another time, size, origin or name', async () => {
    const bytes = Buffer.from(good.split(' ')[2] as string, 'base64');
    const shifted = Buffer.from(bytes);
    shifted[11] = (shifted[11] as number) ^ 1;
    const line = (body: Buffer): string => `\u2014 ${party.name} ${body.toString('base64')}\n`;
    expect(await check(line(shifted))).toEqual({ is: 'invalid' });
    expect(await check(line(bytes.subarray(0, 12)))).toEqual({ is: 'invalid' });
    expect(await check(line(bytes.subarray(0, -1)))).toEqual({ is: 'invalid' });
    expect(await check(line(Buffer.concat([bytes, Buffer.alloc(1)])))).toEqual({ is: 'invalid' });
    for (const from of ['7', 'log']) {
      expect(await check(noteLine(party, text.replace(from, '9'), 1000))).toEqual({ is: 'invalid' });
    }
  });

  it('of a time above 2^53 is invalid', async () => {
    const far = Buffer.from(good.split(' ')[2] as string, 'base64').fill(0xff, 4, 12);
    expect(await check(`\u2014 ${party.name} ${far.toString('base64')}\n`)).toEqual({ is: 'invalid' });
  });
});

describe('a quorum', () => {
  const parties = ['w1', 'w2', 'r1'].map(
    (name): NoteSigner => ({ name, type: 4, signer: ed25519Signer(name) }),
  );
  const [w1, w2, r1] = parties as [NoteSigner, NoteSigner, NoteSigner];
  const lines = parties.map((party) => `witness ${party.name} ${vkeyOf(party)}\n`).join('');
  const policy = parsePolicy(`${lines}group w any w1 w2\ngroup q all w r1\nquorum q\n`);
  const line = (party: NoteSigner, seconds: number): string => noteLine(party, text, seconds);

  it.each([
    ['both groups', [line(w1, 10), line(r1, 20)], 10],
    ['the newer witness counts', [line(w1, 10), line(w2, 15), line(r1, 20)], 15],
    ['a witness from the future is held back by the replayer', [line(w1, 2 ** 40), line(r1, 20)], 20],
    ['time 0 is not needed', [line(w1, 0), line(w2, 15), line(r1, 20)], 15],
  ])('%s', async (_, signed, asOf) => {
    expect(await verifyQuorum(note(...signed), policy)).toBe(asOf);
  });

  it.each([
    ['time 0 never counts', [line(w1, 0), line(r1, 20)]],
    ['no replayer', [line(w1, 10), line(w2, 15)]],
    ['nobody', []],
    [
      'a known cosigner with a bad signature that is not needed',
      [line(w1, 10), noteLine(w2, `${text}x`, 5), line(r1, 20)],
    ],
  ])('is unmet: %s', async (_, signed) => {
    const padded = signed.length === 0 ? [noteLine(log, text)] : signed;
    await expect(verifyQuorum(note(...padded), policy)).rejects.toMatchObject({ code: 'QUORUM_UNMET' });
  });
});

describe('a tlog-proof', () => {
  const signed = `${text}\n${noteLine(log, text)}`;
  const hash = b64(root);
  const proof = `c2sp.org/tlog-proof@v1\nindex 6\n${hash}\n${hash}\n\n${signed}`;

  it('is read line by line', () => {
    const { index, path, checkpoint } = parseTlogProof(proof);
    expect([index, path.map(base64), checkpoint.size]).toEqual([6, [hash, hash], 7]);
    expect(parseTlogProof(`c2sp.org/tlog-proof@v1\nindex 0\n\n${signed}`).path).toEqual([]);
  });

  it.each([
    ['an extra line', proof.replace('index', 'extra AAAA\nindex')],
    ['another version', proof.replace('@v1', '@v2')],
    ['no index', proof.replace('index 6\n', '')],
    ['two indexes', proof.replace('index 6\n', 'index 6\nindex 6\n')],
    ['an index with a zero in front', proof.replace('index 6', 'index 06')],
    ['an index above 2^53', proof.replace('index 6', 'index 9007199254740993')],
    ['a space at the end of a line', proof.replace('index 6', 'index 6 ')],
    ['a carriage return', proof.replace('index 6\n', 'index 6\r\n')],
    ['a hash of 31 bytes', proof.replace(hash, b64(root.slice(1)))],
    ['64 hashes', proof.replace(hash, Array.from({ length: 63 }, () => hash).join('\n'))],
    ['two blank lines', proof.replace('\n\n', '\n\n\n')],
    ['no checkpoint', proof.slice(0, proof.indexOf('\n\n'))],
    ['bytes at the end', `${proof}x`],
    ['a line feed at the end', `${proof}\n`],
    ['another note at the end', `${proof}\n${signed}`],
    ['bytes in front', ` ${proof}`],
  ])('is refused with %s', (_, bad) => {
    expect(() => parseTlogProof(bad)).toThrow(malformed);
  });
});
