import { StoreFenced, StoreUnavailable } from './store/store.ts';

/** Why the ledger did not do what it was asked to. Each is safe to show to the caller. */
export type LedgerProblem =
  /** The signer, the disk or an earlier batch failed; nothing of this command was recorded. */
  | 'not_committed'
  | 'signer_unavailable'
  | 'signer_refused'
  /** Changes wait too long for their checkpoint, so no more are taken. */
  | 'publication_stalled'
  /** The signer's clock and its cosigners' differ too much to write anything that has a time in it. */
  | 'clock_differs'
  /** This log is behind what the signer or a witness has seen: it was rolled back. */
  | 'log_behind'
  /** The signer does not know what it signed: its mark was put back. */
  | 'signer_behind'
  /** Another server writes this log; this one follows it. */
  | 'standby'
  /** Stored bytes do not match their commitment. */
  | 'integrity'
  /** Durable, and no checkpoint covers it yet. */
  | 'not_published_yet'
  | 'idempotency_key_reused'
  /** A namespace revision does not follow from the log, or is not its authority's. */
  | 'namespace_refused'
  /** A trust root does not continue the log's, or changes what a running server cannot. */
  | 'trust_refused'
  /** A custody report of that much history would not be taken by anybody. */
  | 'report_too_large'
  | 'overloaded'
  | 'stopping';

export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  readonly problem: LedgerProblem;

  constructor(problem: LedgerProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** Stored bytes that do not fit what the log commits to. Never served; always an alarm. */
export class IntegrityAlarm extends LedgerError {
  readonly index: number;

  constructor(index: number, message: string, options?: ErrorOptions) {
    super('integrity', `entry ${index}: ${message}`, options);
    this.index = index;
  }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** What a store that failed with this is, in words for operators. */
export function storeNameOf(error: unknown): string {
  return error instanceof StoreUnavailable || error instanceof StoreFenced ? 'PostgreSQL' : 'the disk';
}
