/** Makes license files: the newest state of a license under the published checkpoint, with its proofs. */
import {
  type BundleAnchor,
  type BundledSubject,
  encodeBundle,
  equalBytes,
  formatTlogProof,
  keyIdOf,
  type PastMap,
  type PublicKey,
  parseSignedCheckpoint,
  type TrustRoot,
  type TrustStep,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import { checkEntry } from '../content.ts';
import { asError, IntegrityAlarm, LedgerError } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import type { Published } from '../publish/publisher.ts';
import type { Store, StoredCheckpoint } from '../store/store.ts';
import type { TrustHistory } from '../trust-history.ts';
import type { RevisionReader } from './revision-reader.ts';

/** What a bundle is to be proven under, and what its reader has already. */
export interface BundleRequest {
  published: Published;
  isIssued: boolean;
  /** The newest trust root that the reader has pinned. */
  trustVersion: number;
}

export interface BundleParts {
  trust: TrustHistory;
  store: Store;
  state: LogState;
  reader: RevisionReader;
  /** Public keys of the namespace's issuing and brake keys, which rotate. */
  keys: { readonly all: readonly PublicKey[] };
}

/** What all bundles under one checkpoint share. */
interface Shared {
  published: Published;
  anchor: BundleAnchor;
  singletons: { subject: BundledSubject; keyids: string[] }[];
}

/** The map as it was under a checkpoint. */
export interface MapUnder {
  indexOf(key: Uint8Array): number | undefined;
  prove(key: Uint8Array): Uint8Array;
}

export class BundleMaker {
  readonly #parts: BundleParts;
  #shared: Shared | null = null;
  /** By version. */
  readonly #stepProofs = new Map<number, string>();
  #past: { size: number; mapSize: number; map: PastMap } | null = null;

  constructor(parts: BundleParts) {
    this.#parts = parts;
  }

  /**
   * The bundle of a license, as text, with the trust roots after `trustVersion`; for an id that was never issued, the proof of that. null where the license
   * exists (`isIssued`) and the checkpoint does not cover it: no proof of absence goes out for it. Throws
   * IntegrityAlarm where stored bytes do not fit the log.
   */
  async make(
    licenseId: string,
    { published, isIssued, trustVersion }: BundleRequest,
  ): Promise<string | null> {
    const shared = await this.#sharedUnder(published);
    const license = await this.#subject(licenseId, shared.published);
    if (license.subject.state === null && isIssued) return null;
    const keyids = new Set(
      [license, ...shared.singletons.filter(({ subject }) => subject.id === 'brake')].flatMap(
        (each) => each.keyids,
      ),
    );
    return encodeBundle({
      trust: await this.trustSteps(trustVersion, published),
      anchor: shared.anchor,
      keys: this.keysOf(keyids),
      subjects: [...shared.singletons.map(({ subject }) => subject), license.subject],
    });
  }

  /** The public keys of these ids. Throws LedgerError where one is missing: without it clients take a license that is genuine for a forged one. */
  keysOf(keyids: ReadonlySet<string>): PublicKey[] {
    const keys = this.#parts.keys.all.filter((key) => keyids.has(keyIdOf(key)));
    const known = new Set(keys.map(keyIdOf));
    const missing = [...keyids].filter((id) => !known.has(id));
    if (missing.length === 0) return keys;
    throw new LedgerError(
      'overloaded',
      `this server does not know the public key ${missing.join(', ')}: give its signer the online keys of the server ` +
        'that has them, and start it anew',
    );
  }

  /** The trust roots after `trustVersion` that govern what is published, with their proofs. */
  async trustSteps(trustVersion: number, { size }: Published): Promise<TrustStep[]> {
    const steps: TrustStep[] = [];
    for (const { trust, entry, index } of this.#parts.trust.after(trustVersion, size)) {
      let proof = this.#stepProofs.get(trust.version);
      if (proof === undefined) {
        proof = await this.#stepProof(trust, index, size);
        this.#stepProofs.set(trust.version, proof);
      }
      steps.push({ envelope: entry, proof });
    }
    return steps;
  }

  /** By the first checkpoint over it: the one that was published for those who know the version before. */
  async #stepProof(trust: TrustRoot, index: number, size: number): Promise<string> {
    const { store, state, trust: history } = this.#parts;
    const saved = await firstCheckpointOver(store, index, size);
    const before = history.version(trust.version - 1);
    try {
      if (saved === undefined || before === undefined) throw new Error('it is missing');
      const checkpoint = parseSignedCheckpoint(utf8(saved.note));
      if (checkpoint.size !== saved.size || !equalBytes(checkpoint.root, state.tree.root(saved.size)))
        throw new Error('it is of another log');
      await verifyLogSignatures(checkpoint, before.log.vkeys);
      await verifyQuorum(checkpoint, before.quorum);
      return formatTlogProof(index, state.tree.inclusionProof(index, saved.size), saved.note);
    } catch (error) {
      const what = `the checkpoint that proves version ${trust.version} of the trust root`;
      throw new IntegrityAlarm(index, `${what}: ${asError(error).message}`, { cause: error });
    }
  }

  /** The map root under a checkpoint, with its proof. */
  async anchorOf(published: Published): Promise<BundleAnchor> {
    return (await this.#sharedUnder(published)).anchor;
  }

  async #sharedUnder(published: Published): Promise<Shared> {
    if (this.#shared?.published === published) return this.#shared;
    const { state, store } = this.#parts;
    const index = published.size - 1;
    const entry = await store.entry(index);
    if (entry === undefined) throw new IntegrityAlarm(index, 'the map root is missing');
    checkEntry(entry, state.tree.leaf(index));
    const proof = formatTlogProof(index, state.tree.inclusionProof(index, published.size), published.note);
    const anchor = { entry: Buffer.from(entry.entry).toString('utf8'), proof };
    const singletons = [await this.#subject('namespace', published), await this.#subject('brake', published)];
    this.#shared = { published, anchor, singletons };
    return this.#shared;
  }

  /**
   * The map as it was under a published checkpoint: the map itself is ahead while a new one waits for its quorum. To be used
   * without a wait in between: the map goes on. Throws LedgerError (`not_published_yet`) where it is too far ahead.
   */
  mapUnder(size: number): MapUnder {
    const { map, mapSize, mapMoves } = this.#parts.state;
    if (mapSize - size > changesBesideMax) throw new LedgerError('not_published_yet', tooManyWait);
    if (mapMoves !== null) return map.at(size);
    if (mapSize === size - 1 || mapSize === size) {
      return { indexOf: (key) => map.head(key)?.index, prove: (key) => map.prove(key) };
    }
    if (this.#past?.size !== size || this.#past.mapSize !== mapSize) {
      this.#past = { size, mapSize, map: map.at(size) };
    }
    return this.#past.map;
  }

  async #subject(id: string, published: Published): Promise<{ subject: BundledSubject; keyids: string[] }> {
    const { state, reader } = this.#parts;
    const key = state.keyOf(id);
    // What was worked out of the past while it moves would have to be worked out again after each step.
    while (state.mapMoves !== null) await state.mapMoves;
    const map = this.mapUnder(published.size);
    const proof = map.prove(key);
    const index = map.indexOf(key);
    if (index === undefined) return { subject: { id, state: null, map: proof }, keyids: [] };
    const { content, record, entry } = await reader.revision(id, index);
    if (content.document === null || content.salt === null) {
      // Shredded by an erasure that waits for its checkpoint: there is nothing to show until then.
      if ((state.head(key)?.index ?? index) > index)
        return { subject: { id, state: null, map: proof }, keyids: [] };
      throw new IntegrityAlarm(index, 'the document was removed');
    }
    const subject: BundledSubject = {
      id,
      state: {
        document: content.document,
        salt: content.salt,
        index,
        entry,
        path: state.tree.inclusionProof(index, published.size),
      },
      map: proof,
    };
    return { subject, keyids: record.envelope.signatures.map(({ keyid }) => keyid) };
  }
}

/** Entries behind a published checkpoint beside which license files are made: each proof looks through all of them. */
const changesBesideMax = 100_000;
const tooManyWait =
  'more changes wait for their checkpoint than license files can be made beside: they are made again once it is published';

/** The smallest published checkpoint that covers entry `index`, where one of at most `size` entries does. */
async function firstCheckpointOver(
  store: Store,
  index: number,
  size: number,
): Promise<StoredCheckpoint | undefined> {
  let [low, high] = [index + 1, size];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await store.checkpoint(middle);
    if (found !== undefined && found.size > index) high = found.size;
    else low = middle + 1;
  }
  const found = await store.checkpoint(high);
  return found !== undefined && found.size > index ? found : undefined;
}
