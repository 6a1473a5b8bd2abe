/** What is asked and answered about a policy that is held against what was decided. */
import type { Base64, Instant } from './documents.ts';
import type { PolicyContent } from './gate-documents.ts';

export interface PolicyShadowBody extends Pick<PolicyContent, 'schema' | 'policies'> {
  /** Not before; left out: everything. */
  from?: Instant;
  /** Before; left out: until now, which publishing asks for. */
  to?: Instant;
}

export interface ShadowProgress {
  step: 'entries' | 'leaves';
  done: number;
  total: number;
}

/** A verdict that flips. What was decided on exactly the same counts as one. */
export interface Flip {
  /** What it was. */
  was: 'allow' | 'deny';
  times: number;
  /** When that was first and last. */
  since: Instant;
  at: Instant;
  /** Where the last one is: its index in the main log, or its number in the access log. */
  log: 'main' | 'access';
  n: number;
  action: string;
  principal: string;
  roles: string[];
  product: string | null;
  /** What decides now: policies, or errors; both empty where nothing permits it. */
  reasons: string[];
  errors: string[];
  /** What the caller could add so that it is allowed. */
  lacks: 'step_up' | 'reason' | 'signature' | null;
}

export interface ShadowReport {
  /** Hashes of the candidate. */
  policy: Base64;
  schema: Base64;
  /** When it was begun. */
  at: Instant;
  from: Instant | null;
  to: Instant | null;
  /** Decisions that were made again, of changes and of everything else that was asked. */
  decisions: number;
  /** Those that are not: they cannot be read, or what they were made on is not kept. */
  unknown: number;
  /** Requests whose records were dropped on purpose. */
  dropped: number;
  /** Of those that were made again: how many would be denied, and were not; and how many would be allowed, and were not. */
  denied: number;
  allowed: number;
  /** At most 1000: first what would be allowed, the most frequent first. */
  flips: Flip[];
}

/** Where the report is not ready, the same is asked again. */
export interface ShadowAnswer {
  progress: ShadowProgress | null;
  report: ShadowReport | null;
}
