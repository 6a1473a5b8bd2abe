/** The signer is not in its cell, or the cell has changed: what is wrong, and what to do about it, in one line. */
export class CellError extends Error {
  override readonly name = 'CellError';
}
