/**
 * Where a client keeps its license file and its memory: together, so that neither is ever newer than the other.
 *
 *     {"v":1,"bundle":<text>|null,"memory":<text>|null}
 *     base64 SHA-256 of the line above
 */
import { base64, sha256, utf8 } from '@tallystick/core';
import { StoreError } from '../errors.ts';
import { ClientMemory } from '../memory.ts';

export interface ClientState {
  /** The license file in force; null before the first. */
  bundle: string | null;
  memory: ClientMemory | null;
}

export interface Loaded {
  state: ClientState;
  /** What was found damaged; `state` is then the last good one, or empty where there is none. */
  damage: StoreError | null;
}

/**
 * The contract of a store:
 * - `load` returns what the last `save` that resolved was given, also in another process; empty before the first.
 * - Damaged content is never returned and never throws: it is reported beside what could be recovered.
 * - `save` replaces everything or nothing, and is durable when it resolves. One that rejects may have replaced it.
 * - Both throw StoreError `unavailable` where the storage fails, and `load` throws `too_new`.
 *
 * One writer at a time: two that save at once leave one of both states, each of which was proven.
 */
export interface ClientStore {
  load(): Promise<Loaded>;
  save(state: ClientState): Promise<void>;
}

export const emptyState: ClientState = { bundle: null, memory: null };

export function encodeState({ bundle, memory }: ClientState): string {
  const line = JSON.stringify({ v: 1, bundle, memory: memory === null ? null : memory.toText() });
  return `${line}\n${checksum(line)}\n`;
}

/** Throws StoreError: damaged, or too_new. */
export function parseState(text: string): ClientState {
  const [line = '', sum, end, ...rest] = text.split('\n');
  if (end !== '' || rest.length > 0 || sum !== checksum(line))
    throw damaged('the checksum is not the one of the content');
  const json = parseLine(line);
  if (typeof json.v === 'number' && json.v > 1) throw new StoreError('too_new', `state of version ${json.v}`);
  if (json.v !== 1 || !isTextOrNull(json.bundle) || !isTextOrNull(json.memory)) throw damaged('members');
  return { bundle: json.bundle, memory: json.memory === null ? null : ClientMemory.parse(json.memory) };
}

function parseLine(line: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
  } catch {
    // Not JSON is as damaged as any other content.
  }
  throw damaged('not an object');
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function checksum(line: string): string {
  return base64(sha256(utf8(line)));
}

function damaged(what: string): StoreError {
  return new StoreError('damaged', `stored license: ${what}`);
}
