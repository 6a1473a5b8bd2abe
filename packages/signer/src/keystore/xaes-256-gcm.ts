/**
 * XAES-256-GCM (C2SP): AES-256-GCM with a 192-bit nonce that may be drawn at random for ever.
 *
 * The subkey is CMAC-based (NIST SP 800-108r1 with one block of input): see c2sp.org/XAES-256-GCM,
 * whose vectors are the tests of this file.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type DecipherGCM,
  randomBytes,
} from 'node:crypto';

const nonceLength = 24;
const tagLength = 16;
const blockLength = 16;
const keyLength = 32;

/** Encrypts; returns `nonce || ciphertext || tag`. The key is 32 bytes. */
export function seal(key: Uint8Array, plaintext: Uint8Array, additionalData: Uint8Array): Uint8Array {
  return sealWithNonce(key, randomBytes(nonceLength), plaintext, additionalData);
}

/** As `seal`, with a given nonce of 24 bytes: for vectors only, a nonce must never come twice. */
export function sealWithNonce(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  additionalData: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(deriveSubkey(key, nonce)), nonce.subarray(12));
  cipher.setAAD(additionalData);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Decrypts what `seal` returned; throws where key, additional data or a byte of it is another. */
export function open(key: Uint8Array, sealed: Uint8Array, additionalData: Uint8Array): Uint8Array {
  if (sealed.length < nonceLength + tagLength) throw new Error('sealed data is cut short');
  const nonce = sealed.subarray(0, nonceLength);
  const subkey = deriveSubkey(key, nonce);
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(subkey), nonce.subarray(12), {
    authTagLength: tagLength,
  });
  decipher.setAAD(additionalData);
  decipher.setAuthTag(sealed.subarray(sealed.length - tagLength));
  const ciphertext = sealed.subarray(nonceLength, sealed.length - tagLength);
  subkey.fill(0);
  const plaintext = new Uint8Array(ciphertext.length);
  try {
    decryptInto(plaintext, decipher, ciphertext);
    decipher.final();
    return plaintext;
  } catch (error) {
    plaintext.fill(0);
    throw error;
  }
}

/**
 * Block by block, because Node decrypts into memory of its own that it leaves as it is: this way it has a block of the
 * plaintext, and never all of it.
 */
function decryptInto(plaintext: Uint8Array, decipher: DecipherGCM, ciphertext: Uint8Array): void {
  for (let at = 0; at < ciphertext.length; at += blockLength) {
    const block = decipher.update(ciphertext.subarray(at, at + blockLength));
    plaintext.set(block, at);
    block.fill(0);
  }
}

function deriveSubkey(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  if (key.length !== keyLength || nonce.length !== nonceLength)
    throw new Error('XAES-256-GCM key or nonce length');
  const k1 = doubled(encryptBlocks(key, new Uint8Array(16)));
  const blocks = new Uint8Array(32);
  for (const counter of [1, 2]) {
    const block = blocks.subarray((counter - 1) * 16, counter * 16);
    block.set([0, counter, 0x58, 0]);
    block.set(nonce.subarray(0, 12), 4);
    for (let at = 0; at < 16; at++) block[at] = (block[at] as number) ^ (k1[at] as number);
  }
  return encryptBlocks(key, blocks);
}

/** Multiplication by x in GF(2^128), as CMAC derives its first subkey. */
function doubled(block: Uint8Array): Uint8Array {
  const result = new Uint8Array(16);
  for (let at = 0; at < 16; at++) {
    result[at] = (((block[at] as number) << 1) | ((block[at + 1] ?? 0) >> 7)) & 255;
  }
  if (((block[0] as number) & 128) !== 0) result[15] = (result[15] as number) ^ 0b1000_0111;
  return result;
}

/** Independent blocks: this is a key derivation, no message is encrypted this way. */
function encryptBlocks(key: Uint8Array, blocks: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-ecb', createSecretKey(key), null).setAutoPadding(false);
  return Buffer.concat([cipher.update(blocks), cipher.final()]);
}
