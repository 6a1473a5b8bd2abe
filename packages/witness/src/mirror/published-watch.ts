/**
 * Fetches the checkpoint that the log has published, once it is out. What this mirror cosigns carries its own signature
 * alone; with the quorum's, a lost primary can be begun again where it stood.
 */
import { setTimeout as after } from 'node:timers/promises';
import {
  decodeUtf8,
  equalBytes,
  IntegrityError,
  parseDecimal,
  parseSignedCheckpoint,
  parseTrustRoot,
  type TrustRoot,
  utf8,
  type VerifierKey,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import { messageOf } from '../errors.ts';
import { fetchBytes, type HttpSource } from '../replayer/http-source.ts';
import { trustRootFact, trustStepFact } from '../replayer/trust-root-entry.ts';
import { Unavailable } from '../replayer/violation.ts';
import type { StateFile } from '../state/state-file.ts';
import { NotNow } from './not-now.ts';

interface PublishedWatchParts {
  file: StateFile;
  /** Row id of the log. */
  log: number;
  origin: string;
  vkeys: readonly VerifierKey[];
  /** The log's server. */
  source: HttpSource;
  /** The governing trust root; null before the first entry. */
  trust: () => TrustRoot | null;
  /** Root of the first `size` entries, which are cosigned. */
  root: (size: number) => Uint8Array;
  /** An entry, which is cosigned. Throws NotNow. */
  entry: (index: number) => Uint8Array;
  /** Told the size of each newer one. */
  onPublished: (size: number) => void;
}

/** A checkpoint is out some milliseconds after it was cosigned here, or not for a long time. */
const pauseMs = { first: 100, longest: 5000 };
const noteLengthMax = 64 * 1024;
const factName = 'published';

export class PublishedWatch {
  readonly #parts: PublishedWatchParts;
  readonly #running: Promise<void>;
  #size: number;

  constructor(parts: PublishedWatchParts) {
    this.#parts = parts;
    const note = this.note;
    this.#size = note === null ? 0 : parseSignedCheckpoint(utf8(note)).size;
    this.#running = this.#run();
  }

  /** The newest published checkpoint that was seen, with its quorum; null before the first. */
  get note(): string | null {
    const row = this.#parts.file.database
      .prepare('SELECT value FROM facts WHERE log = ? AND name = ?')
      .get(this.#parts.log, factName);
    return row === undefined ? null : decodeUtf8(row.value as Uint8Array);
  }

  /** Number of entries that are known to be published; 0 before the first. */
  get size(): number {
    return this.#size;
  }

  /** Resolves when nothing is under way; the signal of the source has been aborted. */
  async end(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { file, log, source } = this.#parts;
    let cosigned = 0;
    let pause = pauseMs.first;
    while (!source.signal.aborted) {
      const { size } = file.head(log);
      if (size !== cosigned) pause = pauseMs.first;
      else if (this.#size < size) pause = Math.min(2 * pause, pauseMs.longest);
      cosigned = size;
      if (this.#size < size) await this.#look().catch(ignoreUnavailable);
      const rest = this.#size < size ? pause : pauseMs.first;
      await after(rest, undefined, { signal: source.signal, ref: false }).catch(() => null);
    }
  }

  async #look(): Promise<void> {
    const { file, log, source } = this.#parts;
    const bytes = await fetchBytes(source, 'checkpoint', noteLengthMax);
    if (bytes === null || source.signal.aborted) return;
    const size = await this.#published(bytes);
    if (size === null || source.signal.aborted) return;
    const steps = await this.#stepsProvenBy(bytes, size);
    if (source.signal.aborted) return;
    const sql =
      'INSERT INTO facts (log, name, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value';
    try {
      file.transact(() => {
        for (const name of [factName, ...steps]) file.database.prepare(sql).run(log, name, bytes);
      });
    } catch (error) {
      // A disk that fails is told of where cosigning needs it, and this can wait until it does not.
      throw new Unavailable(`the published checkpoint could not be kept (${messageOf(error)})`, {
        cause: error,
      });
    }
    this.#size = size;
    this.#parts.onPublished(size);
  }

  /** Versions of the trust root that a published checkpoint proves to those who have pinned the version before. */
  async #stepsProvenBy(bytes: Uint8Array, size: number): Promise<string[]> {
    const { file, log, entry } = this.#parts;
    const fact = (name: string): Uint8Array | null =>
      (file.database.prepare('SELECT value FROM facts WHERE log = ? AND name = ?').get(log, name)?.[
        'value'
      ] as Uint8Array | undefined) ?? null;
    const names: string[] = [];
    let before = 0;
    for (let version = 2; ; version++) {
      const place = fact(trustRootFact(version));
      const index = place === null ? null : parseDecimal(decodeUtf8(place));
      if (index === null || index >= size) return names;
      const name = trustStepFact(version);
      if (fact(name) === null && (await isProven(bytes, entry(before)))) names.push(name);
      before = index;
    }
  }

  /** Number of entries under a checkpoint that is published, cosigned here, and newer than the one before; else null. */
  async #published(bytes: Uint8Array): Promise<number | null> {
    const { file, log, origin, vkeys, trust, root } = this.#parts;
    const governing = trust();
    if (governing === null) return null;
    try {
      const checkpoint = parseSignedCheckpoint(bytes);
      const { size } = checkpoint;
      if (checkpoint.origin !== origin || size <= this.#size || size > file.head(log).size) return null;
      if (!equalBytes(checkpoint.root, root(size))) return null;
      await verifyLogSignatures(checkpoint, vkeys);
      await verifyQuorum(checkpoint, governing.quorum);
      return size;
    } catch (error) {
      // Whatever the log's server hands out, only a quorum's word is kept.
      if (error instanceof IntegrityError) return null;
      throw error;
    }
  }
}

/** Whether a checkpoint has the signatures and the quorum that a logged trust root asks for. */
async function isProven(bytes: Uint8Array, trustRootEntry: Uint8Array): Promise<boolean> {
  const { log, quorum } = parseTrustRoot(trustRootEntry);
  try {
    const checkpoint = parseSignedCheckpoint(bytes);
    await verifyLogSignatures(checkpoint, log.vkeys);
    await verifyQuorum(checkpoint, quorum);
    return true;
  } catch (error) {
    if (error instanceof IntegrityError) return false;
    throw error;
  }
}

/** The log's server may be away, or the disk fail: this looks again. */
function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof Unavailable) && !(error instanceof NotNow)) throw error;
}
