/** How a mirror says how far behind it is: as lines of its log, and as metrics in the text format of Prometheus. */
import type { LogStatus } from '../cosigner.ts';

/** Logs whose mirror was behind when it was looked at last, by origin. */
export type BehindBefore = Set<string>;

/** A log that lacks nothing for this long is not worth a line. */
const toleratedSeconds = 10;

/** One line for each log whose mirror is behind, and one for each that no longer is. */
export function linesAbout(statuses: readonly LogStatus[], before: BehindBefore): Record<string, unknown>[] {
  return statuses.flatMap(({ origin, size, mirror }) => {
    if (mirror === undefined) return [];
    const documentsBehind = mirror.contents?.secondsBehind ?? 0;
    const isBehind = mirror.held < size || Math.max(mirror.secondsBehind, documentsBehind) > toleratedSeconds;
    const wasBehind = isBehind ? before.has(origin) : before.delete(origin);
    if (!isBehind && !wasBehind) return [];
    if (isBehind) before.add(origin);
    return [{ event: isBehind ? 'mirror-behind' : 'mirror-caught-up', origin, cosigned: size, ...mirror }];
  });
}

type Figure = [name: string, help: string, value: (status: LogStatus) => number | undefined];

const figures: readonly Figure[] = [
  ['cosigned_entries', 'Entries under the newest cosigned checkpoint.', ({ size }) => size],
  ['held_entries', 'Entries held from the first one on, without a gap.', ({ mirror }) => mirror?.held],
  [
    'offered_entries',
    'Entries under the newest checkpoint that the log showed.',
    ({ mirror }) => mirror?.offered,
  ],
  [
    'behind_seconds',
    'Seconds since the log showed more than was cosigned.',
    ({ mirror }) => mirror?.secondsBehind,
  ],
  ['content_entries', 'Entries whose documents were fetched.', ({ mirror }) => mirror?.contents?.fetched],
  [
    'content_behind_seconds',
    'Seconds since there was more to fetch of the documents.',
    ({ mirror }) => mirror?.contents?.secondsBehind,
  ],
  [
    'content_lacking',
    'Documents and causes that the server of the log has not got, or has altered.',
    ({ mirror }) => mirror?.contents?.lacks,
  ],
  [
    'content_refused_batches',
    'Batches of documents that were refused since the start.',
    ({ mirror }) => mirror?.contents?.refused,
  ],
  ['content_bytes', 'Bytes of documents on the disk.', ({ mirror }) => mirror?.contents?.bytes],
];

export function metricsOf(statuses: readonly LogStatus[]): string {
  return figures
    .map(([name, help, value]) => {
      const lines = statuses.map(
        (status) => `tally_mirror_${name}{origin=${JSON.stringify(status.origin)}} ${value(status) ?? 0}\n`,
      );
      return `# HELP tally_mirror_${name} ${help}\n# TYPE tally_mirror_${name} gauge\n${lines.join('')}`;
    })
    .join('');
}
