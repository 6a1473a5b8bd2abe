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
/** What stands in JSON as it is: printable ASCII but for the quotation mark and the backslash. */
const verbatimText = /^[ !#-[\]-~]*$/;
/** Printable ASCII and the dash that note signatures begin with: nothing to normalize. */
const plainText = /^[\x20-\x7e\u2014]*$/;
const plainLines = /^[\n\x20-\x7e\u2014]*$/;
const controls = /\p{Cc}/u;
const controlsButLineFeed = /[^\P{Cc}\n]/u;
/** What every number with an exponent ends with, and hardly anything else. */
const exponents = /\d[eE][-+]?\d+(?:[\s,\]}]|$)/;
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
  if (!isCanonical(text, value, multiline)) throw malformed('JSON is not in its one canonical encoding');
  return value;
}

/**
 * True where a text is the canonical encoding of the value that it parses to; throws MALFORMED where the value is
 * outside the profile. Re-encoding it says the same, and costs as much as all the rest.
 *
 * A text of the canonical length is canonical: in the profile each string has one shortest spelling, and white space,
 * names given twice and other spellings of a number only add to it. The one exception are exponents, which make whole
 * hundreds as short or shorter, as in 1e2.
 */
function isCanonical(text: string, value: JsonValue, multiline: ReadonlySet<string>): boolean {
  const measure: Measure = { multiline, hasHundreds: false };
  if (encodedLength(value, false, 0, measure) !== text.length) return false;
  return !measure.hasHundreds || !exponents.test(text) || JSON.stringify(value) === text;
}

/** True where a string may stand in the profile. */
export function isProfileText(text: string, multiline = false): boolean {
  if ((multiline ? plainLines : plainText).test(text)) return true;
  if ((multiline ? controlsButLineFeed : controls).test(text)) return false;
  return text.isWellFormed() && text.normalize('NFC') === text;
}

export function isProfileName(name: string): boolean {
  if (namesSeen.has(name)) return true;
  if (!nameRule.test(name)) return false;
  if (namesSeen.size < namesSeenMax) namesSeen.add(name);
  return true;
}

/** What is told and found on the way through a value. */
interface Measure {
  readonly multiline: ReadonlySet<string>;
  hasHundreds: boolean;
}

/** Checks a value against the profile; returns the length of its canonical encoding, in UTF-16 units. */
function encodedLength(value: JsonValue, isMultiline: boolean, depth: number, measure: Measure): number {
  if (typeof value === 'string') {
    if (verbatimText.test(value)) return 2 + value.length;
    if (!isProfileText(value, isMultiline)) throw malformed('text outside the JSON profile');
    return 2 + value.length + count(value, '"') + count(value, '\\') + count(value, '\n');
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw malformed('number is not a safe integer');
    if (value % 100 === 0 && value !== 0) measure.hasHundreds = true;
    return String(value).length;
  }
  if (value === null || value === true) return 4;
  if (value === false) return 5;
  if (depth === depthMax) throw malformed('JSON nested too deep');
  // Brackets, and a comma before each item but the first.
  let length = 1;
  if (Array.isArray(value)) {
    for (const item of value) length += 1 + encodedLength(item, false, depth + 1, measure);
  } else {
    for (const name in value) {
      if (!isProfileName(name)) throw malformed('member name outside the JSON profile');
      const member = value[name] as JsonValue;
      length += 4 + name.length + encodedLength(member, measure.multiline.has(name), depth + 1, measure);
    }
  }
  return length === 1 ? 2 : length;
}

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) found += 1;
  return found;
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
  if (found.length !== names.length || found.some((name, at) => name !== names[at])) {
    const unknown = found.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new IntegrityError('TOO_NEW', `${what}: unknown member ${unknown}`);
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
