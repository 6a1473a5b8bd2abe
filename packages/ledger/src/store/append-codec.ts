/**
 * Batches on their way to the thread that writes them: one buffer instead of thousands of objects, whose
 * copies would cost more than the writing.
 *
 * Numbers are u32be pairs (high, low); bytes and texts stand behind their u32be length, null behind 2^32−1.
 */
import { decodeUtf8, utf8 } from '@tallystick/core';
import type { AppendBatch, StoredCause, StoredContent, StoredEntry } from './store.ts';

const nothing = 0xffff_ffff;
const none = new Uint8Array(0);
/** Bytes of an ordinary entry with its document and cause: a buffer that grows is copied and cleared each time. */
const entryLengthGuess = 4096;

/** Returns bytes that own their buffer, for handing it over. */
export function encodeAppend({ size, entries, causes }: AppendBatch): Uint8Array<ArrayBuffer> {
  const writer = new Writer(entries.length * entryLengthGuess);
  writer.number(size);
  writer.number(entries.length);
  for (const { index, leaf, subject, rev, entry, content } of entries) {
    writer.number(index);
    writer.bytes(leaf);
    writer.bytes(subject);
    writer.number(rev);
    writer.bytes(entry);
    writeContent(writer, content);
  }
  writer.number(causes.length);
  for (const { index, records, salt, document, signed } of causes) {
    writer.number(index);
    writer.number(records);
    writer.bytes(salt);
    writer.bytes(document);
    writer.bytes(signed?.salt ?? null);
    if (signed !== null) writer.bytes(signed.bytes);
  }
  return writer.finish();
}

export function decodeAppend(bytes: Uint8Array): AppendBatch {
  const reader = new Reader(bytes);
  const size = reader.number();
  const entries = Array.from({ length: reader.number() }, (): StoredEntry => {
    const index = reader.number();
    const leaf = reader.bytes() ?? none;
    const subject = reader.bytes();
    const rev = reader.number();
    const entry = reader.bytes() ?? none;
    return { index, leaf, subject, rev, entry, content: readContent(reader) };
  });
  const causes = Array.from(
    { length: reader.number() },
    (): StoredCause => ({
      index: reader.number(),
      records: reader.number(),
      salt: reader.bytes() ?? none,
      document: reader.bytes() ?? none,
      signed: readOpening(reader),
    }),
  );
  return { size, entries, causes };
}

/** Content that is not there has no id. */
function writeContent(writer: Writer, content: StoredContent | null): void {
  writer.text(content?.id ?? null);
  if (content === null) return;
  writer.bytes(content.salt);
  writer.bytes(content.document);
  writer.bytes(content.companionSalt);
  writer.bytes(content.companion);
  writer.number(content.cause);
}

function readContent(reader: Reader): StoredContent | null {
  const id = reader.text();
  if (id === null) return null;
  return {
    id,
    salt: reader.bytes(),
    document: reader.bytes(),
    companionSalt: reader.bytes(),
    companion: reader.bytes(),
    cause: reader.number(),
  };
}

function readOpening(reader: Reader): StoredCause['signed'] {
  const salt = reader.bytes();
  return salt === null ? null : { salt, bytes: reader.bytes() ?? none };
}

class Writer {
  #buffer: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(lengthGuess: number) {
    this.#buffer = new Uint8Array(lengthGuess);
    this.#view = new DataView(this.#buffer.buffer);
  }

  number(value: number): void {
    this.#room(8);
    this.#view.setUint32(this.#length, Math.floor(value / 2 ** 32));
    this.#view.setUint32(this.#length + 4, value >>> 0);
    this.#length += 8;
  }

  bytes(value: Uint8Array | null): void {
    if (value !== null && !(value instanceof Uint8Array)) throw new TypeError('a batch holds bytes only');
    const length = value?.length ?? 0;
    this.#room(4 + length);
    this.#view.setUint32(this.#length, value === null ? nothing : length);
    if (value !== null) this.#buffer.set(value, this.#length + 4);
    this.#length += 4 + length;
  }

  text(value: string | null): void {
    this.bytes(value === null ? null : utf8(value));
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(length: number): void {
    if (this.#length + length <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + length));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  number(): number {
    this.#at += 8;
    return this.#view.getUint32(this.#at - 8) * 2 ** 32 + this.#view.getUint32(this.#at - 4);
  }

  bytes(): Uint8Array | null {
    const length = this.#view.getUint32(this.#at);
    this.#at += 4;
    if (length === nothing) return null;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(): string | null {
    const bytes = this.bytes();
    return bytes === null ? null : decodeUtf8(bytes);
  }
}
