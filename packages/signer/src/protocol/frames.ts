/**
 * Frames on the signer's socket: a JSON header for structure, attachments for bytes.
 *
 *     u32be length of what follows || u32be length of the header || header || attachments
 */
export const frameLengthMax: number = 16 * 1024 * 1024;

export interface Frame {
  header: unknown;
  attachments: Buffer;
}

export function encodeFrame(header: unknown, attachments: readonly Uint8Array[] = []): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.allocUnsafe(8);
  const length = 4 + json.length + attachments.reduce((sum, part) => sum + part.length, 0);
  if (length > frameLengthMax) throw new RangeError('frame too long');
  prefix.writeUInt32BE(length, 0);
  prefix.writeUInt32BE(json.length, 4);
  return Buffer.concat([prefix, json, ...attachments]);
}

/** Cuts a byte stream into frames. Throws on a frame that cannot be one: the stream is lost then. */
export class FrameReader {
  readonly #lengthMax: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(lengthMax: number = frameLengthMax) {
    this.#lengthMax = lengthMax;
  }

  /** Whether nothing is left of a frame that is still to come. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Takes bytes in, returns the frames that they complete. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== null; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | null {
    if (this.#length < 8) return null;
    const buffered = this.#joined();
    const length = buffered.readUInt32BE(0);
    if (length < 4 || length > this.#lengthMax) throw new RangeError('frame length out of range');
    if (buffered.length < 4 + length) return null;
    const headerLength = buffered.readUInt32BE(4);
    if (headerLength > length - 4) throw new RangeError('frame header longer than its frame');
    const rest = buffered.subarray(4 + length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    const header: unknown = JSON.parse(buffered.subarray(8, 8 + headerLength).toString('utf8'));
    return { header, attachments: buffered.subarray(8 + headerLength, 4 + length) };
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }
}
