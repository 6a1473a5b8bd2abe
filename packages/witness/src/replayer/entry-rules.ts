/**
 * Judges entries, one after the other, against everything before them.
 *
 * Each kind of entry is judged in full before the state takes it in, signatures excepted: those are handed to
 * `checks`, which run behind. What has to be fetched or is rare is awaited in place.
 */
import {
  authorityDelayMaxMs,
  equalBytes,
  formatInstant,
  isMapRoot,
  isTrustRootEntry,
  type LogRecord,
  leafHash,
  parseInstant,
  parseMapRoot,
  parseRecordEntry,
  type RecordEntry,
  subjectTypeOf,
} from '@tallystick/core';
import { isFirstRecord, isRecordType } from '@tallystick/license/records';
import { applyPublicDocument } from './public-documents.ts';
import { checkSigned } from './record-signatures.ts';
import type { ReplayState } from './replay-state.ts';
import type { RuleContext } from './rule-context.ts';
import { applyTrustRoot } from './trust-root-entry.ts';
import { ruled, Violation } from './violation.ts';

/** How far a log's clock may be ahead of ours. */
const aheadMaxMs = 5 * 60_000;

/** The latest `at` that a clock standing at `seconds` accepts. */
export function latestInstant(seconds: number): string {
  return formatInstant(seconds * 1000 + aheadMaxMs);
}

/** What a caller worked out of an entry's bytes before, so that it is not worked out twice. */
export interface KnownOfEntry {
  /** Its leaf hash. */
  leaf?: Uint8Array;
  /** What it says, where it is a record. */
  record?: RecordEntry;
}

/** Takes in the next entry. Throws Violation, or Unavailable; the state is then as it was before. */
export function applyEntry(
  state: ReplayState,
  entry: Uint8Array,
  context: RuleContext,
  known: KnownOfEntry = {},
): Promise<void> | undefined {
  if (isTrustRootEntry(entry)) return applyTrustRoot(state, entry, context.genesis);
  checkBegun(state);
  if (isMapRoot(entry)) {
    applyMapRoot(state, entry, context);
    return undefined;
  }
  return applyRecord(state, entry, context, known);
}

/**
 * As `applyEntry`, for a record of which everything is known but whether it may follow here: its bytes are not looked
 * at. Neither is a signature in it: what `context.checks` is given names the keys that may have signed.
 */
export function applyKnownRecord(
  state: ReplayState,
  known: Required<KnownOfEntry>,
  context: RuleContext,
): Promise<void> | undefined {
  checkBegun(state);
  return applyRecord(state, noBytes, context, known);
}

const noBytes = new Uint8Array(0);

function checkBegun(state: ReplayState): void {
  if (state.trust === null) throw new Violation('bootstrap', state.size, 'leaf 0 is not a trust root');
}

function applyMapRoot(state: ReplayState, entry: Uint8Array, context: RuleContext): void {
  const index = state.size;
  const mapRoot = ruled('entry', index, () => parseMapRoot(entry));
  checkNothingPending(state, index);
  if (mapRoot.index !== index) throw new Violation('map-root', index, `it says index ${mapRoot.index}`);
  if (!equalBytes(mapRoot.root, state.map.root())) {
    throw new Violation('map-root', index, 'the map over the entries before it has another root');
  }
  if (state.trust === null || !equalBytes(mapRoot.trust, state.trust.hash)) {
    throw new Violation('trust-hash', index, 'it does not name the governing trust root');
  }
  checkAt(state, mapRoot.at, index, context.latestAt);
  state.append({ leaf: leafHash(entry), subject: null, rev: 0, kind: 0 });
  state.lastAt = mapRoot.at;
  state.lastIsMapRoot = true;
}

/** Map roots come when nothing has to come first. */
function checkNothingPending(state: ReplayState, index: number): void {
  if (state.isBootstrapping)
    throw new Violation('bootstrap', index, 'a namespace or a brake is still missing');
  const [ns] = state.resign;
  if (ns !== undefined) throw new Violation('resign', index, `namespace ${ns} has to be signed anew first`);
}

