import { ModelError, type ModelErrorKind } from '../errors.ts';
import { isName } from '../text.ts';

const CRIT_MAX = 20;

/**
 * Small strict readers that compose. A reader takes what `JSON.parse` gave and returns the typed value,
 * with its members in the order of the type, or throws `ReadProblem`. Containers add their own step to
 * the path of a problem on its way out, so that reading well-formed values never pays for paths.
 */
export type Reader<T> = (value: unknown) => T;

/** A reader of a member that may be absent. */
export interface OptionalReader<T> {
  optional: Reader<T>;
}

export class ReadProblem extends Error {
  readonly kind: ModelErrorKind;
  /** Innermost step first. */
  readonly steps: string[] = [];

  constructor(kind: ModelErrorKind, reason: string) {
    super(reason);
    this.kind = kind;
  }
}

/** The problem of a value that breaks a rule. */
export function malformed(reason: string): ReadProblem {
  return new ReadProblem('malformed', reason);
}

/** Reads a whole value; throws ModelError with the path of the first problem. */
export function readAll<T>(read: Reader<T>, value: unknown): T {
  try {
    return read(value);
  } catch (error) {
    if (!(error instanceof ReadProblem)) throw error;
    throw new ModelError(error.kind, `$${error.steps.reverse().join('')}`, error.message);
  }
}

type MemberReaders<T> = {
  [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? OptionalReader<Exclude<T[K], undefined>>
    : Reader<T[K]>;
};

/** An object whose unknown members are ignored: documents, which newer versions may extend. */
export function open<T extends object>(members: MemberReaders<T>): Reader<T> {
  return objectOf(members, false);
}

/**
 * A document: an open object whose `crit` names members that a reader must understand. One that is not
 * among the members here is too new.
 */
export function documentOf<T extends { crit: string[] }>(members: Omit<MemberReaders<T>, 'crit'>): Reader<T> {
  const ordered: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(members)) {
    ordered[name] = read;
    // The head ends with `crit`, so that a document of a newer version says so before anything else fails.
    if (name === 'rev') ordered['crit'] = criticalNames([...Object.keys(members), 'crit']);
  }
  return open<T>(ordered as MemberReaders<T>);
}

/** An object whose unknown members are refused: commands, where one is a spelling mistake. */
export function closed<T extends object>(members: MemberReaders<T>): Reader<T> {
  return objectOf(members, true);
}

/** Marks a member that may be absent; `undefined` counts as absent. */
export function optional<T>(read: Reader<T>): OptionalReader<T> {
  return { optional: read };
}

interface Slot {
  name: string;
  read: Reader<unknown>;
  required: boolean;
}

function objectOf<T extends object>(members: MemberReaders<T>, refuseUnknown: boolean): Reader<T> {
  const slots = Object.entries<Reader<unknown> | OptionalReader<unknown>>(members).map(
    ([name, part]): Slot =>
      typeof part === 'function'
        ? { name, read: part, required: true }
        : { name, read: part.optional, required: false },
  );
  const known = new Set(Object.keys(members));

  return (value) => {
    const source = plainObject(value);
    if (isOwnReading(source, slots)) return source as T;
    const result: Record<string, unknown> = {};
    for (const { name, read, required } of slots) {
      const member = source[name];
      if (member === undefined && !required) continue;
      try {
        if (member === undefined) throw malformed('is missing');
        result[name] = read(member);
      } catch (error) {
        throw within(error, `.${name}`);
      }
    }
    if (refuseUnknown) refuseUnknownMembers(source, known);
    return result as T;
  };
}

/**
 * True where reading an object would make the same object again: its members are those of the type, in the order of
 * the type, and each is its own reading. So are nearly all documents, and copying them costs more than checking them.
 */
function isOwnReading(source: Record<string, unknown>, slots: readonly Slot[]): boolean {
  let at = 0;
  for (const name in source) {
    while (slots[at]?.required === false && slots[at]?.name !== name) at += 1;
    const slot = slots[at];
    const member = source[name];
    if (slot?.name !== name || member === undefined) return false;
    try {
      if (slot.read(member) !== member) return false;
    } catch (error) {
      throw within(error, `.${name}`);
    }
    at += 1;
  }
  while (slots[at]?.required === false) at += 1;
  return at === slots.length;
}

