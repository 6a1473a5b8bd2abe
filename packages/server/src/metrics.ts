/** What the process tells Prometheus. The one module that knows the metrics library. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { LedgerStatus } from './ledger-thread/messages.ts';

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<'zone' | 'route' | 'status'>;
  readonly #alarms: Counter<'code'>;

  constructor(status: () => LedgerStatus | null) {
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: 'tally_http_request_seconds',
      help: 'Time to answer a request',
      labelNames: ['zone', 'route', 'status'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
      registers: [this.#registry],
    });
    this.#alarms = new Counter({
      name: 'tally_alarms_total',
      help: 'Alarms, each also a line on stderr and an event',
      labelNames: ['code'],
      registers: [this.#registry],
    });
    const gauges: [string, string, (status: LedgerStatus) => number][] = [
      ['tally_log_size', 'Durable entries', (now) => now.size],
      [
        'tally_log_published_size',
        'Entries under the newest published checkpoint',
        (now) => now.published?.size ?? 0,
      ],
      ['tally_log_pending', 'Durable entries that are not published', (now) => now.pending.count],
      [
        'tally_log_oldest_pending_seconds',
        'POSIX time since which the oldest change waits for its checkpoint; 0 where none does',
        (now) => secondsOf(now.pending.oldestAt),
      ],
      [
        'tally_log_publish_by_seconds',
        'POSIX time by which the oldest promise has to be kept; 0 where none is open',
        (now) => secondsOf(now.pending.publishBy),
      ],
      [
        'tally_log_publishing',
        '1 where publishing works, 0 where it fails at the moment',
        (now) => (now.pending.trouble === null ? 1 : 0),
      ],
      [
        'tally_log_as_of_seconds',
        'POSIX time of the newest quorum',
        (now) => Date.parse(now.published?.asOf ?? '') / 1000,
      ],
      ['tally_writes_log', '1 where this server writes the log', (now) => (now.writes ? 1 : 0)],
      ['tally_mutations_ready', '1 where changes are taken', (now) => (now.mutations === null ? 1 : 0)],
      [
        'tally_cosigners_ok',
        'Cosigners that answered last time',
        (now) => now.quorum.filter(({ state }) => state === 'ok').length,
      ],
    ];
    this.gauges(gauges, status);
    this.#registerCosigners(status);
  }

  /** Shows numbers of a state by name, with what each is; none of them while there is no state. */
  gauges<S>(
    gauges: readonly (readonly [string, string, (state: S) => number])[],
    state: () => S | null,
  ): void {
    for (const [name, help, value] of gauges) {
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          const now = state();
          if (now !== null) this.set(value(now));
        },
      });
    }
  }

  #registerCosigners(status: () => LedgerStatus | null): void {
    const gauges: [string, string, (cosigner: LedgerStatus['quorum'][number]) => number | null][] = [
      [
        'tally_quorum_member_ok',
        '1 where the cosigner answered last time',
        ({ state }) => (state === 'ok' ? 1 : 0),
      ],
      [
        'tally_quorum_member_last_seconds',
        'POSIX time of its newest cosignature',
        ({ lastSeenAt }) => lastSeenAt && lastSeenAt / 1000,
      ],
    ];
    for (const [name, help, value] of gauges) {
      new Gauge({
        name,
        help,
        labelNames: ['cosigner', 'group'],
        registers: [this.#registry],
        collect() {
          // Cosigners come and go with trust roots.
          this.reset();
          for (const cosigner of status()?.quorum ?? []) {
            const found = value(cosigner);
            if (found !== null) this.set({ cosigner: cosigner.name, group: cosigner.group }, found);
          }
        },
      });
    }
  }

  request(zone: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ zone, route, status: String(status) }, seconds);
  }

  alarm(code: string): void {
    this.#alarms.inc({ code });
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function secondsOf(instant: string | null): number {
  return instant === null ? 0 : Date.parse(instant) / 1000;
}
