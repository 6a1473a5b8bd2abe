/** Why somebody is not logged in. `message` is for that person, and never tells whether an account exists. */
export type LoginErrorCode =
  | 'unauthorized'
  | 'rate_limited'
  | 'overloaded'
  | 'forbidden'
  | 'input_invalid'
  | 'not_found';

/** HTTP statuses. */
export const statusOf: Readonly<Record<LoginErrorCode, number>> = {
  unauthorized: 401,
  forbidden: 403,
  input_invalid: 400,
  not_found: 404,
  rate_limited: 429,
  overloaded: 503,
};

export class LoginError extends Error {
  override readonly name: string = 'LoginError';
  readonly code: LoginErrorCode;

  constructor(code: LoginErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The one answer for every wrong, missing or unknown account, password and code. */
export function notLoggedIn(): LoginError {
  return new LoginError(
    'unauthorized',
    'account, password or code is wrong, or the code was used before: check them, and wait for the next code',
  );
}
