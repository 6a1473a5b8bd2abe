import { equalBytes, type LogRecord } from '@tallystick/core';
import type { StoredLeaf } from '@tallystick/ledger';
import { type FsckProblem, mismatch, problemAt } from './report.ts';

/** The narrow row, from which tree and map are rebuilt, says what the record says. */
export function checkNarrowRow(
  { index, subject, rev }: Omit<StoredLeaf, 'leaf'>,
  record: LogRecord,
): FsckProblem | null {
  if (subject === null || !equalBytes(subject, record.subject)) {
    const found = subject ?? new Uint8Array(0);
    return mismatch(
      index,
      'leaves',
      'subject',
      'the row names another subject than the record',
      record.subject,
      found,
    );
  }
  if (rev === record.rev) return null;
  const compared = { expected: String(record.rev), found: String(rev) };
  return problemAt(index, 'leaves', 'rev', 'the row says another revision than the record', compared);
}
