/**
 * What a client remembers of what it has verified, so that yesterday's truth is not sold to it twice.
 *
 * Plain JSON, written and read by the client alone: it is as trustworthy as the device's own disk.
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import { IntegrityError } from '../errors.ts';
import {
  type BrakeDocument,
  type NamespaceDocument,
  parseBrake,
  parseNamespace,
} from '../trust/namespace.ts';

/** A public document at the log index that it was newest at. */
export interface RememberedDocument {
  index: number;
  /** The document's text. */
  document: string;
}

export interface Remembered {
  v: 1;
  /** base64 of the trust root's genesis, and the namespace: memories of others do not apply. */
  genesis: string;
  ns: string;
  /** The largest checkpoint verified: size, base64 root, its newest time in seconds, and who governed it. */
  size: number;
  root: string;
  asOf: number;
  trustVersion: number;
  /** The newest time of any checkpoint verified, in seconds: no clock that was right shows less. */
  floor: number;
  /** Largest log index seen per subject (base64 K). */
  heads: Record<string, number>;
  namespace: RememberedDocument;
  brake: RememberedDocument;
}

/** A smaller log is only an earlier one if it is also older: beyond this, in seconds, it was rolled back. */
const rollbackToleranceSeconds = 3600;

export interface SeenAnchor {
  size: number;
  root: Uint8Array;
  asOf: number;
}

/** Throws FORKED, ROLLED_BACK or TRUST_INVALID where an anchor contradicts what is remembered. */
export function checkAnchorAgainst(
  remembered: Remembered,
  anchor: SeenAnchor & { trustVersion: number },
): void {
  if (anchor.size === remembered.size && !equalBytes(anchor.root, decodeBase64(remembered.root))) {
    throw new IntegrityError('FORKED', `two histories of the log at size ${anchor.size} were signed`);
  }
  if (anchor.size < remembered.size && anchor.asOf > remembered.asOf + rollbackToleranceSeconds) {
    throw new IntegrityError(
      'ROLLED_BACK',
      `the log had ${remembered.size} entries and later ${anchor.size}`,
    );
  }
  if (anchor.size >= remembered.size && anchor.trustVersion < remembered.trustVersion) {
    const { trustVersion } = remembered;
    throw new IntegrityError(
      'TRUST_INVALID',
      `trust root ${trustVersion} governed this log before it was this long`,
    );
  }
}

/** Throws SUPERSEDED where a newer entry of the subject has been seen; `index` null is "never issued". */
export function checkHeadAgainst(remembered: Remembered, key: Uint8Array, index: number | null): void {
  const seen = remembered.heads[base64(key)];
  if (seen !== undefined && (index === null || index < seen)) {
    throw new IntegrityError('SUPERSEDED', 'a newer state of this subject has been seen');
  }
}

/** The namespace and brake to judge by: the newest ever seen. */
export function newestPublicDocuments(
  remembered: Remembered | null,
  found: { namespace: SeenDocument<NamespaceDocument>; brake: SeenDocument<BrakeDocument> },
): { namespace: SeenDocument<NamespaceDocument>; brake: SeenDocument<BrakeDocument> } {
  if (remembered === null) return found;
  return {
    namespace: newer(remembered.namespace, found.namespace, parseNamespace),
    brake: newer(remembered.brake, found.brake, parseBrake),
  };
}

export interface SeenDocument<T> {
  index: number;
  text: string;
  document: T;
}

function newer<T>(
  known: RememberedDocument,
  found: SeenDocument<T>,
  parse: (bytes: Uint8Array) => T,
): SeenDocument<T> {
  if (known.index <= found.index) return found;
  return { index: known.index, text: known.document, document: parse(utf8(known.document)) };
}

/** What to remember after a bundle was verified. */
export function remember(
  before: Remembered | null,
  seen: {
    genesis: Uint8Array;
    ns: string;
    anchor: SeenAnchor;
    trustVersion: number;
    heads: { key: Uint8Array; index: number }[];
    namespace: SeenDocument<NamespaceDocument>;
    brake: SeenDocument<BrakeDocument>;
  },
): Remembered {
  const { anchor } = seen;
  const isNewer =
    before === null ||
    anchor.size > before.size ||
    (anchor.size === before.size && anchor.asOf > before.asOf);
  const heads = { ...before?.heads };
  for (const { key, index } of seen.heads) {
    const name = base64(key);
    heads[name] = Math.max(index, heads[name] ?? 0);
  }
  return {
    v: 1,
    genesis: base64(seen.genesis),
    ns: seen.ns,
    size: isNewer ? anchor.size : before.size,
    root: isNewer ? base64(anchor.root) : before.root,
    // Not the largest time seen: else a log that was rolled back could creep forward hour by hour.
    asOf: isNewer ? anchor.asOf : before.asOf,
    trustVersion: isNewer ? seen.trustVersion : before.trustVersion,
    floor: Math.max(anchor.asOf, before?.floor ?? 0),
    heads,
    namespace: { index: seen.namespace.index, document: seen.namespace.text },
    brake: { index: seen.brake.index, document: seen.brake.text },
  };
}
