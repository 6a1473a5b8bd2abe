import type { PublisherTimes } from './publish/publisher.ts';

export interface LedgerTimes extends PublisherTimes {
  /** Milliseconds within which a promise says that its entries will be published. */
  promiseMs: number;
  /** Milliseconds that changes may wait for their checkpoint before no more are taken. */
  stallMs: number;
}

export const ledgerTimes: LedgerTimes = {
  intervalMs: 200,
  refreshMs: 30_000,
  retryMs: 1000,
  promiseMs: 3_600_000,
  stallMs: 60_000,
};
