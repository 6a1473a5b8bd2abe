/**
 * The documents that a mirror holds, opened with the content key here: the mirror needs no key for that, and is believed
 * nothing. What opens is compared with the records by whoever asks.
 */
import type { KeyObject } from 'node:crypto';
import { base64, IntegrityError, type Opening, tileWidth } from '@tallystick/core';
import {
  batchKeyOf,
  type Content,
  type ContentKey,
  decodeCause,
  decodeContent,
  decodeRequest,
  openPart,
  parseBatches,
  partKinds,
  type SealedBatch,
  type SealedPart,
  type StoredCauseBytes,
  Unsealable,
} from '@tallystick/witness';
import { RepairRefused } from './report.ts';

/** What a mirror has of one entry. */
export interface MirroredParts {
  content: Content | null;
  /** Of the command whose first record this is. */
  cause: StoredCauseBytes | null;
  /** What was signed for that command. */
  request: Opening | null;
}

const nothing: MirroredParts = { content: null, cause: null, request: null };
/** Keys of batches that are kept: a batch is on a few tiles, one after the other. */
const keysMax = 64;

export class MirrorDocuments {
  readonly #fetch: (tile: number) => Promise<Uint8Array | null>;
  readonly #key: ContentKey;
  readonly #genesis: Uint8Array;
  readonly #keys = new Map<string, KeyObject>();
  #tile = -1;
  #parts = new Map<number, MirroredParts>();

  /** @param fetch the sealed parts of a tile's entries; null where the mirror holds none */
  constructor(fetch: (tile: number) => Promise<Uint8Array | null>, key: ContentKey, genesis: Uint8Array) {
    this.#fetch = fetch;
    this.#key = key;
    this.#genesis = genesis;
  }

  /** Cheap where entries are asked for in order. Throws RepairRefused where what the mirror hands out does not open. */
  async at(index: number): Promise<MirroredParts> {
    const tile = Math.floor(index / tileWidth);
    if (tile !== this.#tile) {
      this.#parts = await this.#read(tile);
      this.#tile = tile;
    }
    return this.#parts.get(index) ?? nothing;
  }

  async #read(tile: number): Promise<Map<number, MirroredParts>> {
    const bytes = await this.#fetch(tile);
    const parts = new Map<number, MirroredParts>();
    if (bytes === null) return parts;
    try {
      for (const batch of parseBatches(bytes)) {
        const key = this.#keyOf(batch);
        for (const part of batch.parts) {
          const opened = { ...nothing, ...parts.get(part.index), ...open(part, key) };
          parts.set(part.index, opened);
        }
      }
      return parts;
    } catch (error) {
      const isItsFault =
        error instanceof Unsealable || error instanceof RangeError || error instanceof IntegrityError;
      if (!isItsFault) throw error;
      throw new RepairRefused('mirror_wrong', `its documents of tile ${tile}: ${error.message}`, {
        cause: error,
      });
    }
  }

  #keyOf({ header }: SealedBatch): KeyObject {
    if (header.key !== this.#key.id) {
      throw new RepairRefused(
        'content_key_wrong',
        `its documents are sealed to the content key ${header.key}, and this is ${this.#key.id}`,
      );
    }
    const name = base64(header.enc);
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    if (this.#keys.size >= keysMax) this.#keys.clear();
    const key = batchKeyOf(header.enc, this.#key, this.#genesis);
    this.#keys.set(name, key);
    return key;
  }
}

function open({ kind, index, sealed }: SealedPart, key: KeyObject): Partial<MirroredParts> {
  if (kind === partKinds.content) return { content: decodeContent(openPart(key, kind, index, sealed)) };
  if (kind === partKinds.cause) return { cause: decodeCause(openPart(key, kind, index, sealed)) };
  if (kind === partKinds.request) return { request: decodeRequest(openPart(key, kind, index, sealed)) };
  return {};
}
