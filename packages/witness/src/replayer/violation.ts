import { IntegrityError } from '@tallystick/core';
import { Refusal } from '../errors.ts';

/**
 * The rules that a log must follow, by the names that refusals carry.
 *
 * - `tile`: the entries handed over are not an entry bundle of the right width
 * - `root`: they are not the entries that the checkpoint commits to
 * - `entry`: an entry is not exactly a record, a trust root or a map root, in the one encoding
 * - `bootstrap`: trust root version 1, then per namespace its namespace and its brake, come first
 * - `trust-root`: a trust root is not the pinned one or does not follow from the one before
 * - `resign`: an authority changed and its namespace was not signed anew right after
 * - `record-type`: a type outside the closed list, or not the one that opens or continues a chain
 * - `subject`: a record moves a subject of another type or namespace
 * - `chain`: rev and prev do not continue the subject's head
 * - `at`: time ran backwards or is ahead of the replayer's clock
 * - `signature`: an algorithm that is required has no valid signature by a key entitled at that index
 * - `document`: a public document is not the one that the record commits to, or not well-formed
 * - `namespace`, `brake`: the document may not follow the one before
 * - `map-root`, `trust-hash`: a map root that is not the recomputed one, or names another trust root
 * - `last-leaf`: the checkpoint does not end in a map root
 */
export type ReplayRule =
  | 'tile'
  | 'root'
  | 'entry'
  | 'bootstrap'
  | 'trust-root'
  | 'resign'
  | 'record-type'
  | 'subject'
  | 'chain'
  | 'at'
  | 'signature'
  | 'document'
  | 'namespace'
  | 'brake'
  | 'map-root'
  | 'trust-hash'
  | 'last-leaf';

/** A rule that a log broke, at which index. Its checkpoints are refused while the entry stands. */
export class Violation extends Refusal {
  override readonly name: string = 'Violation';
  readonly rule: ReplayRule;
  /** Log index of the first entry that breaks the rule. */
  readonly index: number;
  readonly detail: string;

  constructor(rule: ReplayRule, index: number, detail: string, options?: ErrorOptions) {
    super(422, `${rule} at index ${index}: ${detail}`, options);
    this.rule = rule;
    this.index = index;
    this.detail = detail;
  }
}

/** What is needed to judge the log could not be had just now: nobody's fault is proven. */
export class Unavailable extends Refusal {
  constructor(message: string, options?: ErrorOptions) {
    super(503, message, options);
  }
}

/** Runs `check` and reports bytes that it cannot accept as a violation of `rule`. */
export function ruled<T>(rule: ReplayRule, index: number, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw asViolation(rule, index, error);
  }
}

/** A violation where `error` is about bytes of the log; any other error as it is. */
export function asViolation(rule: ReplayRule, index: number, error: unknown): unknown {
  if (!(error instanceof IntegrityError)) return error;
  return new Violation(rule, index, error.message, { cause: error });
}
