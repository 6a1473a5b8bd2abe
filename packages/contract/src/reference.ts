/** The reference page of the HTTP surface, made from the tables. */
import { events, eventTypes } from './events.ts';
import { noteCodes, notes, problemCodes, problems } from './problems.ts';
import type { Route } from './route.ts';
import { routes } from './routes.ts';

/** Markdown with one table each for routes, problems, notes and events. */
export function referencePage(): string {
  return `${[
    '# HTTP reference',
    'Made from the tables in `packages/contract/src`; a test fails when this page says something else.',
    '## Routes',
    table(
      ['method', 'path', 'listeners', 'credential', 'what it does'],
      (Object.values(routes) as Route[]).map(routeRow),
    ),
    '## Problems',
    'RFC 9457, `application/problem+json`, type `urn:tallystick:problem:<code>`. Retry: whether the same request,\n' +
      'with the same `Idempotency-Key`, may succeed later without being changed.',
    table(
      ['code', 'status', 'title', 'what to do', 'retry'],
      [...problemCodes].sort().map((code) => {
        const { status, title, remedy, retryable } = problems[code];
        return [`\`${code}\``, String(status), title, remedy, retryable ? 'yes' : 'no'];
      }),
    ),
    '## Notes',
    'In `notes` of answers that succeeded.',
    table(
      ['code', 'what it says'],
      noteCodes.map((code) => [`\`${code}\``, notes[code]]),
    ),
    '## Events',
    'Events with an id can be resumed after it, with `Last-Event-ID`; the id is a log index.',
    table(
      ['event', 'when', 'id'],
      eventTypes.map((type) => [
        `\`${type}\``,
        events[type].summary,
        events[type].id === null ? 'no' : 'yes',
      ]),
    ),
  ].join('\n\n')}\n`;
}

function routeRow(route: Route): string[] {
  return [route.method, `\`${route.path}\``, route.zones.join(', '), route.auth, route.summary];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
