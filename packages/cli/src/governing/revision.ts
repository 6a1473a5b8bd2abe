/**
 * A namespace revision on its way: proposed where the server can be reached, reviewed and signed where the authority's
 * key is, and handed in again. One file carries it, with the revision that it follows.
 */
import {
  asArray,
  asObject,
  asString,
  base64,
  causeCommitment,
  closedMembers,
  decodeBase64,
  documentCommitment,
  type Envelope,
  encodeEnvelope,
  encodeRecord,
  entitledKeys,
  equalBytes,
  formatInstant,
  hex,
  type JsonValue,
  keyFingerprintText,
  keyUsages,
  leafHash,
  type NamespaceDocument,
  type NamespaceKey,
  namespaceStepProblem,
  type PublicKey,
  parseJsonText,
  parseNamespace,
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
  type RecoveryStatement,
  readCauseStatement,
  recoverCommand,
  requireVersion1,
  sha256,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import { usageError } from '../errors.ts';
import { describeLimits, type LimitChange } from './limits.ts';

export interface Revision {
  /** The revision that it follows: the logged entry, and its document. */
  previous: { entry: Uint8Array; document: string };
  envelope: Envelope;
  document: string;
  cause: { salt: Uint8Array; document: string };
}

/** A key to list, and the first log index at which it is valid. */
export interface NewKey extends PublicKey {
  usages: NamespaceKey['usages'];
  from: number;
  limits: NamespaceKey['limits'];
}

export interface RevisionChanges {
  add: readonly NewKey[];
  /** By key id or fingerprint. Without an index a key ends where one that is added for the same begins, else at `size`. */
  end: readonly { key: string; index: number | null }[];
  limits: readonly LimitChange[];
  /** Entries of the log. */
  size: number;
  lock?: NamespaceDocument['lock'];
  minEpoch?: number;
  /** True begins a new epoch, under which the brake counts for nothing until it is used again. */
  raisesEpoch: boolean;
  /** True is reason enough for a revision that changes nothing: another authority is to sign it. */
  signsAnew: boolean;
}

export interface ProposalInput {
  previous: Revision['previous'];
  changes: RevisionChanges;
  why: string | null;
  /** Who proposes it, for the log. */
  who: string;
  /** Milliseconds. */
  now: number;
  salt: Uint8Array;
  /** Whom the authority lets in with it; reason enough for a revision that changes nothing else. */
  recovery?: RecoveryStatement;
}

/** Makes a revision that nobody has signed yet. Throws a usage error where the namespace may not become that. */
export function proposeRevision({
  previous,
  changes,
  why,
  who,
  now,
  salt,
  recovery,
}: ProposalInput): Revision {
  const before = parseNamespace(utf8(previous.document));
  const after = changed(before, changes);
  const problem = namespaceStepProblem(before, after, 0);
  if (problem !== null)
    throw usageError(`The namespace cannot become that: ${problem}.`, 'Change the flags.');
  const document = JSON.stringify(after);
  const isReason = changes.signsAnew || recovery !== undefined;
  if (!isReason && document === JSON.stringify({ ...before, rev: after.rev }))
    throw usageError('Nothing would change.', 'Say what is to change.');
  const at = formatInstant(now);
  const told = {
    v: 1,
    command: recovery === undefined ? 'namespace.update' : recoverCommand,
    n: 1,
    who: { kind: 'person', id: who },
    why,
    request: null,
    ...(recovery === undefined ? {} : { recovery }),
    at,
  };
  const cause = JSON.stringify(told);
  const { record } = parseRecordEntry(previous.entry);
  const payload = encodeRecord({
    ns: before.ns,
    type: 'namespace.updated',
    subject: record.subject,
    rev: after.rev,
    prev: leafHash(previous.entry),
    doc: documentCommitment(zeroSalt, utf8(document)),
    cause: causeCommitment(salt, utf8(cause)),
    at,
  });
  const envelope = { payload, payloadType: payloadTypes.record, signatures: [] };
  return { previous, envelope, document, cause: { salt, document: cause } };
}

function changed(before: NamespaceDocument, changes: RevisionChanges): NamespaceDocument {
  const ended = before.keys.map((key) => {
    const cut = changes.end.find(({ key: name }) => isNamed(key, name));
    if (cut === undefined) return key;
    const successors = changes.add.filter(({ usages }) => usages.join() === key.usages.join());
    const index =
      cut.index ?? (successors.length === 0 ? changes.size : Math.min(...successors.map(({ from }) => from)));
    return { ...key, until: Math.min(index, key.until ?? index) };
  });
  const added = changes.add.map(({ alg, key, usages, from, limits }): NamespaceKey => {
    return { id: keyFingerprintText({ alg, key }), alg, usages, from, until: null, limits };
  });
  const keys = [...ended, ...added].map((key): NamespaceKey => {
    const limits = { ...key.limits };
    for (const { key: name, limit } of changes.limits) if (isNamed(key, name)) Object.assign(limits, limit);
    return { ...key, limits };
  });
  const named = [...changes.end, ...changes.limits];
  const unknown = named.find(({ key: name }) => !keys.some((key) => isNamed(key, name)));
  if (unknown !== undefined)
    throw usageError(`The namespace lists no key ${unknown.key}.`, 'See tally keys list.');
  return {
    ...before,
    rev: before.rev + 1,
    epoch: before.epoch + (changes.raisesEpoch ? 1 : 0),
    lock: changes.lock ?? before.lock,
    minEpoch: changes.minEpoch ?? before.minEpoch,
    keys,
  };
}

/** True where `name` is the key's fingerprint or its key id. */
export function isNamed({ id }: Pick<NamespaceKey, 'id'>, name: string): boolean {
  return id === name || keyIdOfFingerprint(id) === name;
}

export function keyIdOfFingerprint(id: string): string {
  return hex(decodeBase64(id).subarray(0, 8));
}

/** What whoever signs compares: hexadecimal, over the record and through it over everything. */
export function hashOfRevision({ envelope }: Revision): string {
  return hex(sha256(envelope.payload));
}

export function formatRevision({ previous, envelope, document, cause }: Revision): string {
  const file = {
    v: 1,
    previous: { entry: base64(previous.entry), document: previous.document },
    payload: base64(envelope.payload),
    signatures: envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig: base64(sig) })),
    document,
    cause: { salt: base64(cause.salt), document: cause.document },
  };
  return `${JSON.stringify(file)}\n`;
}

