/**
 * A file that lines are added to, each on disk before its promise resolves. What comes while the disk is busy goes to
 * it together.
 *
 * The file is opened with O_DSYNC, so that a write returns when it is on disk: Node's permission model denies
 * `fdatasync`. A write takes place in the thread pool, while this thread signs. Room for more is made ahead, in zeros:
 * a write that does not move the end of the file takes the disk a fraction of the time.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, write, writeSync } from 'node:fs';
import { JournalError } from './journal-error.ts';

interface Waiting {
  bytes: Uint8Array;
  resolve(): void;
  reject(error: Error): void;
}

const roomLength = 1024 * 1024;

export class JournalFile implements Disposable {
  readonly fd: number;
  readonly #path: string;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  /** Up to here it is known to be on disk. */
  #confirmed: number;
  /** Where the next bytes go. */
  #end: number;
  /** Length of the file, with the room behind. */
  #length: number;
  #isBroken = false;

  /** @param isNew refuses one that is there; without it one must be there */
  constructor(path: string, isNew: boolean) {
    const { O_RDWR, O_DSYNC, O_CREAT, O_EXCL } = constants;
    this.#path = path;
    this.fd = openSync(path, O_RDWR | O_DSYNC | (isNew ? O_CREAT | O_EXCL : 0), 0o600);
    this.#length = fstatSync(this.fd).size;
    this.#confirmed = 0;
    this.#end = 0;
  }

  /** Bytes of the file, with the room behind what was written. */
  get length(): number {
    return this.#length;
  }

  /** Goes on at `offset`, behind which there is room alone. */
  goOnAt(offset: number): void {
    this.#confirmed = offset;
    this.#end = offset;
  }

  /** Where the next bytes go. */
  get end(): number {
    return this.#end;
  }

  /** Up to here it is on disk. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** True after a write that failed: nothing is taken until `cutTo` has removed what may have been written of it. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Resolves when `bytes` are on disk. Rejects with JournalError, and so does all that was added after them. */
  append(bytes: Uint8Array): Promise<void> {
    this.#end += bytes.length;
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** As `append`, at a start: on disk when it returns. Throws JournalError. */
  appendAtOnce(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.fd, bytes, done, bytes.length - done, this.#end + done);
    } catch (error) {
      this.#isBroken = true;
      throw this.#failure(error);
    }
    this.#end += bytes.length;
    this.#confirmed = this.#end;
    this.#length = Math.max(this.#length, this.#end);
  }

  /** Removes what is behind `offset`. Throws JournalError where the disk does not do it. */
  cutTo(offset: number): void {
    try {
      ftruncateSync(this.fd, offset);
    } catch (error) {
      throw this.#failure(error);
    }
    this.#length = offset;
    this.#isBroken = false;
    this.goOnAt(offset);
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#flushing;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#queue;
      this.#queue = [];
      try {
        const bytes = Buffer.concat(group.map((each) => each.bytes));
        const end = this.#confirmed + bytes.length;
        const room = end > this.#length ? [Buffer.alloc(roomLength)] : [];
        await this.#write(Buffer.concat([bytes, ...room]), this.#confirmed);
        if (room.length > 0) this.#length = end + roomLength;
        this.#confirmed = end;
        for (const waiting of group) waiting.resolve();
      } catch (error) {
        this.#isBroken = true;
        const failure = this.#failure(error);
        for (const waiting of [...group, ...this.#queue.splice(0)]) waiting.reject(failure);
      }
    }
    this.#flushing = null;
  }

  async #write(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const from = done;
      done += await new Promise<number>((resolve, reject) => {
        write(this.fd, bytes, from, bytes.length - from, offset + from, (error, written) =>
          error === null ? resolve(written) : reject(error),
        );
      });
    }
  }

  #failure(error: unknown): JournalError {
    const why = error instanceof Error ? error.message : String(error);
    return new JournalError(
      `nothing was signed, because the journal ${this.#path} could not be made durable (${why}): see whether its ` +
        'disk is full or failing',
      { cause: error },
    );
  }
}
