/**
 * The lines of the signer's journal: docs/spec/journal.md.
 *
 *     {"v":1,"n","prev","at","op",…}
 *
 * `prev` is the hash of the line before, so a line that was changed, moved or taken out breaks the chain behind it.
 */
import {
  asArray,
  asCount,
  asObject,
  asString,
  base64,
  concatBytes,
  decodeBase64,
  domainHash,
  hashDomain,
  hashLength,
  IntegrityError,
  type JsonObject,
  type JsonValue,
  malformed,
  parseInstant,
  parseJson,
  requireVersion1,
  utf8,
} from '@tallystick/core';

/** Why the log will not hold what was signed at an index and above. The signer itself says `not_said`. */
export const abandonCauses = ['restarted', 'commit_failed', 'signer_lost', 'signer_refused'] as const;
export type AbandonCause = (typeof abandonCauses)[number];

/** Byte strings are packed where there are several: 32 bytes each. */
export type JournalEvent =
  | {
      op: 'begun';
      origin: string;
      size: number;
      root: Uint8Array;
      by: 'init' | 'signer';
      lost: number | null;
    }
  | { op: 'started'; cut: number }
  | { op: 'keys'; keys: { keyid: string; usages: readonly string[] }[] }
  | { op: 'batch'; index: number; leaves: Uint8Array; keyids: readonly string[]; publishBy: string }
  | { op: 'promise'; index: number; count: number; root: Uint8Array; publishBy: string }
  | { op: 'checkpoint'; size: number; root: Uint8Array }
  | { op: 'followed'; size: number; root: Uint8Array }
  | { op: 'access'; origin: string; size: number; root: Uint8Array }
  | { op: 'adopted'; ns: string; type: string; rev: number; leaf: Uint8Array }
  | { op: 'attested'; keyids: readonly string[] }
  | { op: 'resumed'; size: number }
  | {
      op: 'abandoned';
      /** `n` of the line that says what was signed. */
      line: number;
      index: number;
      leaves: Uint8Array;
      cause: AbandonCause | 'not_said';
    }
  | { op: 'refused'; request: string; reason: string; message: string; count: number };

export interface JournalLine {
  n: number;
  /** null in the first line. */
  prev: Uint8Array | null;
  /** An instant, by the signer's clock. */
  at: string;
  event: JournalEvent;
}

const lineDomain = hashDomain('tallystick/journal/v1');
const leavesMax = 4096;
const keysMax = 4096;

/** Bytes of a line beyond which it is none. */
export const lineLengthMax: number = 1024 * 1024;

/** The hash that the next line names; `line` is without its line feed. */
export function lineHash(line: Uint8Array): Uint8Array {
  return domainHash(lineDomain, line);
}

/** The one encoding of a line, without its line feed. */
export function encodeLine({ n, prev, at, event }: JournalLine): Uint8Array {
  const head = { v: 1, n, prev: prev === null ? null : base64(prev), at };
  return utf8(JSON.stringify({ ...head, ...(toJson(event) as JsonObject) }));
}

function toJson(event: JournalEvent): object {
  switch (event.op) {
    case 'begun':
    case 'promise':
    case 'checkpoint':
    case 'followed':
    case 'access':
      return { ...event, root: base64(event.root) };
    case 'batch':
    case 'abandoned':
      return { ...event, leaves: leavesOf(event.leaves).map(base64) };
    case 'adopted':
      return { ...event, leaf: base64(event.leaf) };
    default:
      return event;
  }
}

/** Packed leaf hashes, one by one. */
export function leavesOf(packed: Uint8Array): Uint8Array[] {
  return Array.from({ length: packed.length / hashLength }, (_, nth) =>
    packed.subarray(nth * hashLength, (nth + 1) * hashLength),
  );
}

/** Parses a line without its line feed; throws MALFORMED, or TOO_NEW for one of a newer version. */
export function parseLine(line: Uint8Array): JournalLine {
  const json = asObject(parseJson(line), 'line');
  requireVersion1(json.v, 'line');
  const { n, prev, at } = json;
  const parsed = {
    n: asCount(n, 'n'),
    prev: prev === null ? null : parseHash(prev, 'prev'),
    at: asInstant(at, 'at'),
    event: parseEvent(json),
  };
  // Also refuses members that do not belong there, and an order of its own.
  const again = encodeLine(parsed);
  if (Buffer.compare(again, line) !== 0) throw malformed('line: members missing, unknown or out of order');
  return parsed;
}

