/**
 * Namespace revisions: made and signed elsewhere, by the authority that no server reaches, and taken into the log if
 * they follow from what is there.
 */
import {
  authorityDelayMaxMs,
  causeCommitment,
  documentCommitment,
  entryLengthMax,
  equalBytes,
  IntegrityError,
  keyFingerprintText,
  leafHash,
  meetsThreshold,
  type NamespaceDocument,
  namespaceStepProblem,
  type PublicKey,
  parseInstant,
  parseJson,
  parseNamespace,
  parseRecordEntry,
  type RecordEntry,
  recoverCommand,
  signersOfRecord,
  type TrustRoot,
  zeroSalt,
} from '@tallystick/core';
import { apply, type Change, parseDocument } from '@tallystick/license';
import { parseCause } from './content.ts';
import { LedgerError } from './errors.ts';
import type { LogState } from './log-state.ts';
import type { RevisionReader } from './read/revision-reader.ts';
import type { AppliedChange } from './sequence/batch.ts';
import type { StoredCause, StoredEntry } from './store/store.ts';

/** A record of the namespace as its authority signed it, with what it commits to. */
export interface SignedRevision {
  /** The envelope's exact bytes. */
  entry: Uint8Array;
  document: Uint8Array;
  cause: { salt: Uint8Array; document: Uint8Array };
}

/** A revision at its place in the log. */
export interface PlacedRevision {
  stored: StoredEntry;
  cause: StoredCause;
  applied: AppliedChange;
  document: NamespaceDocument;
}

export interface RevisionContext {
  /** Where it is to stand in the log. */
  index: number;
  state: LogState;
  trust: TrustRoot;
  current: NamespaceDocument;
  reader: Pick<RevisionReader, 'revision'>;
  /** Raw keys of the namespace that the signer holds: what nobody can check a signature by is not to be listed. */
  keys: readonly PublicKey[];
  /** Milliseconds. */
  now: number;
  /** The newest time in the log, in milliseconds. */
  lastAt: number;
}

/** The clocks of authority and server may differ by so much, in milliseconds. */
const aheadMaxMs = 5 * 60_000;

/** Checks a revision against the end of the log; throws LedgerError (`namespace_refused`) with the first problem. */
export async function placeRevision(
  signed: SignedRevision,
  context: RevisionContext,
): Promise<PlacedRevision> {
  const { index, trust, current } = context;
  if (signed.entry.length > entryLengthMax) throw refused(`its entry has more than ${entryLengthMax} bytes`);
  const parsed = read('record', () => parseRecordEntry(signed.entry));
  const { record, envelope } = parsed;
  checkRecord(parsed, context);
  checkCommitments(signed);
  const authority = trust.namespaces.get(current.ns)?.authority;
  if (authority === undefined || !(await meetsThreshold(envelope, authority)))
    throw refused('it is not signed by the authority that the trust root names');
  const document = read('document', () => parseNamespace(signed.document));
  const problem = namespaceStepProblem(current, document, index);
  if (problem !== null) throw refused(problem);
  checkKeys(document, context.keys);
  await checkBrakeStays(document, context);
  checkCause(signed, record.at);
  const change: Change<'namespace'> = {
    type: 'namespace.updated',
    subject: { type: 'namespace', id: 'namespace' },
    rev: record.rev,
    document: read('document', () => parseDocument('namespace', parseJson(signed.document))),
    companion: null,
  };
  const before = { document: current, companion: null, rev: current.rev };
  const after = read('document', () => apply(before, change));
  const leaf = leafHash(signed.entry);
  const content = { id: 'namespace', salt: zeroSalt, document: signed.document, cause: index };
  return {
    stored: {
      index,
      leaf,
      subject: record.subject,
      rev: record.rev,
      entry: signed.entry,
      content: { ...content, companionSalt: null, companion: null },
    },
    cause: { index, records: 1, ...signed.cause, signed: null },
    applied: { change, current: after, at: record.at, index, leaf },
    document,
  };
}

/**
 * Throws LedgerError (`namespace_refused`) where document or cause are not what the entry commits to. Entries are public: without
 * this, whoever has one could put a cause of their own behind it.
 */
export function checkCommitments({ entry, document, cause }: SignedRevision): void {
  const { record } = read('record', () => parseRecordEntry(entry));
  if (!equalBytes(documentCommitment(zeroSalt, document), record.doc))
    throw refused('the document is not the one that was signed');
  if (cause.salt.length !== 32 || !equalBytes(causeCommitment(cause.salt, cause.document), record.cause))
    throw refused('the cause is not the one that was signed');
}

function checkRecord({ record }: RecordEntry, { state, current, now, lastAt }: RevisionContext): void {
  const key = state.keyOf('namespace');
  if (record.type !== 'namespace.updated' || record.ns !== current.ns || !equalBytes(record.subject, key))
    throw refused(`it is not a revision of the namespace ${current.ns}`);
  const head = state.head(key);
  if (head === undefined || record.rev !== head.rev + 1 || !equalBytes(record.prev ?? key, head.leaf)) {
    throw refused(
      `it was made to follow another revision than ${current.rev}, which is the newest: propose it anew`,
    );
  }
  const at = parseInstant(record.at);
  if (at > now + aheadMaxMs) throw refused(`it says ${record.at}, which is more than five minutes ahead`);
  if (at < Math.max(now, lastAt) - authorityDelayMaxMs)
    throw refused(`it was signed at ${record.at}, more than a week ago: propose it anew`);
}

function checkKeys({ keys }: NamespaceDocument, known: readonly PublicKey[]): void {
  const held = new Set(known.map(keyFingerprintText));
  const missing = keys.find(({ id }) => !held.has(id));
  if (missing === undefined) return;
  throw refused(
    `it lists key ${missing.id}, which the signer does not hold: generate it there, and let the signer reload its keystore`,
  );
}

/** The newest brake is in every license file, and the newest namespace says whether those who signed it were entitled to. */
async function checkBrakeStays(
  document: NamespaceDocument,
  { state, current, reader, trust, keys }: RevisionContext,
): Promise<void> {
  const head = state.head(state.keyOf('brake'));
  if (head === undefined) return;
  const { index, record: entry } = await reader.revision('brake', head.index);
  const isSigned = async (namespace: NamespaceDocument): Promise<boolean> => {
    const rules = { trust, ns: namespace.ns, namespace, brake: null, keys };
    try {
      await signersOfRecord({ id: 'brake', index, entry, json: null }, rules);
      return true;
    } catch (error) {
      if (error instanceof IntegrityError) return false;
      throw error;
    }
  };
  if (!(await isSigned(current)) || (await isSigned(document))) return;
  throw refused(
    `it ends the brake key before the newest brake, which is at index ${index}, and with that brake every license ` +
      `file would fail: end the key at ${index + 1} or later`,
  );
}

function checkCause({ cause }: SignedRevision, at: string): void {
  const told = read('cause', () => parseCause(cause));
  const isKnown = told.command === 'namespace.update' || told.command === recoverCommand;
  if (told.n !== 1 || !isKnown || told.at !== at)
    throw refused('the cause is not that of a namespace revision');
}

function read<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw refused(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function refused(why: string): LedgerError {
  return new LedgerError('namespace_refused', why);
}
