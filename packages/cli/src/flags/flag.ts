/** Flags as data: each says where in the body of a request its value goes. */
import { type Command, Option } from 'commander';
import { usageError } from '../errors.ts';
import { asText, type Reader } from './values.ts';

export interface Flag {
  /** As commander has it: `--name <text>`, or `--perpetual` for a flag with a constant. */
  flags: string;
  description: string;
  /** Members of the body, from the outermost. */
  path: readonly string[];
  /** Reads the value; as it stands when left out. */
  read?: Reader;
  choices?: readonly string[];
  /** Repeatable: values are put in a list, or, being pairs, in an object. */
  collect?: 'list' | 'object';
  /** For flags without a value. */
  constant?: unknown;
  /** The member may be null: there is also `--no-…`. */
  clearable?: true;
  /** `true`, with `--no-…` for `false`. */
  toggle?: true;
}

/** What commander collected, by the names that it gives to options. */
export type FlagValues = Readonly<Record<string, unknown>>;

export function addFlags(command: Command, flags: readonly Flag[]): void {
  for (const flag of flags) {
    const option = new Option(flag.flags, describe(flag));
    if (flag.choices !== undefined) option.choices(flag.choices);
    const read = flag.choices === undefined ? (flag.read ?? asText) : flag.read;
    if (flag.collect !== undefined) {
      option.argParser((text: string, before: unknown) => [
        ...(Array.isArray(before) ? (before as unknown[]) : []),
        read?.(text),
      ]);
    } else if (option.required && read !== undefined && flag.choices === undefined) {
      option.argParser((text: string) => read(text));
    }
    command.addOption(option);
    if (flag.clearable === true || flag.toggle === true) {
      command.addOption(new Option(`--no-${option.name()}`, '').hideHelp());
    }
  }
}

function describe(flag: Flag): string {
  const notes = [
    ...(flag.collect === undefined ? [] : ['repeatable']),
    ...(flag.clearable === true ? [`--no-${nameOf(flag)} for none`] : []),
    ...(flag.toggle === true ? [`or --no-${nameOf(flag)}`] : []),
  ];
  return notes.length === 0 ? flag.description : `${flag.description} (${notes.join('; ')})`;
}

function nameOf({ flags }: Flag): string {
  return new Option(flags).name();
}

/** True when any of the flags was given. */
export function anyGiven(flags: readonly Flag[], values: FlagValues): boolean {
  return flags.some((flag) => values[new Option(flag.flags).attributeName()] !== undefined);
}

/** Puts the body together. Throws a usage error when two flags say different things about one member. */
export function bodyOfFlags(flags: readonly Flag[], values: FlagValues): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const setBy = new Map<string, string>();
  for (const flag of flags) {
    const given = values[new Option(flag.flags).attributeName()];
    if (given === undefined) continue;
    const before = setBy.get(flag.path.join('.'));
    const isShared = flag.collect === 'object' && before !== undefined;
    if (before !== undefined && !isShared) {
      throw usageError(`--${before} and --${nameOf(flag)} contradict each other.`, 'Give one of them.');
    }
    setBy.set(flag.path.join('.'), nameOf(flag));
    place(body, flag, memberOf(flag, given));
  }
  return body;
}

function memberOf(flag: Flag, given: unknown): unknown {
  if (flag.toggle === true) return given;
  if (given === false) return flag.collect === 'list' ? [] : flag.collect === 'object' ? {} : null;
  if ('constant' in flag) return flag.constant;
  if (flag.collect !== 'object') return given;
  const object: Record<string, unknown> = {};
  for (const [name, value] of given as [string, unknown][]) {
    if (Object.hasOwn(object, name)) {
      throw usageError(`--${nameOf(flag)} is given twice for ${name}.`, 'Give it once.');
    }
    // A name such as __proto__ must become a member like any other, for the contract to refuse.
    Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return object;
}

function place(body: Record<string, unknown>, flag: Flag, value: unknown): void {
  const names = [...flag.path];
  const last = names.pop() ?? '';
  let target = body;
  for (const name of names) {
    target[name] ??= {};
    target = target[name] as Record<string, unknown>;
  }
  const before = target[last];
  // Two flags may fill one object: what is granted, and what is taken away.
  target[last] =
    flag.collect === 'object' && before !== undefined
      ? { ...(before as object), ...(value as object) }
      : value;
}