function refuseUnknownMembers(source: Record<string, unknown>, known: Set<string>): void {
  for (const name of Object.keys(source)) {
    if (!known.has(name)) throw within(malformed('is not a known member'), step(name));
  }
}

/** An object used as a map of at most `entriesMax` entries, whose order is kept. */
export function mapOf<T>(
  readKey: Reader<string>,
  readValue: Reader<T>,
  entriesMax: number,
): Reader<Record<string, T>> {
  return (value) => {
    const source = plainObject(value);
    const keys = Object.keys(source);
    if (keys.length > entriesMax) throw malformed(`must have at most ${entriesMax} entries`);
    const result: Record<string, T> = {};
    let isSame = true;
    for (const key of keys) {
      try {
        const name = readKey(key);
        const read = readValue(source[key]);
        isSame &&= name === key && read === source[key];
        // The rules for keys leave no room for `__proto__`, so this assignment only ever adds a member.
        result[name] = read;
      } catch (error) {
        throw within(error, step(key));
      }
    }
    return isSame ? (source as Record<string, T>) : result;
  };
}

/** An array of at most `lengthMax` items. */
export function listOf<T>(read: Reader<T>, lengthMax: number): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw malformed('must be an array');
    if (value.length > lengthMax) throw malformed(`must have at most ${lengthMax} items`);
    const result: T[] = [];
    for (let index = 0; index < value.length; index += 1) {
      try {
        result.push(read(value[index]));
      } catch (error) {
        throw within(error, `[${index}]`);
      }
    }
    return result.every((item, index) => item === value[index]) ? value : result;
  };
}

/** The value of a reader, or null. */
export function nullable<T>(read: Reader<T>): Reader<T | null> {
  return (value) => (value === null ? null : read(value));
}

/** One of a closed list of texts. */
export function oneOf<const T extends string>(...choices: readonly T[]): Reader<T> {
  const known: ReadonlySet<unknown> = new Set(choices);
  return (value) => {
    if (!known.has(value)) throw malformed(`must be one of: ${choices.join(', ')}`);
    return value as T;
  };
}

/** A safe integer from `min` to `max`; `-0` is not one. */
export function integer(
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): Reader<number> {
  return (value) => {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw malformed('must be an integer');
    if ((value as number) < min) throw malformed(`must be at least ${min}`);
    if ((value as number) > max) throw malformed(`must be at most ${max}`);
    return value as number;
  };
}

export const boolean: Reader<boolean> = (value) => {
  if (typeof value !== 'boolean') throw malformed('must be true or false');
  return value;
};

/** A text that a predicate accepts; `what` completes the sentence "must be …". */
export function textThat(accepts: (text: string) => boolean, what: string): Reader<string> {
  return (value) => {
    if (typeof value !== 'string' || !accepts(value)) throw malformed(`must be ${what}`);
    return value;
  };
}

/** The value as an object with members; throws for arrays, null and everything else. */
export function plainObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('must be an object');
  return value as Record<string, unknown>;
}

function within(error: unknown, pathStep: string): unknown {
  if (error instanceof ReadProblem) error.steps.push(pathStep);
  return error;
}

/** Member names come from outside: quoted when they are unusual, and cut when they are long. */
function step(name: string): string {
  return /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 64))}]`;
}

function criticalNames(known: readonly string[]): Reader<string[]> {
  const understood = new Set(known);
  const readNames = listOf(textThat(isName, 'a member name'), CRIT_MAX);
  return (value) => {
    const names = readNames(value);
    for (const name of names) {
      if (!understood.has(name)) {
        throw new ReadProblem(
          'too_new',
          `member ${name} is critical but not known here: update this software`,
        );
      }
    }
    if (new Set(names).size !== names.length) throw malformed('must not name a member twice');
    return names;
  };
}
