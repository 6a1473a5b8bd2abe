import type { Metrics } from '../metrics.ts';
import { type AccessStatus, lossMax } from './access-client.ts';

/** Shows how the access log stands, and what would be lost of it if the process died now, or at the worst moment. */
export function registerAccessMetrics(metrics: Metrics, status: () => AccessStatus): void {
  metrics.gauges<AccessStatus>(
    [
      ['tally_access_records', 'Requests recorded since the start', (now) => now.records],
      ['tally_access_log_size', 'Leaves of the access log', (now) => now.size],
      [
        'tally_access_log_published_size',
        'Leaves under its newest cosigned checkpoint',
        (now) => now.published,
      ],
      ['tally_access_unwritten_records', 'Records that are not on disk yet', (now) => now.waiting],
      [
        'tally_access_oldest_unwritten_seconds',
        'POSIX time at which the oldest of them came; 0 where there is none',
        (now) => (now.oldestAt ?? 0) / 1000,
      ],
      ['tally_access_loss_max_records', 'Records that a crash can take at most', () => lossMax.records],
      [
        'tally_access_loss_max_seconds',
        'Seconds after which a record is on disk while that works',
        () => lossMax.seconds,
      ],
      ['tally_access_lost_records', 'Records that found no room since the start', (now) => now.lost],
      ['tally_access_failed_writes', 'Writes that failed since the start', (now) => now.failures],
      [
        'tally_access_log_ok',
        '1 where it is written and published, 0 where one of both fails',
        (now) => (now.trouble === null ? 1 : 0),
      ],
    ],
    status,
  );
}
