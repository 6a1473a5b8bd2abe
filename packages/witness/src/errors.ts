export { messageOf } from '@tallystick/core';

/** A configuration, key or state that a cosigner must not start with. The message is for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The state is another process's, mostly that of the running cosigner. */
export class StateHeld extends ConfigError {}

/** What an `add-checkpoint` request is refused with, as tlog-witness has it. */
export type RefusalStatus = 400 | 403 | 404 | 409 | 413 | 422 | 429 | 503;

/** A request that is not cosigned; nothing was changed by it. */
export class Refusal extends Error {
  override readonly name: string = 'Refusal';
  readonly status: RefusalStatus;

  constructor(status: RefusalStatus, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/**
 * 409: the log's idea of the last cosigned size is not ours. The size goes out as `text/x.tlog.size`, so that
 * the log can send the right proof at the next attempt.
 */
export class SizeConflict extends Refusal {
  readonly size: number;

  constructor(size: number) {
    super(409, `the last cosigned size is ${size}`);
    this.size = size;
  }
}
