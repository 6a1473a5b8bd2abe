/**
 * Makes license files from what a mirror holds: byte for byte what clients verify, under the newest checkpoint that the
 * log has published with its quorum.
 */
import {
  type BundledSubject,
  decodeUtf8,
  encodeBundle,
  formatTlogProof,
  keyIdOf,
  type PublicKey,
  parseRecordEntry,
  parseSignedCheckpoint,
  subjectKey,
  type TrustStep,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import type { MirrorLog } from '../mirror/mirror-log.ts';
import { NotNow } from '../mirror/not-now.ts';
import { parseKeys } from '../replayer/trust-source.ts';
import type { ContentFollower } from './content-follower.ts';
import type { ContentStore } from './content-store.ts';
import type { Opening } from './judge-batch.ts';
import { type Content, contentProblem, decodeContent } from './parts.ts';
import { batchKeyOf, openPart, Unsealable } from './seal.ts';

/** This mirror has not got what the file needs, and will not have it by itself soon. */
export class NotHeld extends Error {
  override readonly name = 'NotHeld';
}

export interface MirrorBundleParts {
  mirror: MirrorLog;
  store: ContentStore;
  follower: Pick<ContentFollower, 'settleErasures'>;
  opening: Opening;
}

interface Found {
  subject: BundledSubject;
  keyids: string[];
}

export class MirrorBundles {
  readonly #parts: MirrorBundleParts;

  constructor(parts: MirrorBundleParts) {
    this.#parts = parts;
  }

  /**
   * The license file as text, with the trust roots after `trustVersion`; for an id that was never issued, the proof of that;
   * null for a namespace that the log has not got. Throws NotHeld, and NotNow where another attempt may succeed.
   */
  make(ns: string, id: string, trustVersion: number): string | null {
    const { mirror, follower, opening } = this.#parts;
    if (mirror.keys(ns) === null) return null;
    follower.settleErasures();
    const note = mirror.published();
    if (note === null) throw new NotNow('no checkpoint was published yet that this mirror has cosigned');
    const { size } = parseSignedCheckpoint(utf8(note));
    const singletons = (['namespace', 'brake'] as const).map((type) => this.#public(ns, type, size));
    const license = this.#subject(ns, id, size, (at) => {
      const content = this.#open(at);
      const problem = contentProblem(content, this.#record(at).record, opening.genesis);
      if (problem !== null) throw new NotHeld(`what this mirror has of entry ${at} was altered: ${problem}`);
      return content;
    });
    const keyids = new Set([license, singletons[1] as Found].flatMap((found) => found.keyids));
    const [last] = mirror.entries(size - 1, size);
    return encodeBundle({
      trust: this.#steps(trustVersion, size),
      anchor: {
        entry: decodeUtf8(last as Uint8Array),
        proof: formatTlogProof(size - 1, mirror.inclusionProof(size - 1, size), note),
      },
      keys: this.#keysOf(ns, keyids),
      subjects: [...singletons.map(({ subject }) => subject), license.subject],
    });
  }

  #open(index: number): Content {
    const { store, opening } = this.#parts;
    const held = store.content(index);
    if (opening.key === null)
      throw new NotHeld('this mirror holds documents sealed, and has not got the key that opens them');
    if (held === null) {
      if (store.isErased(index)) throw new NotHeld('this document was erased');
      if (index >= store.fetched) throw new NotNow(`the document of entry ${index} is being fetched`);
      throw new NotHeld(`this mirror lacks the document of entry ${index}`);
    }
    try {
      const key = batchKeyOf(held.enc, opening.key, opening.genesis);
      return decodeContent(openPart(key, held.kind, index, held.sealed));
    } catch (error) {
      if (!(error instanceof Unsealable)) throw error;
      throw new NotHeld(`what this mirror has of entry ${index} was altered: ${error.message}`);
    }
  }

  #key(ns: string, id: string): Uint8Array {
    return subjectKey(this.#parts.opening.genesis, ns, id);
  }

  #record(index: number): ReturnType<typeof parseRecordEntry> {
    const [entry] = this.#parts.mirror.entries(index, index + 1);
    return parseRecordEntry(entry as Uint8Array);
  }

  #public(ns: string, type: 'namespace' | 'brake', size: number): Found {
    return this.#subject(ns, type, size, (index) => {
      const { rev } = this.#record(index).record;
      const document = this.#parts.mirror.publicDocument(ns, type, rev);
      if (document === null) throw new NotHeld(`this mirror lacks revision ${rev} of the ${type}`);
      return { salt: zeroSalt, document };
    });
  }

  #subject(
    ns: string,
    id: string,
    size: number,
    contentAt: (index: number) => Pick<Content, 'salt' | 'document'>,
  ): Found {
    const { mirror } = this.#parts;
    const { index, proof } = mirror.standing(this.#key(ns, id));
    if (index === undefined) return { subject: { id, state: null, map: proof }, keyids: [] };
    const [entry] = mirror.entries(index, index + 1);
    const { salt, document } = contentAt(index);
    const path = mirror.inclusionProof(index, size);
    const state = { document, salt, index, entry: entry as Uint8Array, path };
    const { signatures } = this.#record(index).envelope;
    return { subject: { id, state, map: proof }, keyids: signatures.map(({ keyid }) => keyid) };
  }

  #keysOf(ns: string, keyids: ReadonlySet<string>): PublicKey[] {
    const bytes = this.#parts.mirror.keys(ns);
    const keys = bytes === null ? [] : parseKeys(bytes).filter((key) => keyids.has(keyIdOf(key)));
    if (keys.length < keyids.size) throw new NotHeld('this mirror lacks a public key of the namespace');
    return keys;
  }

  #steps(trustVersion: number, size: number): TrustStep[] {
    return this.#parts.mirror.trustRootsAfter(trustVersion, size).map(({ version, index, note }) => {
      if (note === null)
        throw new NotHeld(
          `this mirror has not seen the checkpoint that proves version ${version} of the trust root: ask for a file with ` +
            `trustVersion=${version}, for clients that have pinned that`,
        );
      const { size: covered } = parseSignedCheckpoint(utf8(note));
      const [envelope] = this.#parts.mirror.entries(index, index + 1);
      const proof = formatTlogProof(index, this.#parts.mirror.inclusionProof(index, covered), note);
      return { envelope: envelope as Uint8Array, proof };
    });
  }
}
