/** What a custody report cannot show. Derived from the rest of it, so that no gap can be left out unseen. */
import type { CauseStatement } from './cause.ts';
import type { CustodyReport } from './report.ts';

export type GapCode =
  | 'document_gone'
  | 'cause_gone'
  | 'signed_request_gone'
  | 'no_decision'
  | 'principal_gone'
  | 'built_in_policy'
  | 'reads_not_shown'
  | 'reads_incomplete'
  | 'reads_dropped'
  | 'reads_batched'
  | 'unseen_reads';

/** `missing` is what there should be, and is not; a `limit` is what no report can show. */
export interface GapMeaning {
  kind: 'missing' | 'limit';
  text: string;
}

export const gapMeanings: Readonly<Record<GapCode, GapMeaning>> = {
  document_gone: {
    kind: 'missing',
    text: 'The document is not held any more: it was erased, or lost in a repair. What it was is committed to.',
  },
  cause_gone: {
    kind: 'missing',
    text: 'Who asked for this, and why, is not held any more: it was lost in a repair, or removed.',
  },
  signed_request_gone: {
    kind: 'missing',
    text:
      'The request that was signed is not held any more: it was erased with its customer, or lost. That the key of the ' +
      'credential signed it cannot be checked; what it was is committed to.',
  },
  no_decision: {
    kind: 'missing',
    text: 'No decision is on record: the change was made before there were policies, or by the system itself.',
  },
  principal_gone: {
    kind: 'missing',
    text: 'What the principal was called, and which roles it had, is not held any more.',
  },
  built_in_policy: {
    kind: 'limit',
    text: 'The policy that allowed this is the one that comes with the software: the log held none yet.',
  },
  reads_not_shown: {
    kind: 'missing',
    text: 'Who read or exported the license is not shown: the server keeps no access log, or it was not asked for.',
  },
  reads_incomplete: {
    kind: 'missing',
    text: 'The access log was not looked through whole: who else read or exported the license is not shown.',
  },
  reads_dropped: {
    kind: 'missing',
    text: 'Older records of the access log were dropped on purpose, which the log says who asked for, and why.',
  },
  reads_batched: {
    kind: 'limit',
    text:
      'Records of what is neither an export, a read of a document nor a denial are written in batches: a crash can take ' +
      'the newest of them. That these are all records of the license is the word of the server.',
  },
  unseen_reads: {
    kind: 'limit',
    text:
      'Reading leaves a trace at the server alone: not in a license file that was passed on, in a backup, in the ' +
      'database itself or at a mirror.',
  },
};

/** Id of the subject that is the policy of a namespace. */
export const policiesId = 'policies';

export interface CustodyGap {
  code: GapCode;
  /** Log index of the entry that it is about; null for the whole report. */
  index: number | null;
}

export function isGapCode(text: string): text is GapCode {
  return Object.hasOwn(gapMeanings, text);
}

/** All gaps of a report, in the order of the log. `statements` are what its causes say, in its order. */
export function custodyGaps(
  {
    license,
    range,
    entries,
    causes,
    access,
  }: Pick<CustodyReport, 'license' | 'range' | 'entries' | 'causes' | 'access'>,
  statements: readonly (Pick<CauseStatement, 'who' | 'decision' | 'signed'> | null)[],
): CustodyGap[] {
  const gaps: CustodyGap[] = [];
  const subjects = new Set<string>();
  /** Principals whose newest revision so far is not shown. */
  const unshown = new Set<string>();
  let rev = 0;
  for (const { index, subject, document, cause } of entries) {
    if (subject !== null) subjects.add(subject);
    if (subject?.startsWith('prn_') && document === null) unshown.add(subject);
    else if (subject !== null) unshown.delete(subject);
    const statement = cause === null ? undefined : statements[cause];
    if (subject === license) {
      const isShown = range !== null && rev >= range.from && rev <= range.to;
      rev += 1;
      if (!isShown) continue;
    } else if (!subject?.startsWith('apr_')) continue;
    if (document === null) gaps.push({ code: 'document_gone', index });
    // Of a request as well: that who approved it did so is in the cause of the record that says so, and nowhere else.
    if (cause === null) gaps.push({ code: 'cause_gone', index });
    if (statement == null || cause === null) continue;
    if (typeof statement.signed === 'string' && causes[cause]?.signed === undefined)
      gaps.push({ code: 'signed_request_gone', index });
    if (statement.decision === null) gaps.push({ code: 'no_decision', index });
    else if (!subjects.has(policiesId)) gaps.push({ code: 'built_in_policy', index });
    if (unshown.has(statement.who.id)) gaps.push({ code: 'principal_gone', index });
  }
  if (access === null) gaps.push({ code: 'reads_not_shown', index: null });
  else gaps.push({ code: access.complete ? 'reads_batched' : 'reads_incomplete', index: null });
  if (access !== null && access.dropped !== null) gaps.push({ code: 'reads_dropped', index: null });
  gaps.push({ code: 'unseen_reads', index: null });
  return gaps;
}