function parseEvent(json: JsonObject): JournalEvent {
  switch (json.op) {
    case 'begun':
      return {
        op: 'begun',
        origin: asString(json.origin, 'origin'),
        ...sizeAndRoot(json),
        by: oneOf(json.by, ['init', 'signer'], 'by'),
        lost: json.lost === null ? null : asCount(json.lost, 'lost'),
      };
    case 'started':
      return { op: 'started', cut: asCount(json.cut, 'cut') };
    case 'keys':
      return { op: 'keys', keys: asArray(json.keys, 'keys', keysMax).map(parseKey) };
    case 'batch':
      return {
        op: 'batch',
        ...indexAndLeaves(json),
        keyids: strings(json.keyids, 'keyids'),
        publishBy: asInstant(json.publishBy, 'publishBy'),
      };
    case 'promise':
      return {
        op: 'promise',
        index: asCount(json.index, 'index'),
        count: asCount(json.count, 'count'),
        root: parseHash(json.root, 'root'),
        publishBy: asInstant(json.publishBy, 'publishBy'),
      };
    case 'checkpoint':
      return { op: 'checkpoint', ...sizeAndRoot(json) };
    default:
      return parseOther(json);
  }
}

function parseOther(json: JsonObject): JournalEvent {
  switch (json.op) {
    case 'adopted':
      return {
        op: 'adopted',
        ns: asString(json.ns, 'ns'),
        type: asString(json.type, 'type'),
        rev: asCount(json.rev, 'rev'),
        leaf: parseHash(json.leaf, 'leaf'),
      };
    case 'attested':
      return { op: 'attested', keyids: strings(json.keyids, 'keyids') };
    case 'followed':
      return { op: 'followed', ...sizeAndRoot(json) };
    case 'access':
      return { op: 'access', origin: asString(json.origin, 'origin'), ...sizeAndRoot(json) };
    case 'resumed':
      return { op: 'resumed', size: asCount(json.size, 'size') };
    case 'abandoned':
      return {
        op: 'abandoned',
        line: asCount(json.line, 'line'),
        ...indexAndLeaves(json),
        cause: oneOf(json.cause, [...abandonCauses, 'not_said'], 'cause'),
      };
    case 'refused':
      return {
        op: 'refused',
        request: asString(json.request, 'request'),
        reason: asString(json.reason, 'reason'),
        message: asString(json.message, 'message'),
        count: asCount(json.count, 'count'),
      };
    default:
      throw new IntegrityError('TOO_NEW', 'line: an operation that this version does not know');
  }
}

function sizeAndRoot(json: JsonObject): { size: number; root: Uint8Array } {
  return { size: asCount(json.size, 'size'), root: parseHash(json.root, 'root') };
}

function indexAndLeaves(json: JsonObject): { index: number; leaves: Uint8Array } {
  const leaves = asArray(json.leaves, 'leaves', leavesMax).map((leaf) => parseHash(leaf, 'leaves'));
  if (leaves.length === 0) throw malformed('leaves: none');
  return { index: asCount(json.index, 'index'), leaves: concatBytes(...leaves) };
}

function parseKey(value: JsonValue): { keyid: string; usages: string[] } {
  const json = asObject(value, 'key');
  return { keyid: asString(json.keyid, 'keyid'), usages: strings(json.usages, 'usages') };
}

function strings(value: JsonValue | undefined, what: string): string[] {
  return asArray(value, what, keysMax).map((item) => asString(item, what));
}

/** The member of a closed list; throws MALFORMED. */
export function oneOf<const Value extends string>(
  value: JsonValue | undefined,
  values: readonly Value[],
  what: string,
): Value {
  const found = values.find((each) => each === value);
  if (found === undefined) throw malformed(`${what}: not one of ${values.join(', ')}`);
  return found;
}

function parseHash(value: JsonValue | undefined, what: string): Uint8Array {
  return decodeBase64(asString(value, what), hashLength);
}

function asInstant(value: JsonValue | undefined, what: string): string {
  const text = asString(value, what);
  parseInstant(text);
  return text;
}
