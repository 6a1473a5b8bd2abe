/** What a monitor found, as Prometheus reads it. */
import type { MonitorRound } from './monitor.ts';

/** The text exposition format, version 0.0.4. `finishedAt` is when the round ended, in seconds. */
export function renderMonitorMetrics({ logs }: MonitorRound, finishedAt: number): string {
  const of = (origin: string): string => `{origin=${JSON.stringify(origin)}}`;
  const lines = [
    ...metric('tally_monitor_round_time_seconds', 'When the last round ended.', [`${finishedAt}`]),
    ...metric(
      'tally_monitor_log_size',
      'Entries of the newest tree that was verified.',
      logs.map(({ origin, size }) => `${of(origin)} ${size}`),
    ),
    ...metric(
      'tally_monitor_replayed_size',
      'Entries that were replayed and obey every rule.',
      logs.flatMap(({ origin, replayed }) => (replayed === null ? [] : [`${of(origin)} ${replayed}`])),
    ),
    ...metric(
      'tally_monitor_as_of_seconds',
      'The newest time that a quorum stands behind.',
      logs.flatMap(({ origin, asOf }) => (asOf === null ? [] : [`${of(origin)} ${asOf}`])),
    ),
    ...metric('tally_monitor_alarms', 'Alarms by kind; those with evidence stay.', alarmCounts(logs)),
  ];
  return `${lines.join('\n')}\n`;
}

function metric(name: string, help: string, samples: readonly string[]): string[] {
  const lines = samples.map((sample) => `${name}${sample.startsWith('{') ? '' : ' '}${sample}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
}

function alarmCounts(logs: MonitorRound['logs']): string[] {
  const counts = new Map<string, number>();
  for (const { origin, alarms } of logs) {
    for (const { kind, evidence } of alarms) {
      const labels = `{origin=${JSON.stringify(origin)},kind="${kind}",proven="${evidence !== null}"}`;
      counts.set(labels, (counts.get(labels) ?? 0) + 1);
    }
  }
  return [...counts].map(([labels, count]) => `${labels} ${count}`);
}
