/** An alarm that is raised outside the ledger's thread: on stderr, as a metric and as an event. */
import { encodeEvent, type ProblemCode } from '@tallystick/contract';
import { formatInstant } from '@tallystick/core';
import type { EventStreams } from './http/event-streams.ts';
import type { Metrics } from './metrics.ts';

export function raiseAlarm(
  { metrics, streams }: { metrics: Metrics; streams: EventStreams },
  code: ProblemCode,
  detail: string,
): void {
  const at = formatInstant(Date.now());
  process.stderr.write(`${JSON.stringify({ alarm: code, detail, at })}\n`);
  metrics.alarm(code);
  streams.send({ type: 'alarm', data: encodeEvent('alarm', { at, code, detail }) });
}
