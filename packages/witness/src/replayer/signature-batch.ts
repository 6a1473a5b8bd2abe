/**
 * Signatures on their way to a worker: one buffer instead of an object each, because cloning objects between
 * threads costs more than it saves.
 *
 * Per signature: u32be number of the key || u32be message length || u32be signature length || message || signature.
 */
import { isSignedBy, type PublicKey } from '@tallystick/core';

export interface SignatureBatch {
  keys: PublicKey[];
  /** The first `length` bytes count. */
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
  count: number;
}

const headLength = 12;

export class SignatureBatchWriter {
  #keys: PublicKey[] = [];
  #bytes = new Uint8Array(256 * 1024);
  #length = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The message is `prefix || payload`. */
  add(key: PublicKey, prefix: Uint8Array, payload: Uint8Array, signature: Uint8Array): void {
    const messageLength = prefix.length + payload.length;
    const end = this.#length + headLength + messageLength + signature.length;
    if (end > this.#bytes.length) this.#grow(end);
    const view = new DataView(this.#bytes.buffer, this.#length);
    view.setUint32(0, this.#numberOf(key));
    view.setUint32(4, messageLength);
    view.setUint32(8, signature.length);
    this.#bytes.set(prefix, this.#length + headLength);
    this.#bytes.set(payload, this.#length + headLength + prefix.length);
    this.#bytes.set(signature, end - signature.length);
    this.#length = end;
    this.#count += 1;
  }

  /** The batch so far; the writer starts anew with a buffer of its own. */
  take(): SignatureBatch {
    const batch = { keys: this.#keys, bytes: this.#bytes, length: this.#length, count: this.#count };
    this.#keys = [];
    this.#bytes = new Uint8Array(256 * 1024);
    this.#length = 0;
    this.#count = 0;
    return batch;
  }

  /** Keys are few and the same objects every time. */
  #numberOf(key: PublicKey): number {
    const known = this.#keys.indexOf(key);
    if (known >= 0) return known;
    return this.#keys.push(key) - 1;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Checks every signature of a batch: 1 where it holds, 0 where it does not. */
export async function checkBatch(batch: SignatureBatch): Promise<Uint8Array<ArrayBuffer>> {
  const verdicts = new Uint8Array(batch.count);
  const { bytes } = batch;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = 0;
  for (let item = 0; item < batch.count; item++) {
    const key = batch.keys[view.getUint32(at)];
    const messageEnd = at + headLength + view.getUint32(at + 4);
    const end = messageEnd + view.getUint32(at + 8);
    const isGood =
      key !== undefined &&
      isSignedBy(key, bytes.subarray(at + headLength, messageEnd), bytes.subarray(messageEnd, end));
    verdicts[item] = (typeof isGood === 'boolean' ? isGood : await isGood) ? 1 : 0;
    at = end;
  }
  return verdicts;
}
