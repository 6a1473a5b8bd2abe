/**
 * The JSON profile of everything signed or committed to.
 *
 * One value has one encoding, so bytes can be verified first and parsed after: no duplicate names,
 * no floats, no escapes that JSON.stringify would not write, NFC text, nothing hidden.
 */
import { IntegrityError, malformed } from '../errors.ts';
import { decodeUtf8 } from './bytes.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [name: string]: JsonValue;
}

const nameRule = /^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/;
const plainText = /^[\x20-\x7e]*$/;
const controls = /\p{Cc}/u;
const controlsButLineFeed = /[^\P{Cc}\n]/u;
const depthMax = 16;

/** Documents have the same few names again and again; what strangers name theirs does not grow this without end. */
const namesSeen = new Set<string>();
const namesSeenMax = 1024;

const noMultiline: ReadonlySet<string> = new Set();

/**
 * Parses bytes of the profile; throws MALFORMED for anything that is not its own re-encoding. Strings of the
 * members named in `multiline` may hold line feeds: a quorum, a map.root entry, a tlog-proof.
 */
export function parseJson(bytes: Uint8Array, multiline: ReadonlySet<string> = noMultiline): JsonValue {
  return parseJsonText(decodeUtf8(bytes), multiline);
}

/** As `parseJson`, for text. */
export function parseJsonText(text: string, multiline: ReadonlySet<string> = noMultiline): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw malformed('not JSON');
  }
  checkValue(value, '', 0, multiline);
  if (JSON.stringify(value) !== text) throw malformed('JSON is not in its one canonical encoding');
  return value;
}

/** True where a string may stand in the profile. */
export function isProfileText(text: string, multiline = false): boolean {
  if (plainText.test(text)) return true;
  if ((multiline ? controlsButLineFeed : controls).test(text)) return false;
  return text.isWellFormed() && text.normalize('NFC') === text;
}

export function isProfileName(name: string): boolean {
  if (namesSeen.has(name)) return true;
  if (!nameRule.test(name)) return false;
  if (namesSeen.size < namesSeenMax) namesSeen.add(name);
  return true;
}

function checkValue(value: JsonValue, member: string, depth: number, multiline: ReadonlySet<string>): void {
  if (typeof value === 'string') {
    if (!isProfileText(value, multiline.has(member))) throw malformed('text outside the JSON profile');
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw malformed('number is not a safe integer');
  } else if (Array.isArray(value)) {
    if (depth === depthMax) throw malformed('JSON nested too deep');
    for (const item of value) checkValue(item, '', depth + 1, multiline);
  } else if (value !== null && typeof value === 'object') {
    if (depth === depthMax) throw malformed('JSON nested too deep');
    for (const name in value) {
      if (!isProfileName(name)) throw malformed('member name outside the JSON profile');
      checkValue(value[name] as JsonValue, name, depth + 1, multiline);
    }
  }
}

/**
 * The members of a closed structure, in the order printed in the specification. A member that is
 * not in `names` means a newer format (TOO_NEW); a missing or misplaced one is MALFORMED.
 */
export function closedMembers<const Names extends readonly string[]>(
  value: JsonValue | undefined,
  names: Names,
  what: string,
): { [Name in Names[number]]: JsonValue } {
  const object = asObject(value, what);
  const found = Object.keys(object);
  for (const name of found) {
    if (!names.includes(name)) throw new IntegrityError('TOO_NEW', `${what}: unknown member ${name}`);
  }
  if (found.length !== names.length || found.some((name, at) => name !== names[at])) {
    throw malformed(`${what}: members missing or out of order`);
  }
  return object as { [Name in Names[number]]: JsonValue };
}

export function asObject(value: JsonValue | undefined, what: string): JsonObject {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw malformed(`${what}: not an object`);
  }
  return value;
}

export function asArray(value: JsonValue | undefined, what: string, lengthMax: number): JsonValue[] {
  if (!Array.isArray(value)) throw malformed(`${what}: not a list`);
  if (value.length > lengthMax) throw malformed(`${what}: more than ${lengthMax} items`);
  return value;
}

export function asString(value: JsonValue | undefined, what: string): string {
  if (typeof value !== 'string') throw malformed(`${what}: not text`);
  return value;
}

/** A non-negative safe integer. */
export function asCount(value: JsonValue | undefined, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(`${what}: not a non-negative integer`);
  }
  return value;
}

/** Structures of version 1 only: a higher one asks for an update of the reader. */
export function requireVersion1(value: JsonValue | undefined, what: string): void {
  if (value === 1) return;
  if (typeof value === 'number') throw new IntegrityError('TOO_NEW', `${what}: version ${value}`);
  throw malformed(`${what}: no version`);
}
