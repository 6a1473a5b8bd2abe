/**
 * The oracle of the fault tests: reads a store from its first entry and throws at anything that a log
 * must never hold. Shares nothing with the ledger but the formats.
 */
import {
  bytesKey,
  causeCommitment,
  decodeUtf8,
  documentCommitment,
  equalBytes,
  isMapRoot,
  LogTree,
  leafHash,
  parseMapRoot,
  parseRecordEntry,
  parseSignedCheckpoint,
  SubjectMap,
  utf8,
} from '@tallystick/core';
import type { Store, StoredEntry } from '@tallystick/ledger';
import { expect } from 'vitest';

export interface CheckedLog {
  size: number;
  /** Request keys with the number of commands recorded under each. */
  requests: Map<string, number>;
  /** Type and revision of the records of each subject id, in log order. */
  subjects: Map<string, string[]>;
}

export async function checkLog(store: Store): Promise<CheckedLog> {
  const entries = await store.entries(0, Number.MAX_SAFE_INTEGER);
  expect(await store.size()).toBe(entries.length);
  const tree = new LogTree();
  const map = new SubjectMap();
  const heads = new Map<string, { rev: number; leaf: Uint8Array }>();
  const subjects = new Map<string, string[]>();
  let newestAt = '';
  for (const [index, entry] of entries.entries()) {
    expect(entry.index).toBe(index);
    expect(equalBytes(leafHash(entry.entry), entry.leaf), `leaf of entry ${index}`).toBe(true);
    if (entry.subject !== null) {
      newestAt = checkRecord(entry, heads, newestAt);
      map.set({ key: entry.subject, leaf: entry.leaf, index, rev: entry.rev });
      const { record } = parseRecordEntry(entry.entry);
      const id = entry.content?.id ?? '';
      subjects.set(id, [...(subjects.get(id) ?? []), `${record.type} ${record.rev}`]);
    } else if (isMapRoot(entry.entry)) {
      const { index: named, root, at } = parseMapRoot(entry.entry);
      expect(named).toBe(index);
      expect(equalBytes(root, map.root()), `map root of entry ${index}`).toBe(true);
      expect(at >= newestAt).toBe(true);
      newestAt = at;
    }
    tree.append(entry.leaf);
  }
  const requests = await checkCauses(store, entries);
  await checkCheckpoints(store, tree, entries);
  return { size: entries.length, requests, subjects };
}

function checkRecord(
  entry: StoredEntry,
  heads: Map<string, { rev: number; leaf: Uint8Array }>,
  newestAt: string,
): string {
  const { record } = parseRecordEntry(entry.entry);
  const what = `${record.type} at ${entry.index}`;
  const key = bytesKey(record.subject);
  const head = heads.get(key);
  expect(record.rev, what).toBe(head === undefined ? 0 : head.rev + 1);
  expect(record.prev === null ? null : bytesKey(record.prev), what).toBe(head ? bytesKey(head.leaf) : null);
  expect(record.at >= newestAt, what).toBe(true);
  heads.set(key, { rev: record.rev, leaf: entry.leaf });
  const { salt, document } = entry.content ?? {};
  if (salt && document) expect(equalBytes(documentCommitment(salt, document), record.doc), what).toBe(true);
  return record.at;
}

/** Every record belongs to one cause, which counts its records; no request key was carried out twice. */
async function checkCauses(store: Store, entries: readonly StoredEntry[]): Promise<Map<string, number>> {
  const requests = new Map<string, number>();
  const covered = new Set<number>();
  for (const cause of await store.causes(0, entries.length)) {
    for (let index = cause.index; index < cause.index + cause.records; index++) {
      const entry = entries[index] as StoredEntry;
      expect(covered.has(index)).toBe(false);
      covered.add(index);
      expect(entry.content?.cause).toBe(cause.index);
      const { record } = parseRecordEntry(entry.entry);
      expect(equalBytes(causeCommitment(cause.salt, cause.document), record.cause)).toBe(true);
    }
    const { request } = JSON.parse(decodeUtf8(cause.document)) as { request: { key: string } | null };
    if (request !== null) requests.set(request.key, (requests.get(request.key) ?? 0) + 1);
  }
  expect(covered.size).toBe(entries.filter(({ subject }) => subject !== null).length);
  for (const [key, count] of requests) expect(count, `commands under ${key}`).toBe(1);
  return requests;
}

/** Every published checkpoint is of this log and ends in a map root. */
async function checkCheckpoints(store: Store, tree: LogTree, entries: readonly StoredEntry[]): Promise<void> {
  for (let size = entries.length; ; ) {
    const saved = await store.checkpoint(size);
    if (saved === undefined) return;
    const checkpoint = parseSignedCheckpoint(utf8(saved.note));
    expect(checkpoint.size).toBe(saved.size);
    expect(equalBytes(checkpoint.root, tree.root(saved.size)), `checkpoint ${saved.size}`).toBe(true);
    expect(isMapRoot(entries[saved.size - 1]?.entry ?? new Uint8Array(0))).toBe(true);
    size = saved.size - 1;
  }
}
