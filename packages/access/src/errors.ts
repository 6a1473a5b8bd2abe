/** The access log cannot be opened, written or believed; the message says which part, and what to do. */
export class AccessLogError extends Error {
  override readonly name = 'AccessLogError';
  readonly part: AccessLogPart;

  constructor(part: AccessLogPart, message: string, options?: ErrorOptions) {
    super(message, options);
    this.part = part;
  }
}

/** What of the log does not fit. `held` is no damage: another process has it. */
export type AccessLogPart =
  | 'file'
  | 'held'
  | 'identity'
  | 'leaf'
  | 'segment'
  | 'record'
  | 'tail'
  | 'checkpoint';
