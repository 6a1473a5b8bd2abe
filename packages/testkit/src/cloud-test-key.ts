/** Key pairs of the two algorithms that services sign with, held by the servers that stand in for these in tests. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';

export type TestKeyAlgorithm = 'ed25519' | 'ecdsa-p256-sha256';

export class CloudTestKey {
  readonly alg: TestKeyAlgorithm;
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  constructor(alg: TestKeyAlgorithm) {
    this.alg = alg;
    const pair =
      alg === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.publicKey = pair.publicKey;
    this.#privateKey = createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  }

  get spki(): Buffer {
    return this.publicKey.export({ format: 'der', type: 'spki' });
  }

  get pem(): string {
    return this.publicKey.export({ format: 'pem', type: 'spki' }).toString();
  }

  /** Raw Ed25519 key of 32 bytes. */
  get raw(): Buffer {
    return this.spki.subarray(-32);
  }

  /** Of the message itself; ECDSA in DER. */
  sign(message: Uint8Array): Buffer {
    return sign(this.alg === 'ed25519' ? null : 'sha256', message, this.#privateKey);
  }

  /** ECDSA of a digest, which OpenSSL's binding has no way to ask for. */
  signDigest(digest: Uint8Array, format: 'der' | 'compact'): Buffer {
    const { d = '' } = this.#privateKey.export({ format: 'jwk' });
    const secret = Buffer.from(d, 'base64url');
    return Buffer.from(
      p256.sign(digest, secret, {
        prehash: false,
        lowS: false,
        format: format === 'der' ? 'der' : 'compact',
      }),
    );
  }
}
