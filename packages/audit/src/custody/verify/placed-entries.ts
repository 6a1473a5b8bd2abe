/** The entries of a custody report, each held against the checkpoint and the commitments in it. */
import {
  asObject,
  type CauseStatement,
  type CustodyEntry,
  type CustodyReport,
  causeCommitment,
  documentCommitment,
  equalBytes,
  IntegrityError,
  isPublicSubject,
  type JsonObject,
  leafHash,
  parseDocumentHead,
  parseJson,
  parseRecordEntry,
  type RecordEntry,
  type SeenAnchor,
  type SignedEvidence,
  signedRequestIn,
  subjectKey,
  subjectTypeOf,
  verifyInclusion,
  zeroSalt,
} from '@tallystick/core';
import type { Findings } from './findings.ts';

/** An entry that is in the log at its index, with what was committed to. */
export interface PlacedEntry {
  index: number;
  subject: string | null;
  leaf: Uint8Array;
  entry: RecordEntry;
  /** null where it is not shown. */
  document: { bytes: Uint8Array; json: JsonObject } | null;
  cause: CauseStatement | null;
  /** The request of the cause as it was signed; null for none, and where it is not shown. */
  signed: SignedEvidence | null;
  /** Which of the report's causes that is. */
  causeAt: number | null;
  proofLength: number;
}

export interface PlacingContext {
  report: CustodyReport;
  anchor: SeenAnchor;
  genesis: Uint8Array;
  /** What the causes of the report say, in its order; null for one that cannot be read. */
  causes: readonly (CauseStatement | null)[];
}

/** Those of the entries that are in the log, whatever is wrong with what is shown of them. */
export async function placeEntries(context: PlacingContext, findings: Findings): Promise<PlacedEntry[]> {
  const placed: PlacedEntry[] = [];
  for (const entry of context.report.entries) {
    const found = await findings.check(entry.index, () => place(entry, context));
    if (found === undefined) continue;
    const document = await findings.check(entry.index, () => openDocument(entry, found.entry));
    const cause = checkCause(entry, found.entry, context, findings);
    const opening = context.report.causes[entry.cause ?? -1]?.signed ?? null;
    const signed =
      cause &&
      (await findings.check(entry.index, () => signedRequestIn(cause.signed, opening), 'CAUSE_ALTERED'));
    placed.push({
      ...found,
      document: document ?? null,
      cause,
      signed: signed ?? null,
      causeAt: entry.cause,
    });
  }
  return placed;
}

function place(
  entry: CustodyEntry,
  { report, anchor, genesis }: PlacingContext,
): Omit<PlacedEntry, 'cause' | 'causeAt' | 'document' | 'signed'> {
  const { index, subject, path } = entry;
  const leaf = leafHash(entry.entry);
  verifyInclusion(leaf, index, anchor.size, path, anchor.root);
  const parsed = parseRecordEntry(entry.entry);
  const { record } = parsed;
  if (record.ns !== report.ns) {
    throw new IntegrityError('NAMESPACE_MISMATCH', `the entry belongs to namespace ${record.ns}`);
  }
  if (subject !== null && !equalBytes(record.subject, subjectKey(genesis, report.ns, subject)))
    throw altered(`the entry is about another subject than ${subject}`);
  return {
    index,
    subject,
    leaf,
    entry: parsed,
    proofLength: path.length,
  };
}

function openDocument({ subject, document }: CustodyEntry, { record }: RecordEntry): PlacedEntry['document'] {
  if (document === null) return null;
  const { bytes, salt } = document;
  if (subject === null) throw altered('a document of no subject');
  if (isPublicSubject(subject) && !equalBytes(salt, zeroSalt)) throw altered('salt of a public document');
  if (!equalBytes(documentCommitment(salt, bytes), record.doc))
    throw altered('the document or its salt is not what the record commits to');
  const json = asObject(parseJson(bytes), 'document');
  const type = subjectTypeOf(record.type);
  if (json.type !== type) throw altered('the document is of another type than its record');
  const head = parseDocumentHead(json, type);
  if (head.ns !== record.ns || head.id !== subject || head.rev !== record.rev)
    throw altered('the document names another subject or revision');
  return { bytes, json };
}

function checkCause(
  { index, cause }: CustodyEntry,
  { record }: RecordEntry,
  { report, causes }: PlacingContext,
  findings: Findings,
): CauseStatement | null {
  if (cause === null) return null;
  const shown = report.causes[cause];
  if (shown === undefined || !equalBytes(causeCommitment(shown.salt, shown.document), record.cause)) {
    findings.add('CAUSE_ALTERED', index, 'the cause or its salt is not what the record commits to');
    return null;
  }
  return causes[cause] ?? null;
}

export function altered(message: string): IntegrityError {
  return new IntegrityError('ALTERED', message);
}
