/** What a repair says. */
import type { FsckTable } from '../report.ts';

/** The most places that a report names one by one. */
export const namedMax = 100;

/** Something of an entry that was not as it was signed. */
export interface Repaired {
  /** Log index. */
  index: number;
  table: Extract<FsckTable, 'entries' | 'leaves' | 'contents' | 'causes' | 'signed_requests'>;
  /** One sentence without its period. */
  message: string;
}

/** A record that came back, and whose document and companion did not. */
export interface LostContent {
  /** Log index. */
  index: number;
  /** Record type. */
  type: string;
  rev: number;
  /** Subject id; null where no older revision tells it. */
  id: string | null;
}

export interface RepairReport {
  dryRun: boolean;
  /** Number of entries under the checkpoint that was repaired from. */
  mirrored: number;
  /** Number of entries before. */
  sizeBefore: number;
  /** Number of entries afterwards; with a dry run, what it would be. */
  size: number;
  /** Entries that were put right, the first ones named. */
  repaired: { count: number; first: Repaired[] };
  /** Entries behind the end that came back, from the first up to and without the last; null for none. */
  added: { from: number; to: number } | null;
  /** Records that came back without their content, the first ones named. */
  lost: { count: number; first: LostContent[] };
  /** Records whose document came back, with its companion where it has one. */
  documents: number;
  /** Commands of which came back who asked for them and why. */
  causes: number;
  /** Documents and causes that the mirror handed out and that are not what the log commits to: they were not taken. */
  wrong: { count: number; first: { index: number; message: string }[] };
  /** Commands that came back without who asked for them and why, and so without their idempotency keys. */
  lostCauses: number;
  /** Entries that the signer has signed and the mirror has not got; null for none, or where the mark was not read. */
  missing: { from: number; to: number } | null;
  /** Number of entries under the published checkpoint that came back; null for none. */
  published: number | null;
  /** The file with the rows that were replaced; null where nothing was. */
  undo: string | null;
}

/**
 * Why nothing was changed.
 *
 * - `mirror_unreachable`: it does not answer, or does not let us read
 * - `mirror_empty`: it has not cosigned anything of this log yet
 * - `mirror_wrong`: what it hands out is not what its checkpoint commits to, or is of another log
 * - `content_key_wrong`: the documents that it holds are sealed to another key
 * - `mirror_differs`: its checkpoint and what was published or signed here are two histories of one log
 */
export type RepairProblem =
  | 'mirror_unreachable'
  | 'mirror_empty'
  | 'mirror_wrong'
  | 'mirror_differs'
  | 'content_key_wrong';

export class RepairRefused extends Error {
  override readonly name = 'RepairRefused';
  readonly problem: RepairProblem;

  /** @param message one sentence without its period */
  constructor(problem: RepairProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
