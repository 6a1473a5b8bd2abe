/**
 * What went wrong with a document or a change.
 *
 * - `malformed`: the value breaks a rule of the model; no newer version would accept it either.
 * - `too_new`: the value needs a newer version of this software.
 * - `illegal`: the document is well formed, but the record that carries it may not say so.
 */
export type ModelErrorKind = 'malformed' | 'too_new' | 'illegal';

export class ModelError extends Error {
  override readonly name: string = 'ModelError';
  readonly kind: ModelErrorKind;
  /** A JSON path such as `$.addons[2].quantity`. */
  readonly path: string;
  /** The message without the path. */
  readonly reason: string;

  constructor(kind: ModelErrorKind, path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.kind = kind;
    this.path = path;
    this.reason = reason;
  }
}