/** Reads a revision and checks that its parts belong together. Throws a usage error. */
export function parseRevision(text: string, path: string): Revision {
  let revision: Revision;
  try {
    revision = readRevision(parseJsonText(text.trimEnd()));
    checkParts(revision);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usageError(
      `${path} is no namespace revision: ${why}.`,
      'Propose it anew with tally namespace propose.',
    );
  }
  return revision;
}

function readRevision(value: JsonValue): Revision {
  const names = ['v', 'previous', 'payload', 'signatures', 'document', 'cause'] as const;
  const json = closedMembers(value, names, 'revision');
  requireVersion1(json.v, 'revision');
  const previous = asObject(json.previous, 'previous');
  const cause = asObject(json.cause, 'cause');
  const bytes = (member: JsonValue | undefined, what: string): Uint8Array =>
    decodeBase64(asString(member, what));
  return {
    previous: {
      entry: bytes(previous.entry, 'previous.entry'),
      document: asString(previous.document, 'previous.document'),
    },
    envelope: {
      payload: bytes(json.payload, 'payload'),
      payloadType: payloadTypes.record,
      signatures: asArray(json.signatures, 'signatures', 32).map((item) => {
        const { keyid, sig } = asObject(item, 'signature');
        return { keyid: asString(keyid, 'keyid'), sig: bytes(sig, 'sig') };
      }),
    },
    document: asString(json.document, 'document'),
    cause: { salt: bytes(cause.salt, 'cause.salt'), document: asString(cause.document, 'cause.document') },
  };
}

/** What is shown must be what is signed: document, cause and predecessor are those that the record names. */
function checkParts({ previous, envelope, document, cause }: Revision): void {
  const { record } = parseRecordEntry(encodeEnvelope({ ...envelope, signatures: [anySignature] }));
  const { record: before } = parseRecordEntry(previous.entry);
  const fits =
    equalBytes(record.doc, documentCommitment(zeroSalt, utf8(document))) &&
    equalBytes(record.cause, causeCommitment(cause.salt, utf8(cause.document))) &&
    equalBytes(record.prev ?? zeroSalt, leafHash(previous.entry)) &&
    equalBytes(before.doc, documentCommitment(zeroSalt, utf8(previous.document)));
  if (!fits) throw new Error('its parts do not belong together');
  parseNamespace(utf8(document));
}

