/**
 * Sealing documents for a mirror: HPKE (RFC 9180) in base mode, export only, gives each batch a key of its own; each part
 * is compressed and encrypted by itself with AES-256-GCM, so that one can be removed without the others.
 *
 *     key   = Export("tallystick/contents/v1/parts", 32) of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256
 *     info  = "tallystick/contents/v1" || 00 || genesis
 *     nonce = u32be(kind) || u64be(index)
 *
 * The nonce never comes twice: a batch has at most one part of a kind for an index, and its key is used for nothing else.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { concatBytes, hashDomain, u64be, utf8 } from '@tallystick/core';
import type { ContentKey, ContentPublicKey } from './content-key.ts';
import { dictionary } from './dictionary.ts';
import { exportFrom, exportTo } from './hpke.ts';

/** A part that does not open: it was altered, or sealed to another key or for another log. */
export class Unsealable extends Error {
  override readonly name = 'Unsealable';
}

const infoDomain = hashDomain('tallystick/contents/v1');
const exporterContext = utf8('tallystick/contents/v1/parts');
const tagLength = 16;
/** Bytes of a part once it is opened: above the largest document, companion and signed request of a cause. */
const partLengthMax = 4 * 1024 * 1024;

/** Parts are short: small buffers save most of the time. */
const deflating = { level: 1, dictionary, windowBits: 13, memLevel: 6 } as const;
const inflating = { dictionary, chunkSize: 2048, maxOutputLength: partLengthMax } as const;

/** The key of a new batch, and `enc`, from which whoever has the private key gets it. */
export function newBatchKey(
  { raw }: ContentPublicKey,
  genesis: Uint8Array,
): { key: KeyObject; enc: Uint8Array } {
  const { key, enc } = exportTo(raw, concatBytes(infoDomain, genesis), exporterContext);
  return { key: createSecretKey(key), enc };
}

/** The key of a batch that was sealed to us. Throws Unsealable where `enc` is no key at all. */
export function batchKeyOf(enc: Uint8Array, { privateRaw }: ContentKey, genesis: Uint8Array): KeyObject {
  try {
    return createSecretKey(exportFrom(enc, privateRaw, concatBytes(infoDomain, genesis), exporterContext));
  } catch (error) {
    throw new Unsealable('the batch has no key that can be opened', { cause: error });
  }
}

export function sealPart(key: KeyObject, kind: number, index: number, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(kind, index));
  const compressed = deflateRawSync(plain, deflating);
  return new Uint8Array(Buffer.concat([cipher.update(compressed), cipher.final(), cipher.getAuthTag()]));
}

/** Throws Unsealable. */
export function openPart(key: KeyObject, kind: number, index: number, sealed: Uint8Array): Uint8Array {
  try {
    const end = sealed.length - tagLength;
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(kind, index), { authTagLength: tagLength });
    decipher.setAuthTag(sealed.subarray(end));
    const compressed = Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
    return new Uint8Array(inflateRawSync(compressed, inflating));
  } catch (error) {
    throw new Unsealable('the part does not open with this content key', { cause: error });
  }
}

function nonceOf(kind: number, index: number): Uint8Array {
  const nonce = new Uint8Array(12);
  nonce[3] = kind;
  nonce.set(u64be(index), 4);
  return nonce;
}
