/** How a replayer's state gets into its file and out of it again. */
import {
  asArray,
  asString,
  decodeUtf8,
  encodeMapRoot,
  equalBytes,
  IntegrityError,
  leafHash,
  parseBrake,
  parseJson,
  parseNamespace,
  parseTrustRoot,
  utf8,
} from '@tallystick/core';
import { ConfigError } from '../errors.ts';
import type { CosignedHead, StateFile } from '../state/state-file.ts';
import { KeyRing } from './key-ring.ts';
import { ReplayState } from './replay-state.ts';
import { readSegment } from './segment-rows.ts';
import { parseKeys } from './trust-source.ts';

/** A segment of this many rows is 4.6 MB. */
const segmentRowsMax = 65_536;

/** Writes what is new; the caller's transaction makes it durable. */
export function persistReplay(file: StateFile, log: number, state: ReplayState): void {
  const first = state.size - state.rows.count;
  const addSegment = file.database.prepare('INSERT INTO segments (log, start, rows) VALUES (?, ?, ?)');
  for (const piece of state.rows.pieces(segmentRowsMax)) addSegment.run(log, first + piece.first, piece.rows);
  const setFact = file.database.prepare(
    'INSERT INTO facts (log, name, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  for (const [name, value] of state.facts) setFact.run(log, name, value);
  setFact.run(log, 'at', utf8(state.lastAt));
  setFact.run(log, 'kinds', utf8(JSON.stringify(state.kinds.names)));
}

/** The state is durable up to its size now. */
export function forgetPersisted(state: ReplayState): void {
  state.rows.clear();
  state.facts.clear();
}

/**
 * The state at the cosigned head, rebuilt from the rows and checked against the head: the tree has its root, and
 * its last leaf is the map root entry that the rebuilt map leads to. Maps of the past are told from the size `mapsFrom` on. Throws ConfigError where the file disagrees
 * with itself or with the pinned genesis.
 */
export function loadReplay(
  file: StateFile,
  log: number,
  head: CosignedHead,
  genesis: Uint8Array,
  mapsFrom: number = Number.POSITIVE_INFINITY,
): ReplayState {
  try {
    return rebuilt(file, log, head, genesis, mapsFrom);
  } catch (error) {
    if (!(error instanceof IntegrityError || error instanceof RangeError)) throw error;
    const advice = 'restore the newest one, or read "A cosigner lost its memory" in when-it-breaks.md';
    throw new ConfigError(`the state is damaged (${error.message}): ${advice}`, { cause: error });
  }
}

function rebuilt(
  file: StateFile,
  log: number,
  head: CosignedHead,
  genesis: Uint8Array,
  mapsFrom: number,
): ReplayState {
  const state = new ReplayState(mapsFrom);
  if (head.size === 0) return state;
  const facts = readFacts(file, log);
  for (const name of asArray(parseJson(fact(facts, 'kinds')), 'kinds', 65_536).slice(1)) {
    state.kinds.number(asString(name, 'kind'));
  }
  const last = takeSegments(file, log, state);
  loadGovernment(state, facts);
  state.lastAt = decodeUtf8(fact(facts, 'at'));
  state.lastIsMapRoot = true;
  if (state.trust === null || !equalBytes(state.trust.genesis, genesis)) {
    throw new ConfigError('the state is of another log: its trust root version 1 is not the configured one');
  }
  const mapRoot = encodeMapRoot({
    index: head.size - 1,
    root: state.map.root(),
    trust: state.trust.hash,
    at: state.lastAt,
  });
  const isWhole =
    state.size === head.size &&
    equalBytes(state.tree.root(), head.root) &&
    last !== null &&
    equalBytes(last, leafHash(mapRoot));
  if (!isWhole) throw new ConfigError('the state disagrees with the checkpoint that it says was cosigned');
  return state;
}

/** Calls `each` with the index and the subject key, a view, of every persisted record below `to`. */
export function eachSubject(
  file: StateFile,
  log: number,
  to: number,
  each: (index: number, subject: Uint8Array) => void,
): void {
  const select = file.database.prepare(
    'SELECT start, rows FROM segments WHERE log = ? AND start < ? ORDER BY start',
  );
  for (const segment of select.iterate(log, to)) {
    let index = Number(segment['start']);
    readSegment(segment['rows'] as Uint8Array, ({ subject }) => {
      if (subject !== null && index < to) each(index, subject);
      index += 1;
    });
  }
}

/** The last leaf, or null where there is none. */
function takeSegments(file: StateFile, log: number, state: ReplayState): Uint8Array | null {
  const select = file.database.prepare('SELECT start, rows FROM segments WHERE log = ? ORDER BY start');
  for (const segment of select.iterate(log)) {
    if (segment.start !== state.size) throw new ConfigError(`the state misses entries from ${state.size} on`);
    readSegment(segment.rows as Uint8Array, (row) => state.take(row));
  }
  return state.size === 0 ? null : state.tree.leaf(state.size - 1);
}

function loadGovernment(state: ReplayState, facts: ReadonlyMap<string, Uint8Array>): void {
  const trust = parseTrustRoot(fact(facts, 'trust'));
  state.governBy(trust);
  state.isBootstrapping = false;
  for (const ns of trust.namespaces.keys()) {
    const bytes = facts.get(`namespace/${ns}`);
    if (bytes === undefined) continue;
    const document = parseNamespace(bytes);
    const brakeBytes = facts.get(`brake/${ns}`);
    const brake = brakeBytes === undefined ? null : parseBrake(brakeBytes);
    const ring = new KeyRing(document);
    ring.adopt(document, brake);
    ring.learn(parseKeys(fact(facts, `keys/${ns}`)));
    state.namespaces.set(ns, { document, brake, ring });
  }
}

function readFacts(file: StateFile, log: number): Map<string, Uint8Array> {
  const rows = file.database.prepare('SELECT name, value FROM facts WHERE log = ?').all(log);
  return new Map(rows.map((row) => [String(row.name), row.value as Uint8Array]));
}

function fact(facts: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const value = facts.get(name);
  if (value === undefined) throw new ConfigError(`the state has no ${name}`);
  return value;
}
