/** The documents of one log at a mirror: followed, handed on as they came, and, with the key, shown as license files. */
import { isNamespaceName, isSubjectId, parseDecimal, tileWidth } from '@tallystick/core';
import { ConfigError } from '../errors.ts';
import { type Answer, plain } from '../http/answers.ts';
import type { MirrorLog } from '../mirror/mirror-log.ts';
import type { HttpSource } from '../replayer/http-source.ts';
import { ContentFollower, type ContentStatus } from './content-follower.ts';
import { type ContentKey, type ContentPublicKey, loadContentKey } from './content-key.ts';
import { ContentStore, type HeldPart } from './content-store.ts';
import { MirrorBundles, NotHeld } from './mirror-bundle.ts';
import { encodeBatch } from './sealed-batch.ts';

/** How a mirror gets the documents of a log. */
export interface ContentOptions {
  /** Where they are kept. */
  file: string;
  /** Credential of a principal that may read them, for the log's server. */
  token: string;
  /** Whom the log's server seals them to. */
  publicKey: ContentPublicKey;
  /** What opens them; null for a mirror that only carries them. */
  keyFile: string | null;
}

export interface MirrorContentsParts {
  options: ContentOptions;
  genesis: Uint8Array;
  mirror: MirrorLog;
  /** The log's server, with the credential. */
  source: HttpSource;
  cosignedSize: () => number;
  now: () => number;
  tell: (line: Record<string, unknown>) => void;
}

const bundleMediaType = 'application/vnd.tallystick.bundle.v1+json';
/** Documents of others than licenses never leave: there is no license file of them. */
const bundlePath = /^bundle\/([a-z0-9-]+)\/(lic_[a-z0-9]+)(?:\/([0-9]+))?$/;

export class MirrorContents implements AsyncDisposable {
  readonly #store: ContentStore;
  readonly #follower: ContentFollower;
  readonly #bundles: MirrorBundles;
  readonly #mirror: MirrorLog;
  readonly #key: ContentPublicKey;

  /** Throws ConfigError where the key cannot be had, or the file is of something else. */
  constructor({ options, genesis, mirror, source, cosignedSize, now, tell }: MirrorContentsParts) {
    const key = openingKey(options);
    this.#key = options.publicKey;
    this.#mirror = mirror;
    this.#store = ContentStore.open(options.file, genesis, options.publicKey.id);
    const opening = { genesis, key };
    const { publicKey } = options;
    const log = mirror.known();
    const parts = { store: this.#store, log, source, publicKey, opening, cosignedSize, now, tell };
    this.#follower = new ContentFollower(parts);
    this.#bundles = new MirrorBundles({ mirror, store: this.#store, follower: this.#follower, opening });
  }

  status(): ContentStatus & { refused: number } {
    return { ...this.#follower.status(), refused: this.#follower.refused };
  }

  /** The parts of one tile's entries that are here, as batches; throws NotNow. */
  sealedTile(index: number): Uint8Array | null {
    const from = index * tileWidth;
    if (from >= this.#mirror.size) return null;
    this.#follower.settleErasures();
    const batches: HeldPart[][] = [];
    for (const part of this.#store.parts(from, from + tileWidth)) {
      const last = batches.at(-1);
      if (last?.[0]?.batch === part.batch) last.push(part);
      else batches.push([part]);
    }
    return new Uint8Array(
      Buffer.concat(
        batches.map((parts) => {
          const [first, last] = [parts[0] as HeldPart, parts.at(-1) as HeldPart];
          const { enc, size } = first;
          const header = { from: first.index, to: last.index + 1, size, key: this.#key.id, enc };
          return encodeBatch({ header, parts });
        }),
      ),
    );
  }

  /** The license file that a path names; null for a path of something else. */
  bundle(path: string): Answer | null {
    const [, ns, id, version] = bundlePath.exec(path) ?? [];
    if (ns === undefined || id === undefined || !isNamespaceName(ns) || !isSubjectId(id)) return null;
    try {
      const trustVersion = version === undefined ? 1 : parseDecimal(version);
      const text = this.#bundles.make(ns, id, trustVersion);
      return text === null ? null : { status: 200, contentType: bundleMediaType, body: text };
    } catch (error) {
      if (error instanceof NotHeld) return plain(409, `${error.message}\n`);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follower.end();
    this.#store[Symbol.dispose]();
  }
}

function openingKey({ keyFile, publicKey }: ContentOptions): ContentKey | null {
  if (keyFile === null) return null;
  const key = loadContentKey(keyFile);
  if (key.id !== publicKey.id)
    throw new ConfigError(`${keyFile} is the content key ${key.id}, and publicKey is of ${publicKey.id}`);
  return key;
}
