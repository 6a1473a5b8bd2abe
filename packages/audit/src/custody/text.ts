/** A proven custody report as lines for a terminal. */
import { createHash } from 'node:crypto';
import { outlineOf } from './outline.ts';
import type { ProvenCustody } from './verify/proven.ts';
import { visible } from './visible.ts';

/** Lines without a line break at the end. @param report the bytes that `proven` was verified from */
export function custodyLines(proven: ProvenCustody, report: Uint8Array): string[] {
  const sha256 = createHash('sha256').update(report).digest('hex');
  const { title, sections } = outlineOf(proven, sha256);
  return [
    visible(title),
    ...sections.flatMap(({ title: heading, rows }) => {
      const width = Math.max(0, ...rows.map(([name]) => name.length));
      return [
        '',
        visible(heading),
        ...rows.map(([name, value]) => `  ${visible(name).padEnd(width)}  ${visible(value)}`),
      ];
    }),
  ];
}
