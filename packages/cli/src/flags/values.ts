/** Reads the values of flags. Each reader throws commander's InvalidArgumentError with a reason. */
import { readFileSync } from 'node:fs';
import type { AddonInput, EntitlementTypeInput, Grant, GrantInput, KeyCut } from '@tallystick/contract';
import { PostgresUrlError, parsePostgresUrl } from '@tallystick/ledger/postgres-url';
import { isCalendarDuration, isInstant } from '@tallystick/license';
import { type SystemAlgorithms, systemAlgorithms } from '@tallystick/server';
import { InvalidArgumentError } from 'commander';
import { messageOf } from '../errors.ts';

export type Reader = (text: string) => unknown;

export function asText(value: string): string {
  return value;
}

/** A whole number of at least 0. */
export function asNatural(value: string): number {
  const number = Number(value);
  if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('Give a whole number of at least 0.');
}

/** A log index; `+10` for one so many entries ahead of the log's size. */
export function asLogIndex(value: string): (size: number) => number {
  const number = asNatural(value.replace(/^\+/, ''));
  return (size) => (value.startsWith('+') ? size + number : number);
}

/** `2027-01-31` (its beginning, UTC), `2027-01-31T12:00:00Z` or with milliseconds, as an instant of the model. */
export function asInstant(value: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}:\d{2})(\.\d{3})?Z)?$/.exec(value);
  const instant = match === null ? '' : `${match[1]}T${match[2] ?? '00:00:00'}${match[3] ?? '.000'}Z`;
  if (isInstant(instant)) return instant;
  throw new InvalidArgumentError(
    'Give a date such as 2027-01-31, or an instant such as 2027-01-31T12:00:00Z.',
  );
}

/** Which units are allowed where is for the contract to say. */
export function asDuration(value: string): string {
  if (isCalendarDuration(value)) return value;
  throw new InvalidArgumentError('Give a duration such as P1Y, P1M, P30D or PT12H.');
}

