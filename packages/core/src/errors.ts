/**
 * What can be wrong with bytes that somebody else made.
 *
 * The codes are the integrity half of the verdict registry: the license package adds those that
 * need a licensing model to decide. Nothing in this package throws anything else on bad input.
 */
export type IntegrityCode =
  | 'MALFORMED'
  | 'TOO_NEW'
  | 'TRUST_INVALID'
  | 'TRUST_OUTDATED'
  | 'LOG_SIGNATURE_INVALID'
  | 'QUORUM_UNMET'
  | 'NOT_LOGGED'
  | 'NOT_CURRENT'
  | 'ALTERED'
  | 'KEY_NOT_VALID'
  | 'ROLLED_BACK'
  | 'FORKED'
  | 'SUPERSEDED'
  | 'NAMESPACE_MISMATCH';

/** Bytes that cannot be accepted, with the verdict code that says why. */
export class IntegrityError extends Error {
  override readonly name = 'IntegrityError';
  readonly code: IntegrityCode;

  constructor(code: IntegrityCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function malformed(message: string): IntegrityError {
  return new IntegrityError('MALFORMED', message);
}

/**
 * Runs `check` and reports whatever is malformed in it under `code`: the same bytes mean something
 * else as part of a proof than they do on their own.
 */
export function failingAs<T>(code: IntegrityCode, what: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof IntegrityError && error.code === 'MALFORMED') {
      throw new IntegrityError(code, `${what}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
