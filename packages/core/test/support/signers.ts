/**
 * Keys and signatures for tests, written from the standards and not with the code under test: an
 * encoder that shared a mistake with its parser would prove nothing. Everything is derived from names,
 * so the same world has the same bytes on every machine.
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';

export interface Signer {
  alg: 'ed25519' | 'ml-dsa-44';
  key: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

const pkcs8Ed25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

export function digest(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export function b64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function ed25519Signer(name: string): Signer {
  const seed = digest(`seed of ${name}`);
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Ed25519, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    alg: 'ed25519',
    key: new Uint8Array(spki.subarray(-32)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

/** Deterministic, unlike the signatures of node:crypto, so that vectors can be made again. */
export function mlDsaSigner(name: string): Signer {
  const { publicKey, secretKey } = ml_dsa44.keygen(digest(`seed of ${name}`));
  return {
    alg: 'ml-dsa-44',
    key: publicKey,
    sign: (message) => ml_dsa44.sign(message, secretKey, { extraEntropy: false }),
  };
}

export function fingerprint(signer: Pick<Signer, 'alg' | 'key'>): Uint8Array {
  return digest(signer.alg, '\0', signer.key);
}

/** A DSSE envelope over `payload`, with a signature by each of `signers`. */
export function dsse(payloadType: string, payload: Uint8Array, signers: readonly Signer[]): Uint8Array {
  const message = Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `),
    payload,
  ]);
  const signatures = signers.map((signer) => ({
    keyid: Buffer.from(fingerprint(signer)).toString('hex').slice(0, 16),
    sig: b64(signer.sign(message)),
  }));
  return bytesOf(JSON.stringify({ payload: b64(payload), payloadType, signatures }));
}

/** A party that signs notes. Type 1 is a log's Ed25519, 4 and 6 are cosignatures. */
export interface NoteSigner {
  name: string;
  type: 1 | 4 | 6;
  signer: Signer;
}

function noteId({ name, type, signer }: NoteSigner): Uint8Array {
  return digest(`${name}\n`, Uint8Array.of(type), signer.key).slice(0, 4);
}

export function vkeyOf(party: NoteSigner): string {
  const id = Buffer.from(noteId(party)).toString('hex');
  return `${party.name}+${id}+${b64(Buffer.concat([Uint8Array.of(party.type), party.signer.key]))}`;
}

/** A note line, with its line feed, over the checkpoint `text`. */
export function noteLine(party: NoteSigner, text: string, seconds = 0): string {
  const signature = party.type === 1 ? party.signer.sign(bytesOf(text)) : cosignature(party, text, seconds);
  return `\u2014 ${party.name} ${b64(Buffer.concat([noteId(party), signature]))}\n`;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** `timestamped_signature` of tlog-cosignature. */
function cosignature(party: NoteSigner, text: string, seconds: number): Uint8Array {
  if (party.type === 4) {
    const message = bytesOf(`cosignature/v1\ntime ${seconds}\n${text}`);
    return Buffer.concat([uint64(seconds), party.signer.sign(message)]);
  }
  const [origin = '', size = '', root = ''] = text.split('\n');
  const message = Buffer.concat([
    Buffer.from('subtree/v1\n\0'),
    Uint8Array.of(Buffer.byteLength(party.name)),
    Buffer.from(party.name),
    uint64(seconds),
    Uint8Array.of(Buffer.byteLength(origin)),
    Buffer.from(origin),
    uint64(0),
    uint64(Number(size)),
    Buffer.from(root, 'base64'),
  ]);
  return Buffer.concat([uint64(seconds), party.signer.sign(message)]);
}
