/** What can go wrong around a license file: storage and transport. What is wrong in it is a verdict. */

/**
 * - `damaged`: what is stored is not what was saved.
 * - `too_new`: it was saved by a newer version of this software.
 * - `unavailable`: the storage could not be read or written.
 */
export type StoreErrorCode = 'damaged' | 'too_new' | 'unavailable';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * - `unreachable`: no connection, or it broke off.
 * - `timeout`: no whole answer in time.
 * - `aborted`: the caller gave up.
 * - `redirected`: a license key is never sent on to another address.
 * - `too_large`: more than a license file can be.
 * - `refused`: the server said why; see `problem`.
 * - `unexpected_answer`: not the answer of a license server, as from a captive portal.
 */
export type FetchErrorCode =
  | 'unreachable'
  | 'timeout'
  | 'aborted'
  | 'redirected'
  | 'too_large'
  | 'refused'
  | 'unexpected_answer';

/** What a server says when it refuses (RFC 9457). */
export interface ServerProblem {
  status: number;
  /** `license_key_unknown` and so on. */
  code: string;
  detail: string | null;
  /** From the header Retry-After; null where there is none. */
  retryAfterSeconds: number | null;
}

export class FetchError extends Error {
  override readonly name = 'FetchError';
  readonly code: FetchErrorCode;
  readonly problem: ServerProblem | null;

  constructor(
    code: FetchErrorCode,
    message: string,
    problem: ServerProblem | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.problem = problem;
  }
}
