/** A keystore that cannot be opened, written or used, with a sentence for the operator. */
export class KeystoreError extends Error {
  override readonly name: string = 'KeystoreError';
}

/** A sealed file that this passphrase does not open: it is another one, or the file is damaged. */
export class WrongPassphrase extends KeystoreError {
  override readonly name = 'WrongPassphrase';
}

/** The token or the service with the key is not there now. Nothing is lost: the next request looks for it again. */
export class TokenUnavailable extends KeystoreError {
  override readonly name = 'TokenUnavailable';
}

/** With which a signer's process ends at a PinRefused, so that nobody starts it again by itself. */
export const pinRefusedExitCode = 77; // EX_NOPERM

/** The token does not take the PIN. Only people may try again, because a token locks after a few wrong ones. */
export class PinRefused extends KeystoreError {
  override readonly name = 'PinRefused';
}