function applyRecord(
  state: ReplayState,
  entry: Uint8Array,
  context: RuleContext,
  known: KnownOfEntry,
): Promise<void> | undefined {
  const index = state.size;
  const parsed = known.record ?? ruled('entry', index, () => parseRecordEntry(entry));
  const { record } = parsed;
  const type = subjectTypeOf(record.type);
  if (!isRecordType(record.type)) throw new Violation('record-type', index, `unknown type ${record.type}`);
  const trust = state.trust?.namespaces.get(record.ns);
  if (trust === undefined) {
    throw new Violation('namespace', index, `the trust root does not name namespace ${record.ns}`);
  }
  const kind = state.kinds.number(`${record.ns} ${type}`);
  checkTurn(state, record, type, index);
  checkSubject(state, record, kind, index);
  checkChain(state, record, index);
  if (type === 'namespace') checkSignedAt(state, record.at, index, context.latestAt);
  else checkAt(state, record.at, index, context.latestAt);
  const accept = (): void => {
    state.append({ leaf: known.leaf ?? leafHash(entry), subject: record.subject, rev: record.rev, kind });
    if (record.at > state.lastAt) state.lastAt = record.at;
  };
  if (type === 'namespace' || type === 'brake') {
    return applyPublicDocument(state, { parsed, type, trust, index }, context, accept);
  }
  const checked = checkSigned(state, { parsed, type, trust, index }, context);
  if (checked !== undefined) return checked.then(accept);
  accept();
  return undefined;
}

/** While something has to come first, nothing else may: see the bootstrap and re-signing rules. */
function checkTurn(state: ReplayState, record: LogRecord, type: string, index: number): void {
  const namespace = state.namespaces.get(record.ns);
  const missing = namespace === undefined ? 'namespace' : namespace.brake === null ? 'brake' : null;
  if (missing !== null && type !== missing) {
    throw new Violation('bootstrap', index, `the ${missing} of ${record.ns} has to come first`);
  }
  if (missing === null && state.isBootstrapping) {
    throw new Violation('bootstrap', index, 'a namespace or a brake is still missing');
  }
  if (state.resign.size > 0 && !(type === 'namespace' && state.resign.has(record.ns))) {
    throw new Violation('resign', index, `namespace ${[...state.resign].join()} has to be signed anew first`);
  }
}

/** A chain belongs to one namespace and one type of subject for ever, and the singletons to theirs. */
function checkSubject(state: ReplayState, record: LogRecord, kind: number, index: number): void {
  const head = state.map.head(record.subject);
  const type = subjectTypeOf(record.type);
  if (head !== undefined) {
    const before = state.kinds.at(head.index);
    if (before !== kind) {
      throw new Violation('subject', index, `${record.type} moves a subject of ${state.kinds.names[before]}`);
    }
    return;
  }
  const singleton = state.singletonOf(record.subject);
  const own = type === 'namespace' || type === 'brake' ? type : null;
  if (singleton?.type === own && singleton?.ns === record.ns) return;
  if (singleton === null && own === null) return;
  throw new Violation('subject', index, `${record.type} of ${record.ns} about another subject than its own`);
}

/** Otherwise replaying an old signed entry would undo what came after it. */
function checkChain(state: ReplayState, record: LogRecord, index: number): void {
  const head = state.map.head(record.subject);
  const rev = head === undefined ? 0 : head.rev + 1;
  if (record.rev !== rev) throw new Violation('chain', index, `rev ${record.rev} where ${rev} follows`);
  if (head !== undefined && (record.prev === null || !equalBytes(record.prev, state.tree.leaf(head.index)))) {
    throw new Violation('chain', index, `prev is not the subject's entry at index ${head.index}`);
  }
  if (isFirstRecord(record.type) !== (rev === 0)) {
    throw new Violation('record-type', index, `${record.type} at revision ${rev}`);
  }
}

/** An authority signs offline, while the log goes on. */
function checkSignedAt(state: ReplayState, at: string, index: number, latestAt: string): void {
  if (at >= state.lastAt) checkAt(state, at, index, latestAt);
  else if (parseInstant(at) < parseInstant(state.lastAt) - authorityDelayMaxMs)
    throw new Violation('at', index, `${at} is more than a week before ${state.lastAt}`);
}

/** Instants have one length and one form, so that they compare as text. */
function checkAt(state: ReplayState, at: string, index: number, latestAt: string): void {
  if (at < state.lastAt) throw new Violation('at', index, `${at} is before ${state.lastAt}`);
  if (at > latestAt) throw new Violation('at', index, `${at} is more than five minutes ahead`);
}