/** Enough of a hash to compare over the telephone. */
const fingerprintDigits = 16;

/** Envelopes need one; which does not matter where only the payload is read. */
const anySignature = { keyid: '0'.repeat(16), sig: new Uint8Array(64) };

/** The bytes that a signature is over. */
export function messageOfRevision({ envelope }: Revision): Uint8Array {
  return preAuthEncoding(envelope.payloadType, envelope.payload);
}

/** What changes, a sentence a line. */
export function describeRevision(revision: Revision): string[] {
  const before = parseNamespace(utf8(revision.previous.document));
  const after = parseNamespace(utf8(revision.document));
  return [
    `Namespace ${after.ns}, revision ${after.rev}, as of ${parseCauseText(revision)}`,
    ...describeRecovery(revision),
    ...describeStep(before, after),
    `hash ${hashOfRevision(revision)}`,
    `signed by ${revision.envelope.signatures.map(({ keyid }) => keyid).join(', ') || 'nobody yet'}`,
  ];
}

/** What one revision of the namespace changes about another one, a sentence a line. */
export function describeStep(before: NamespaceDocument, after: NamespaceDocument): string[] {
  const keys = after.keys.flatMap((key) =>
    describeKey(
      before.keys.find(({ id }) => id === key.id),
      key,
    ),
  );
  const told = (what: string, from: unknown, to: unknown): string[] =>
    from === to ? [] : [`${what} becomes ${String(to)} (was ${String(from)})`];
  return [
    ...keys,
    ...gapsOf(before, after),
    ...told('the epoch', before.epoch, after.epoch),
    ...told('the lock', before.lock, after.lock),
    ...told('the smallest epoch of licenses', before.minEpoch, after.minEpoch),
    ...told('the name', before.name, after.name),
    ...told('the support address', JSON.stringify(before.support), JSON.stringify(after.support)),
  ];
}

/** Who signs it decides who rules from then on. */
function describeRecovery({ cause }: Revision): string[] {
  const { recovery } = readCauseStatement(utf8(cause.document));
  if (recovery === null) return [];
  const { principal, name, email, invitation, until } = recovery;
  const who = principal ?? `${name} (${email ?? 'no address'}), who becomes ADMINISTRATOR`;
  return [
    `LETS IN ${who}: whoever has the invitation becomes that person`,
    `invitation ${hex(decodeBase64(invitation, 32)).slice(0, fingerprintDigits)}, good until ${until}`,
  ];
}

/** Where the revision itself leaves nobody to sign: what the brake ends is not looked at. */
function gapsOf(before: NamespaceDocument, after: NamespaceDocument): string[] {
  return keyUsages.flatMap((usage) => {
    const ends = after.keys.flatMap(({ usages, until }) =>
      usages.includes(usage) && until !== null ? [until] : [],
    );
    const signsAt = (document: NamespaceDocument, index: number): boolean =>
      entitledKeys(document, null, usage, index).length > 0;
    const gap = ends.sort((a, b) => a - b).find((end) => signsAt(before, end) && !signsAt(after, end));
    return gap === undefined ? [] : [`WARNING: from log index ${gap} on, no key signs ${usage} records`];
  });
}

function describeKey(before: NamespaceKey | undefined, after: NamespaceKey): string[] {
  const name = `key ${keyIdOfFingerprint(after.id)} (${after.usages.join(', ')})`;
  const limits = describeLimits(before?.limits, after.limits).map((what) => `${name} ${what}`);
  if (before === undefined)
    return [`${name} is added: ${after.alg}, valid from log index ${after.from}`, ...limits];
  if (before.until === after.until) return limits;
  return [`${name} ends: it signs nothing from log index ${after.until} on`, ...limits];
}

function parseCauseText({ cause }: Revision): string {
  const { at, why } = asObject(parseJsonText(cause.document), 'cause');
  return `${asString(at, 'at')}${typeof why === 'string' ? `: ${why}` : ''}`;
}
