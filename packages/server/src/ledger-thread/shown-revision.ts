/** Revisions as answers show them. */
import type { Item, RecordType } from '@tallystick/contract';
import { base64 } from '@tallystick/core';
import type { CheckedRevision, HistoryItem } from '@tallystick/ledger';
import { shownDocument } from './shown-document.ts';

export function item(revision: CheckedRevision): object {
  const document = revision.current?.document;
  return { document: document && shownDocument(document), ...placeInLog(revision) };
}

export function placeInLog({ index, leaf, record }: CheckedRevision): Omit<Item, 'document'> {
  const { rev, type, at } = record.record;
  return { index, leaf: base64(leaf), rev, recordType: type as RecordType, at };
}

/** The companion as administrators see it: of the license key, a bearer secret, only the end. */
export function companionOf({ current }: CheckedRevision): object | null {
  const companion = current?.companion ?? null;
  if (companion === null) return null;
  const { key, ...rest } = companion;
  return { keyHint: key?.slice(-4) ?? null, ...rest };
}

export function historyItem({ revision, cause }: HistoryItem): object {
  const { record, index, leaf, current } = revision;
  const { rev, type, at } = record.record;
  const who = `${cause.who.kind}:${cause.who.id}`;
  return {
    index,
    rev,
    recordType: type,
    at,
    leaf: base64(leaf),
    cause: { who, why: cause.why, n: cause.n },
    document: current === null ? null : shownDocument(current.document),
  };
}
