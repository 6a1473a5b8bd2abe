import { malformed } from '../errors.ts';

const instantRule = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const durationRule = /^P(?:(\d{1,6})D|T(?:(\d{1,8})([HMS])))$/;
const unitMs = { H: 3_600_000, M: 60_000, S: 1000 };

/** Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SS.sssZ`; throws MALFORMED for dates that do not exist. */
export function parseInstant(text: string): number {
  const ms = instantRule.test(text) ? Date.parse(text) : Number.NaN;
  // What parses and is not a date moves the day: the 30th of February, and hour 24.
  const isDate = new Date(ms).getUTCDate() === Number(text.slice(8, 10));
  if (!isDate) throw malformed('not an instant');
  return ms;
}

/** The instant that was formatted last: what happens within a millisecond is asked for many times over. */
let newest = { ms: Number.NaN, text: '' };

export function formatInstant(ms: number): string {
  if (newest.ms !== ms) newest = { ms, text: new Date(ms).toISOString() };
  return newest.text;
}

/** Milliseconds of `P<n>D`, `PT<n>H`, `PT<n>M` or `PT<n>S` without leading zeros; throws MALFORMED. */
export function parseDuration(text: string): number {
  const match = durationRule.exec(text);
  if (match === null || /[PT]0\d/.test(text)) throw malformed('not a duration');
  const [, days, count, unit] = match;
  if (days !== undefined) return Number(days) * 86_400_000;
  return Number(count) * unitMs[unit as 'H' | 'M' | 'S'];
}
