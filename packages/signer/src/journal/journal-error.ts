/** The journal cannot be read or written: what is wrong, and what to do about it. Nothing is signed then. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}
