/** Public keys: their algorithms, their names, and the ones that nobody may use. */
import { type SignatureAlgorithm, verifySignature } from '#platform';
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { concatBytes, hex, utf8 } from '../encoding/bytes.ts';
import { asString, closedMembers, type JsonValue } from '../encoding/json.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { sha256 } from '../hash.ts';

export type KeyAlgorithm = SignatureAlgorithm;

export interface PublicKey {
  alg: KeyAlgorithm;
  /** Raw: 32 bytes, 1,312 bytes, or an uncompressed point of 65 bytes. */
  key: Uint8Array;
}

const keyLength: Record<KeyAlgorithm, number> = { ed25519: 32, 'ml-dsa-44': 1312, 'ecdsa-p256-sha256': 65 };
const signatureLength: Record<KeyAlgorithm, number> = {
  ed25519: 64,
  'ml-dsa-44': 2420,
  'ecdsa-p256-sha256': 64,
};

export function isKeyAlgorithm(text: string): text is KeyAlgorithm {
  return Object.hasOwn(keyLength, text);
}

/**
 * Little-endian y coordinates, sign bit cleared, of the points of order 1, 2, 4 and 8. A key of
 * small order has signatures that hold for many messages.
 */
const smallOrderY = new Set([
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

/** Throws MALFORMED for a key of the wrong length, of small order or not canonically encoded. */
export function checkPublicKey(alg: KeyAlgorithm, key: Uint8Array): void {
  if (key.length !== keyLength[alg]) throw malformed(`${alg} key of ${key.length} bytes`);
  if (alg === 'ecdsa-p256-sha256' && key[0] !== 4) throw malformed('P-256 key is not an uncompressed point');
  if (alg !== 'ed25519' || !isSuspect(key)) return;
  const y = withoutSign(key);
  const isAboveField =
    y[31] === 0x7f && (y[0] as number) >= 0xed && y.subarray(1, 31).every((b) => b === 0xff);
  if (isAboveField) throw malformed('Ed25519 key is not canonical');
  if (smallOrderY.has(hex(y))) throw malformed('Ed25519 key of small order');
}

/** The y coordinate of an encoded point: a copy, since a Buffer's `slice` is a view. */
function withoutSign(point: Uint8Array): Uint8Array {
  const y = new Uint8Array(point);
  y[31] = (y[31] as number) & 0x7f;
  return y;
}

/** `H(alg || 00 || raw key)`: how namespaces and brakes name a key. */
export function keyFingerprint(key: PublicKey): Uint8Array {
  return namesOf(key).fingerprint;
}

/** The fingerprint in base64, as namespaces and brakes print it. */
export function keyFingerprintText(key: PublicKey): string {
  return namesOf(key).text;
}

/** The first 16 hexadecimal digits of the fingerprint: DSSE's hint of which key signed. */
export function keyIdOf(key: PublicKey): string {
  return namesOf(key).id;
}

interface KeyNames {
  fingerprint: Uint8Array;
  text: string;
  id: string;
}

const fingerprintPrefix: Record<KeyAlgorithm, Uint8Array> = {
  ed25519: utf8('ed25519\0'),
  'ml-dsa-44': utf8('ml-dsa-44\0'),
  'ecdsa-p256-sha256': utf8('ecdsa-p256-sha256\0'),
};

/** One verification asks for the names of a key a dozen times. */
const keyNames = new WeakMap<PublicKey, KeyNames>();

function namesOf(key: PublicKey): KeyNames {
  const known = keyNames.get(key);
  if (known !== undefined) return known;
  const fingerprint = sha256(concatBytes(fingerprintPrefix[key.alg], key.key));
  const names = { fingerprint, text: base64(fingerprint), id: hex(fingerprint.subarray(0, 8)) };
  keyNames.set(key, names);
  return names;
}

/** `{"alg","key"}` */
export function parsePublicKey(value: JsonValue | undefined, what: string): PublicKey {
  const { alg, key } = closedMembers(value, ['alg', 'key'], what);
  const name = asString(alg, `${what}.alg`);
  if (!isKeyAlgorithm(name)) throw new IntegrityError('TOO_NEW', `${what}: algorithm ${name}`);
  const raw = decodeBase64(asString(key, `${what}.key`));
  checkPublicKey(name, raw);
  return { alg: name, key: raw };
}

export function publicKeyJson(key: PublicKey): { alg: string; key: string } {
  return { alg: key.alg, key: base64(key.key) };
}

/** Four of 128 last bytes can belong to a point of small order or off the field: the others skip the look-up. */
function isSuspect(point: Uint8Array): boolean {
  const last = (point[31] as number) & 0x7f;
  return last === 0 || last === 0x7f || last === 0x05 || last === 0x7a;
}

/** True where `signature` over `message` is by `key`. Strict: RFC 8032 without ZIP-215 for Ed25519. */
export function isSignedBy(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean | Promise<boolean> {
  if (signature.length !== signatureLength[key.alg]) return false;
  // Libraries disagree on an R of small order, and no honest signer makes one.
  if (
    key.alg === 'ed25519' &&
    isSuspect(signature) &&
    smallOrderY.has(hex(withoutSign(signature.subarray(0, 32))))
  ) {
    return false;
  }
  return verifySignature(key.alg, key.key, message, signature);
}
