/** What the ledger tells: to whoever listens, and to callers. */
import type { KeptPromise } from '@tallystick/core';
import type { LedgerError } from './errors.ts';
import type { Published } from './publish/publisher.ts';
import type { AppliedChange } from './sequence/batch.ts';
import type { Outcome } from './sequence/requests.ts';

/** What happened, in log order; published events follow their durable ones. */
export type LedgerEvent =
  | { type: 'durable'; changes: AppliedChange[] }
  | { type: 'published'; published: Published }
  | { type: 'trouble'; error: Error | null }
  | { type: 'halted'; error: LedgerError }
  | { type: 'alarm'; error: Error };

/** What the caller of a command gets. */
export type SubmitResult =
  | { refused: Extract<Outcome, { refused: unknown }>['refused'] }
  | {
      changes: AppliedChange[];
      /** One per change; null in a dry run or where it is published already. */
      promises: KeptPromise[] | null;
      repeated: boolean;
    };

type OnEvent = (event: LedgerEvent) => void;

/** Whoever listens may fail; what happened has happened all the same. */
export function guarded(onEvent: OnEvent): OnEvent {
  return (event) => {
    try {
      onEvent(event);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  };
}
