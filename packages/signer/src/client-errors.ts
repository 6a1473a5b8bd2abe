/** What a signer says no with, and what stands for one that says nothing. */

/** The signer cannot be reached, or went away before it answered: the outcome is unknown. */
export class SignerUnavailable extends Error {
  override readonly name = 'SignerUnavailable';
}

/** The signer answered no. */
export class SignerRefused extends Error {
  override readonly name = 'SignerRefused';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}
