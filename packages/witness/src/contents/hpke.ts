/**
 * HPKE (RFC 9180) as far as a batch needs it: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export only. Node has
 * the curve and the hash; a library for the rest would be the first package of others that a witness depends on. A test holds it
 * against one.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { concatBytes, utf8 } from '@tallystick/core';

const hashLength = 32;
/** DER up to the raw key: RFC 8410. */
const spkiPrefix = Buffer.from('302a300506032b656e032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');

const version = utf8('HPKE-v1');
const kemSuite = concatBytes(utf8('KEM'), Uint8Array.of(0x00, 0x20));
const suite = concatBytes(utf8('HPKE'), Uint8Array.of(0x00, 0x20, 0x00, 0x01, 0xff, 0xff));
const empty = new Uint8Array(0);

/** A key of 32 bytes for `exporterContext`, and `enc`, from which the recipient gets it. Throws for a key of small order. */
export function exportTo(
  recipient: Uint8Array,
  info: Uint8Array,
  exporterContext: Uint8Array,
): { key: Uint8Array; enc: Uint8Array } {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const enc = rawPublicKey(publicKey);
  const shared = diffieHellman({ privateKey, publicKey: publicKeyOf(recipient) });
  return { key: exported(shared, concatBytes(enc, recipient), info, exporterContext), enc };
}

/** The same key, from what it came with. Throws where `enc` is of small order. */
export function exportFrom(
  enc: Uint8Array,
  privateRaw: Uint8Array,
  info: Uint8Array,
  exporterContext: Uint8Array,
): Uint8Array {
  const privateKey = privateKeyOf(privateRaw);
  const recipient = rawPublicKey(createPublicKey(privateKey));
  const shared = diffieHellman({ privateKey, publicKey: publicKeyOf(enc) });
  return exported(shared, concatBytes(enc, recipient), info, exporterContext);
}

/** @param raw 32 bytes */
export function privateKeyOf(raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, raw]), format: 'der', type: 'pkcs8' });
}

export function rawPublicKey(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ type: 'spki', format: 'der' }).subarray(-hashLength));
}

function publicKeyOf(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' });
}

/** §4.1 ExtractAndExpand, §5.1 KeySchedule without a pre-shared key, §5.3 Export. */
function exported(
  dh: Uint8Array,
  kemContext: Uint8Array,
  info: Uint8Array,
  exporterContext: Uint8Array,
): Uint8Array {
  const prk = labeledExtract(kemSuite, empty, 'eae_prk', dh);
  const shared = labeledExpand(kemSuite, prk, 'shared_secret', kemContext);
  const context = concatBytes(
    Uint8Array.of(0),
    labeledExtract(suite, empty, 'psk_id_hash', empty),
    labeledExtract(suite, empty, 'info_hash', info),
  );
  const secret = labeledExtract(suite, shared, 'secret', empty);
  const exporterSecret = labeledExpand(suite, secret, 'exp', context);
  return labeledExpand(suite, exporterSecret, 'sec', exporterContext);
}

function labeledExtract(of: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return hmac(salt, concatBytes(version, of, utf8(label), ikm));
}

/** To 32 bytes, which is one block. */
function labeledExpand(of: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array): Uint8Array {
  const length = Uint8Array.of(0, hashLength);
  return hmac(prk, concatBytes(length, version, of, utf8(label), info, Uint8Array.of(1)));
}

function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac('sha256', key).update(message).digest());
}
