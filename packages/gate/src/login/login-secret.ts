/**
 * The server's own secret for credentials of people. Documents lie in the store in the clear, so what is in them is
 * worth nothing to who reads the store alone: seeds of one-time codes are sealed, and hashes of passwords are keyed.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

const nonceLength = 12;
const tagLength = 16;

export class LoginSecret {
  readonly #sealing: KeyObject;
  readonly #hashing: KeyObject;
  readonly #seeding: KeyObject;

  /** `root` is the server's secret of 32 bytes; each namespace has keys of its own. */
  constructor(root: KeyObject, ns: string) {
    const derive = (use: string): KeyObject => {
      const info = `tallystick/gate/v1/login-${use}\0${ns}`;
      return createSecretKey(Buffer.from(hkdfSync('sha256', root, Buffer.alloc(0), info, 32)));
    };
    this.#sealing = derive('seal');
    this.#hashing = derive('password');
    this.#seeding = derive('seed');
  }

  /**
   * AES-256-GCM as base64 of nonce, ciphertext and tag; opens for the same `owner` alone. Nonces are random: one is
   * drawn per enrolled person, far from the 2^32 that would be too many.
   */
  seal(plaintext: Uint8Array, owner: string, random: (length: number) => Uint8Array): string {
    const nonce = random(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', this.#sealing, nonce).setAAD(Buffer.from(owner));
    const sealed = [nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64');
  }

  /** Throws where it was sealed for somebody else, under another secret, or altered. */
  open(text: string, owner: string): Uint8Array {
    const sealed = Buffer.from(text, 'base64');
    if (sealed.length < nonceLength + tagLength) throw new Error('a sealed secret is cut short');
    const decipher = createDecipheriv('aes-256-gcm', this.#sealing, sealed.subarray(0, nonceLength), {
      authTagLength: tagLength,
    });
    decipher.setAAD(Buffer.from(owner)).setAuthTag(sealed.subarray(-tagLength));
    const ciphertext = sealed.subarray(nonceLength, -tagLength);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  }

  /** The seed of one-time codes that goes with an invitation: nobody chooses it, and nothing has to be kept meanwhile. */
  seedOf(invitation: string): Uint8Array {
    return createHmac('sha256', this.#seeding).update(invitation).digest().subarray(0, 20);
  }

  /** Keys a hash of a password, so that a copy of the log is not enough to guess passwords with. */
  keyed(hash: Uint8Array): Buffer {
    return createHmac('sha256', this.#hashing).update(hash).digest();
  }
}
