/**
 * Reads a mirror, and believes nothing of it: a checkpoint counts with the signatures of the log and of a replayer that
 * a trust root names, a leaf by the root of that checkpoint, an entry by its leaf.
 */
import {
  decodeUtf8,
  encodeEnvelope,
  equalBytes,
  formatTilePath,
  hashLength,
  IntegrityError,
  LogTree,
  leafHash,
  type Policy,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  type TrustRoot,
  tileWidth,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import {
  type EntryRun,
  fetchBytes,
  fetchEntries,
  type HttpSource,
  logPathName,
  type PublicDocumentType,
  Unavailable,
  Violation,
} from '@tallystick/witness';
import { hasReplayer } from './has-replayer.ts';
import { RepairRefused } from './report.ts';

export interface MirrorAccess {
  /** Address of the mirror, without a slash at its end. */
  url: string;
  /** Token of a reader. */
  token: string;
  /** Limit for one request. */
  timeoutMs: number;
  signal: AbortSignal;
}

const checkpointLengthMax = 64 * 1024;
const documentLengthMax = 256 * 1024;
const sealedTileLengthMax = 256 * 1024 * 1024;
const tilesAtOnce = 8;

export class MirrorReader {
  readonly #source: HttpSource;
  readonly #chain: readonly TrustRoot[];

  /** @param chain every version of the trust root, from 1 up, verified */
  constructor({ url, token, timeoutMs, signal }: MirrorAccess, chain: readonly TrustRoot[]) {
    this.#chain = chain;
    const name = logPathName(this.#trust.log.origin);
    this.#source = { baseUrl: `${url}/mirror/${name}`, token, timeoutMs, signal };
  }

  /**
   * The newest checkpoint of the mirror that a replayer has cosigned whom a trust root names: its own, or, where it is
   * none of those, what it saw published. Throws RepairRefused where it has none that can be relied on.
   */
  async checkpoint(): Promise<SignedCheckpoint> {
    const { origin } = this.#trust.log;
    const own = await this.#fetch('checkpoint', checkpointLengthMax);
    if (own === null) {
      throw new RepairRefused('mirror_empty', `the mirror has cosigned nothing of the log ${origin}`);
    }
    const published = await this.#fetch('published', checkpointLengthMax);
    for (const bytes of published === null ? [own] : [own, published]) {
      const checkpoint = await this.#signed(bytes);
      for (const { quorum } of this.#chain) {
        if (await isNamedCosigner(checkpoint, quorum)) return checkpoint;
      }
    }
    throw wrong('no replayer that the trust root names has cosigned its checkpoint');
  }

  /** A checkpoint that the log has signed. */
  async #signed(bytes: Uint8Array): Promise<SignedCheckpoint> {
    const { origin, vkeys } = this.#trust.log;
    try {
      const checkpoint = parseSignedCheckpoint(bytes);
      if (checkpoint.origin !== origin) throw wrong(`its checkpoint is of the log ${checkpoint.origin}`);
      await verifyLogSignatures(checkpoint, vkeys);
      return checkpoint;
    } catch (error) {
      if (error instanceof IntegrityError) throw wrong(`its checkpoint: ${error.message}`, error);
      throw error;
    }
  }

  /**
   * The newest checkpoint that the log has published, as far as the mirror saw it, with its text; null for none.
   * Checked as clients check it: the quorum of the trust root that governs it, and the root of `tree`.
   */
  async published(tree: LogTree): Promise<{ size: number; note: string; asOf: number } | null> {
    const bytes = await this.#fetch('published', checkpointLengthMax);
    if (bytes === null) return null;
    try {
      const checkpoint = parseSignedCheckpoint(bytes);
      const { origin, size, root } = checkpoint;
      if (origin !== this.#trust.log.origin || size > tree.size || !equalBytes(root, tree.root(size))) {
        throw wrong('what it says was published is of another log');
      }
      const { log, quorum } = this.#governing(tree, size);
      await verifyLogSignatures(checkpoint, log.vkeys);
      return { size, note: decodeUtf8(bytes), asOf: await verifyQuorum(checkpoint, quorum) };
    } catch (error) {
      if (error instanceof IntegrityError) throw wrong(`what it says was published: ${error.message}`, error);
      throw error;
    }
  }

  /** The trust root that governs a checkpoint of `size` entries. */
  #governing(tree: LogTree, size: number): TrustRoot {
    const isLogged = ({ envelope }: TrustRoot): boolean => {
      const index = tree.indexOf(leafHash(encodeEnvelope(envelope)));
      return index !== undefined && index < size;
    };
    const governing = this.#chain.findLast(isLogged);
    if (governing === undefined) throw wrong('it mirrors a log that does not begin with this trust root');
    return governing;
  }

  /** The leaves under a checkpoint, as a tree that has its root. */
  async tree({ size, root }: SignedCheckpoint, onProgress: (leaves: number) => void): Promise<LogTree> {
    const tree = new LogTree();
    const tiles = Math.ceil(size / tileWidth);
    for (let first = 0; first < tiles; first += tilesAtOnce) {
      const count = Math.min(tilesAtOnce, tiles - first);
      const hashes = await Promise.all(
        Array.from({ length: count }, (_, nth) => this.#leaves(first + nth, size)),
      );
      for (const each of hashes) {
        for (let at = 0; at < each.length; at += hashLength) tree.append(each.subarray(at, at + hashLength));
      }
      onProgress(tree.size);
    }
    if (!equalBytes(tree.root(), root)) throw wrong('its hashes do not have the root of its checkpoint');
    return tree;
  }

  /** Entries `from` up to `to`, each the one that `tree` has a leaf of. */
  async *entries(from: number, to: number, tree: LogTree): AsyncGenerator<EntryRun> {
    try {
      for await (const run of fetchEntries(this.#source, from, to)) {
        for (const [at, entry] of run.entries.entries()) {
          const index = run.start + at;
          if (!equalBytes(leafHash(entry), tree.leaf(index))) {
            throw wrong(`its entry ${index} is not the one that its checkpoint commits to`);
          }
        }
        yield run;
      }
    } catch (error) {
      throw explained(error);
    }
  }

  /** The bytes of a revision, unchecked; null where the mirror has not got it. */
  publicDocument(ns: string, type: PublicDocumentType, rev: number): Promise<Uint8Array | null> {
    return this.#fetch(`trust/${ns}/${type}/${rev}`, documentLengthMax);
  }

  /** What a mirror holds of the documents of a tile's entries, sealed; null where it holds none. */
  sealedTile(index: number): Promise<Uint8Array | null> {
    return this.#fetch(`contents/${index}`, sealedTileLengthMax);
  }

  async #leaves(index: number, size: number): Promise<Uint8Array> {
    const width = Math.min(tileWidth, size - index * tileWidth);
    const path = formatTilePath({ level: 0, index, width });
    const bytes = await this.#fetch(path, width * hashLength);
    if (bytes?.length !== width * hashLength) throw wrong(`it does not serve ${path}`);
    return bytes;
  }

  async #fetch(path: string, lengthMax: number): Promise<Uint8Array | null> {
    try {
      return await fetchBytes(this.#source, path, lengthMax);
    } catch (error) {
      throw explained(error);
    }
  }

  get #trust(): TrustRoot {
    const newest = this.#chain.at(-1);
    if (newest === undefined) throw new Error('there is no trust root');
    return newest;
  }
}

async function isNamedCosigner(checkpoint: SignedCheckpoint, policy: Policy): Promise<boolean> {
  try {
    return await hasReplayer(checkpoint, policy);
  } catch (error) {
    if (error instanceof IntegrityError) throw wrong(`its checkpoint: ${error.message}`, error);
    throw error;
  }
}

function wrong(message: string, cause?: unknown): RepairRefused {
  return new RepairRefused('mirror_wrong', message, { cause });
}

function explained(error: unknown): unknown {
  if (error instanceof Unavailable) {
    return new RepairRefused('mirror_unreachable', error.message, { cause: error });
  }
  return error instanceof Violation ? wrong(error.detail, error) : error;
}
