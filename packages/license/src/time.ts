import type { CalendarDuration, Duration, Instant } from './documents.ts';
import { ModelError } from './errors.ts';

/**
 * Instants and durations. An instant is `YYYY-MM-DDTHH:MM:SS.sssZ` with a real calendar date in the
 * years 2000 to 9999, so that comparing two instants is comparing two strings. Leap seconds do not exist
 * here. A duration has one unit; months and years appear only where a verifier never needs them.
 */

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const DURATION = /^P(?:(0|[1-9]\d{0,8})([DMY])|T(0|[1-9]\d{0,9})([HMS]))$/;

const SECONDS_PER_DAY = 86_400;
/** A hundred years and a little: longer durations are mistakes. */
const DURATION_SECONDS_MAX = 36_600 * SECONDS_PER_DAY;
const MONTHS_MAX = 1_200;
const INSTANT_MS_MIN = Date.UTC(2000, 0, 1);
const INSTANT_MS_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** A duration as a fixed number of seconds or a number of calendar months. */
type Span = { seconds: number } | { months: number };

/** True for a strict instant. */
export function isInstant(text: string): boolean {
  if (!INSTANT.test(text)) return false;
  const year = 100 * twoDigits(text, 0) + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  if (year < 2000 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return false;
  return twoDigits(text, 11) <= 23 && twoDigits(text, 14) <= 59 && twoDigits(text, 17) <= 59;
}

function twoDigits(text: string, at: number): number {
  return 10 * (text.charCodeAt(at) - 48) + text.charCodeAt(at + 1) - 48;
}

/** Milliseconds since 1970; throws ModelError (malformed) for anything but a strict instant. */
export function instantToMs(instant: Instant): number {
  if (!isInstant(instant)) throw new ModelError('malformed', '$', `not an instant: ${instant.slice(0, 40)}`);
  return Date.parse(instant);
}

/** The instant of a number of milliseconds since 1970; throws ModelError outside the years 2000 to 9999. */
export function msToInstant(ms: number): Instant {
  if (!Number.isSafeInteger(ms) || ms < INSTANT_MS_MIN || ms > INSTANT_MS_MAX) {
    throw new ModelError('malformed', '$', 'the instant lies outside the years 2000 to 9999');
  }
  return new Date(ms).toISOString();
}

/** Negative when `a` is earlier than `b`, zero when they are the same, positive when it is later. */
export function compareInstants(a: Instant, b: Instant): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The later of two instants. */
export function laterInstant(a: Instant, b: Instant): Instant {
  return a < b ? b : a;
}

/** True for `P<n>D`, `PT<n>H`, `PT<n>M` and `PT<n>S` of at most 36,600 days. */
export function isDuration(text: string): boolean {
  const span = readSpan(text);
  return span !== null && 'seconds' in span;
}

/** True for a duration that may also be `P<n>M` or `P<n>Y`, of at most a hundred years. */
export function isCalendarDuration(text: string): boolean {
  return readSpan(text) !== null;
}

/** The seconds of a fixed duration; throws ModelError (malformed) for any other text. */
export function durationToSeconds(duration: Duration): number {
  const span = readSpan(duration);
  if (span === null || !('seconds' in span)) throw badDuration(duration);
  return span.seconds;
}

/** Negative when `a` is shorter than `b`, zero when equally long, positive when it is longer. */
export function compareDurations(a: Duration, b: Duration): number {
  return durationToSeconds(a) - durationToSeconds(b);
}

/**
 * The instant that lies a duration after another. Months and years keep the day of the month and the
 * time of day; where the month is too short, its last day is taken (January 31 + P1M is February 28 or 29).
 * Throws ModelError (malformed) when an argument is malformed or the result lies after the year 9999.
 */
export function addDuration(instant: Instant, duration: CalendarDuration): Instant {
  const ms = instantToMs(instant);
  const span = readSpan(duration);
  if (span === null) throw badDuration(duration);
  return 'seconds' in span ? msToInstant(ms + span.seconds * 1000) : msToInstant(addMonths(ms, span.months));
}

function addMonths(ms: number, months: number): number {
  const date = new Date(ms);
  const monthIndex = date.getUTCMonth() + months;
  const year = date.getUTCFullYear() + Math.floor(monthIndex / 12);
  const month = monthIndex % 12;
  const day = Math.min(date.getUTCDate(), daysInMonth(year, month + 1));
  return Date.UTC(year, month, day) + (ms % (SECONDS_PER_DAY * 1000));
}

function readSpan(text: string): Span | null {
  const match = DURATION.exec(text);
  if (match === null) return null;
  if (match[2] === 'M' || match[2] === 'Y') {
    const months = Number(match[1]) * (match[2] === 'Y' ? 12 : 1);
    return months <= MONTHS_MAX ? { months } : null;
  }
  const seconds = Number(match[1] ?? match[3]) * unitSeconds(match[2] ?? match[4]);
  return seconds <= DURATION_SECONDS_MAX ? { seconds } : null;
}

function unitSeconds(unit: string | undefined): number {
  if (unit === 'D') return SECONDS_PER_DAY;
  if (unit === 'H') return 3600;
  return unit === 'M' ? 60 : 1;
}

/** `month` counts from 1. */
function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function badDuration(text: string): ModelError {
  return new ModelError('malformed', '$', `not a duration: ${text.slice(0, 40)}`);
}
