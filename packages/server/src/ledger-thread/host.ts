import type { Gatekeeper } from './gate/gatekeeper.ts';
import type { LedgerStatus } from './messages.ts';
import type { LedgerService } from './service.ts';

/** Who answers in the ledger's thread: for a log of its own, one that another server writes, or now this, now that. */
export interface Host extends AsyncDisposable {
  readonly service: LedgerService;
  readonly gatekeeper: Gatekeeper;
  /** False while another server may have taken the log over, so that what is known here may not be the newest. */
  readonly isCurrent: boolean;
  status(): LedgerStatus;
  /** Whether anybody follows events. */
  listen(isListening: boolean): void;
  /** Reports a failure that no caller can be blamed for. */
  alarm(error: unknown): void;
}
