/** What an audit of the signer says: how much of journal and log explain each other, and what does not. */
import type { AbandonCause } from '@tallystick/signer';

/** docs/operating/auditing-the-signer.md says what to do about each. */
export type IncidentKind =
  /** A line of the journal was changed, moved, taken out or put in. */
  | 'chain'
  /** The journal ends before a line that the mark remembers, or holds another in its place. */
  | 'shortened'
  /** An earlier journal is gone. */
  | 'lost'
  /** The log does not begin with what it held when the journal began. */
  | 'history'
  /** An entry of the log that the signer did not sign. */
  | 'unsigned'
  /** A logged namespace that the signer was never shown. */
  | 'not_adopted'
  /** An entry of the log that was said not to come into it. */
  | 'abandoned_logged'
  /** A signature that is neither in the log nor said to be abandoned. */
  | 'unlogged'
  /** Other records were signed for the same indexes, and nobody said what became of the first. */
  | 'not_said'
  /** A signature for an index that the log has not come near to. */
  | 'ahead'
  /** A signed checkpoint or promise that the log does not keep. */
  | 'checkpoint'
  | 'promise'
  /** A published checkpoint that the signer did not sign. */
  | 'published';

export interface Incident {
  kind: IncidentKind;
  /** Path of the journal; null for an entry that no line speaks of. */
  journal: string | null;
  /** Line of the journal, from 0; null for an entry that no line speaks of. */
  line: number | null;
  /** Log index, or size of a checkpoint; null where it is about the journal alone. */
  index: number | null;
  /** When the signer wrote the line; null where there is none. */
  at: string | null;
  /** One sentence without its period. */
  message: string;
}

export interface AuditCounts {
  /** Entries of the log that were read. */
  entries: number;
  /** Records with the signer's line about them, and namespaces with the one about their adoption. */
  signed: number;
  adopted: number;
  /** Records that are older than the journal. */
  earlier: number;
  /** Signatures that wait for their place in the log. */
  pending: number;
  abandoned: number;
  checkpoints: number;
  promises: number;
  refused: number;
  /** How often the signer started. */
  starts: number;
}

/** Signatures that the log will never hold, and why. */
export interface AbandonedBatch {
  at: string;
  /** `overtaken`: another signer took the log over while it was under way. */
  cause: AbandonCause | 'not_said' | 'overtaken';
  index: number;
  count: number;
}

export interface RefusalCount {
  request: string;
  reason: string;
  count: number;
  /** When the newest was written down, and what it said. */
  at: string;
  message: string;
}

export interface AuditedJournal {
  /** Its path. */
  file: string;
  lines: number;
  /** base64 of the hash of the last line: what an audit of later must find again. */
  head: string;
  /** Log index from which on the journal answers for every record. */
  from: number;
}

export interface SignerAuditReport {
  /** True where there is no incident. */
  ok: boolean;
  /** Number of entries that the log had when the audit began. */
  size: number;
  /** Size of the newest published checkpoint; null before the first. */
  published: number | null;
  journal: AuditedJournal;
  /** Of the other signers of a shared log. */
  others: AuditedJournal[];
  /** In the order of the journal, and of the log behind it. The first alone, unless all were asked for. */
  incidents: Incident[];
  counts: AuditCounts;
  /** The newest, last. */
  abandoned: AbandonedBatch[];
  refusals: RefusalCount[];
  /** What was left out, one sentence each. */
  skipped: string[];
}

/** The most incidents, and the most abandoned batches, that a report lists. */
export const listedMax = 100;

export class Incidents {
  readonly #max: number;
  readonly found: Incident[] = [];

  /** @param all collect up to 100 instead of the first */
  constructor(all: boolean) {
    this.#max = all ? listedMax : 1;
  }

  add(kind: IncidentKind, message: string, place: Partial<Omit<Incident, 'kind' | 'message'>> = {}): void {
    if (this.found.length >= this.#max) return;
    this.found.push({ kind, journal: null, line: null, index: null, at: null, ...place, message });
  }

  get isFull(): boolean {
    return this.found.length >= this.#max;
  }
}
