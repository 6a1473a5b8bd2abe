/**
 * What the access log holds of one request, as one line of JSON: docs/spec/access-log.md.
 *
 * Nearly everything in it may be a stranger's text: it is cut where it is long, and nothing of it can end a line, begin
 * another one, or speak to the terminal of whoever reads it.
 */
import { malformed, parseInstant } from '@tallystick/core';

export interface AccessRecord {
  /** When it was answered. Instant. */
  at: string;
  requestId: string;
  zone: string;
  /** Name of the route; a dash where none took it. */
  route: string;
  method: string;
  status: number;
  /** Code of the problem that it was answered with. */
  code: string | null;
  who: AccessCaller | null;
  /** IP address. */
  address: string;
  resource: { type: string; id: string } | null;
  decision: AccessDecision | null;
  why: string | null;
}

export interface AccessCaller {
  kind: string;
  id: string;
  credential: string;
  session: string | null;
}

export interface AccessDecision {
  effect: 'allow' | 'deny';
  /** base64 hashes of the policy set and of what it decided on. */
  policy: string;
  reasons: readonly string[];
  entities: string;
}

/** Characters of one text, and how many reasons of a decision are kept. */
const textMax = 256;
const reasonsMax = 32;
/** Bytes of the longest line that `encodeAccessRecord` makes, with room. */
export const lineLengthMax: number = 64 * 1024;

/** What JSON lets through and a terminal, or a reader that breaks lines at more than LF, does not show as text. */
const unprintable = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** The line of a record, without its line feed. */
export function encodeAccessRecord(record: AccessRecord): string {
  const { at, requestId, zone, route, method, status, code, who, address, resource, decision, why } = record;
  const line = JSON.stringify({
    at,
    requestId: cut(requestId),
    zone: cut(zone),
    route: cut(route),
    method: cut(method),
    status,
    code: cutOrNull(code),
    who: who && {
      kind: cut(who.kind),
      id: cut(who.id),
      credential: cut(who.credential),
      session: cutOrNull(who.session),
    },
    address: cut(address),
    resource: resource && { type: cut(resource.type), id: cut(resource.id) },
    decision: decision && {
      effect: decision.effect,
      policy: cut(decision.policy),
      reasons: decision.reasons.slice(0, reasonsMax).map(cut),
      entities: cut(decision.entities),
    },
    why: cutOrNull(why),
  });
  return line.replace(unprintable, escaped);
}

/** Throws MALFORMED for a line that is no record. */
export function parseAccessRecord(line: string): AccessRecord {
  try {
    const record = JSON.parse(line) as AccessRecord;
    parseInstant(record.at);
    // Encoding it again shows that every member is there, in its order and with its type.
    if (line.length <= lineLengthMax && encodeAccessRecord(record) === line) return record;
  } catch (error) {
    throw malformed(`access record: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw malformed('access record: members missing, unknown or out of order');
}

function cut(text: string): string {
  return text.length <= textMax ? text : `${text.slice(0, textMax - 1)}…`;
}

function cutOrNull(text: string | null): string | null {
  return text === null ? null : cut(text);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