/** The URL of a database for a log. */
export function asPostgresUrl(value: string): string {
  try {
    parsePostgresUrl(value);
    return value;
  } catch (error) {
    if (error instanceof PostgresUrlError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}

/** An http or https address without credentials and query. Returns it without its final slash. */
export function asAddress(value: string): string {
  const url = URL.parse(value);
  const isPlain =
    url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (isPlain && url.search === '' && url.hash === '') return value.replace(/\/+$/, '');
  throw new InvalidArgumentError('Give an address such as https://tally.example:8444.');
}

/** `name=address`; may be repeated. */
export function asNamedAddress(
  value: string,
  known: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const [name, address] = split(value, '=', 'name=address');
  if (known !== undefined && Object.hasOwn(known, name))
    throw new InvalidArgumentError(`${name} has two addresses.`);
  return { ...known, [name]: asAddress(address) };
}

/** `key`, or `key@index` for a key that ends at a log index. */
export function asKeyCut(value: string): KeyCut {
  const [key = '', index, ...rest] = value.split('@');
  if (key === '' || rest.length > 0) throw new InvalidArgumentError('Give a key, or key@index.');
  return index === undefined ? { key } : { key, index: asNatural(index) };
}

/** Algorithms that sign side by side: `ed25519,ml-dsa-44`, or `ed25519` alone. */
export function asAlgorithms(value: string): SystemAlgorithms {
  if (value === systemAlgorithms.join()) return systemAlgorithms;
  if (value === 'ed25519') return ['ed25519'];
  throw new InvalidArgumentError(`Give ${systemAlgorithms.join()}, or ed25519 alone.`);
}

/** `name=value`, for metadata. */
export function asPair(value: string): [string, string] {
  const [name, rest] = split(value, '=', 'name=value');
  return [name, rest];
}

/** `code=grant`, for plans. */
export function asGrant(value: string): [string, Grant] {
  const [code, grant] = split(value, '=', 'code=value');
  return [code, readGrant(grant)];
}

/** `code=grant`, or `code=grant@instant` for one that ends, for licenses. */
export function asGrantInput(value: string): [string, GrantInput] {
  const [code, rest] = split(value, '=', 'code=value');
  const match = /^(.*)@(\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?)$/s.exec(rest);
  if (match === null) return [code, readGrant(rest)];
  return [code, { ...readGrant(match[1] ?? ''), until: asInstant(match[2] ?? '') }];
}

const LIMIT = /^limit:(\d{1,16})(?:\/(P[^/]+))?(?:\/(block|allow))?$/;

/**
 * `true` and `false`, whole numbers, `limit:1000000/P1M/block` for quotas (period and policy may be left
 * out), and else text; in double quotes where it would be read as something else.
 */
function readGrant(text: string): Grant {
  if (text === 'true' || text === 'false') return { value: text === 'true' };
  if (/^-?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return { value: Number(text) };
  if (text.startsWith('limit:')) {
    const match = LIMIT.exec(text);
    if (match === null) throw new InvalidArgumentError('Give a quota such as limit:1000000/P1M/block.');
    const per = match[2] === undefined ? null : asDuration(match[2]);
    return { limit: Number(match[1]), per, over: match[3] === 'allow' ? 'allow' : 'block' };
  }
  const quoted = /^"(.*)"$/s.exec(text);
  return { value: quoted?.[1] ?? text };
}

const TYPES = ['boolean', 'integer', 'string', 'quota'] as const;

/** `code=type`, with `,name=…`, `,unit=…` and `,enum=a|b` where wanted, for the catalog of a product. */
export function asCatalogType(value: string): [string, EntitlementTypeInput] {
  const [code, rest] = split(value, '=', 'code=type');
  const [typeName = '', ...members] = rest.split(',');
  const type = TYPES.find((each) => each === typeName);
  if (type === undefined) throw new InvalidArgumentError(`The type is one of: ${TYPES.join(', ')}.`);
  const input: EntitlementTypeInput = { type };
  for (const member of members) {
    const [name, text] = split(member, '=', 'name=…, unit=… or enum=a|b');
    if (name === 'name') input.name = text;
    else if (name === 'unit') input.unit = text;
    else if (name === 'enum') input.enum = text.split('|');
    else throw new InvalidArgumentError('After the type come name=…, unit=… and enum=a|b only.');
  }
  return [code, input];
}

/** `plan`, `plan:quantity`, and `@instant` after either for an add-on that ends. */
export function asAddon(value: string): AddonInput {
  const match = /^([^:@]+)(?::(\d{1,9}))?(?:@(.+))?$/.exec(value);
  if (match === null)
    throw new InvalidArgumentError('Give an add-on such as plan, plan:3 or plan:3@2027-01-31.');
  return {
    plan: match[1] ?? '',
    ...(match[2] === undefined ? {} : { quantity: Number(match[2]) }),
    ...(match[3] === undefined ? {} : { until: asInstant(match[3]) }),
  };
}

/** `count/duration`, such as `3/P30D`. */
export function asRehost(value: string): { count: number; per: string } {
  const [count, per] = split(value, '/', 'count/duration, such as 3/P30D');
  return { count: asNatural(count), per: asDuration(per) };
}

export function asTrial(value: string): { oncePer: string } {
  return { oncePer: value };
}

export function asList(value: string): string[] {
  return value.split(',');
}

/** A secret is better read from a file than seen in the list of processes. */
export function asFirstLineOfFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0]?.trim() ?? '';
  } catch (error) {
    throw new InvalidArgumentError(`The file cannot be read: ${messageOf(error)}.`);
  }
}

function split(text: string, by: string, form: string): [string, string] {
  const at = text.indexOf(by);
  if (at < 1) throw new InvalidArgumentError(`Give ${form}.`);
  return [text.slice(0, at), text.slice(at + by.length)];
}
