/** What crosses between the HTTP thread and the one that seals documents. */
import type { StorePlace } from '../setup/store-place.ts';

export interface ContentThreadConfig {
  place: StorePlace;
  /** The trust root file. */
  trustRoot: string;
}

export interface SealedQuestion {
  from: number;
  /** Number of entries of the log. */
  size: number;
  /** Leaf hashes of the entries that are wanted, one after the other. */
  leaves: Uint8Array;
  /** Content key of the mirror, base64. */
  publicKey: string;
}

export interface SealedAnswer {
  bytes: Uint8Array;
  /** A sentence for each part that is not what the log commits to. */
  alarms: string[];
}
