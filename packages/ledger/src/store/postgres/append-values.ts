import type { Opening } from '@tallystick/core';
import type { AppendBatch, StoredCause, StoredContent, StoredEntry } from '../store.ts';
import { byteaArray, int8Array, textArray } from './binary-arrays.ts';

/**
 * Entries and causes as the first parameters of the statement `restore`, and as those of `append` from the sixth on. Throws
 * TypeError for what are none.
 */
export function appendValues({ entries, causes }: Pick<AppendBatch, 'entries' | 'causes'>): Buffer[] {
  const opened = causes.filter(isOpened);
  return [
    ...entryValues(entries),
    int8Array(causes.map(({ index }) => index)),
    int8Array(causes.map(({ records }) => records)),
    byteaArray(causes.map(({ salt }) => salt)),
    byteaArray(causes.map(({ document }) => document)),
    int8Array(opened.map(({ index }) => index)),
    byteaArray(opened.map(({ signed }) => signed.salt)),
    byteaArray(opened.map(({ signed }) => signed.bytes)),
  ];
}

function isOpened(cause: StoredCause): cause is StoredCause & { signed: Opening } {
  return cause.signed !== null;
}

function entryValues(entries: readonly StoredEntry[]): Buffer[] {
  const contents = entries.filter(hasContent);
  return [
    int8Array(entries.map(({ index }) => index)),
    byteaArray(entries.map(({ leaf }) => leaf)),
    byteaArray(entries.map(({ subject }) => subject)),
    int8Array(entries.map(({ rev }) => rev)),
    byteaArray(entries.map(({ entry }) => entry)),
    int8Array(contents.map(({ index }) => index)),
    textArray(contents.map(({ content }) => content.id)),
    byteaArray(contents.map(({ content }) => content.salt)),
    byteaArray(contents.map(({ content }) => content.document)),
    byteaArray(contents.map(({ content }) => content.companionSalt)),
    byteaArray(contents.map(({ content }) => content.companion)),
    int8Array(contents.map(({ content }) => content.cause)),
  ];
}

function hasContent(entry: StoredEntry): entry is StoredEntry & { content: StoredContent } {
  return entry.content !== null;
}
