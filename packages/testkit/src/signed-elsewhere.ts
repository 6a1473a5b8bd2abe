/** What people sign elsewhere: revisions of the namespace, and new versions of the trust root. */
import {
  causeCommitment,
  documentCommitment,
  encodeEnvelope,
  encodeRecord,
  encodeTrustRootPayload,
  type LogRecord,
  leafHash,
  type NamespaceDocument,
  parseTrustRoot,
  payloadTypes,
  preAuthEncoding,
  type RecoveryStatement,
  recoverCommand,
  type TrustRoot,
  type TrustRootContent,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import type { Ledger, SignedRevision } from '@tallystick/ledger';
import type { KeystoreKey } from '@tallystick/signer';
import type { TestWorld } from './system.ts';

/** What they sign for. */
export interface SignedFor {
  ledger: Pick<Ledger, 'governing' | 'read'>;
  world: Pick<TestWorld, 'identity' | 'cosigners'>;
}

export interface RevisionChanges {
  document?: Partial<NamespaceDocument>;
  record?: Partial<LogRecord>;
  by?: KeystoreKey;
  /** Whom it lets in. */
  recovery?: RecoveryStatement;
  /** Milliseconds from now. */
  at?: number;
}

/** Of a system with keys of one algorithm. */
export function only<Key>([key, ...others]: readonly Key[]): Key {
  if (key === undefined || others.length > 0) throw new Error('there is not one key');
  return key;
}

/** A sound revision with one thing changed. */
export async function signedRevision(
  system: SignedFor,
  {
    document,
    record,
    recovery,
    by = only(system.world.identity.keys.authority),
    at = 0,
  }: RevisionChanges = {},
): Promise<SignedRevision> {
  const { namespace } = system.ledger.governing;
  const newest = await system.ledger.read.revision('namespace');
  if (newest === undefined) throw new Error('no namespace');
  const next = { ...namespace, rev: namespace.rev + 1, name: 'Acme Inc', ...document };
  const bytes = utf8(JSON.stringify(next));
  const instant = new Date(Date.now() + at).toISOString();
  const who = { kind: 'person', id: 'ada' };
  const command = recovery === undefined ? 'namespace.update' : recoverCommand;
  const head = { v: 1, command, n: 1, who, why: null, request: null };
  const told = { ...head, ...(recovery && { recovery }), at: instant };
  const cause = { salt: new Uint8Array(32).fill(3), document: utf8(JSON.stringify(told)) };
  const payload = encodeRecord({
    ns: 'acme',
    type: 'namespace.updated',
    subject: newest.record.record.subject,
    rev: next.rev,
    prev: leafHash(newest.entry),
    doc: documentCommitment(zeroSalt, bytes),
    cause: causeCommitment(cause.salt, cause.document),
    at: instant,
    ...record,
  });
  const sig = await by.sign(preAuthEncoding(payloadTypes.record, payload));
  const signatures = [{ keyid: by.keyid, sig }];
  const entry = encodeEnvelope({ payload, payloadType: payloadTypes.record, signatures });
  return { entry, document: bytes, cause };
}

/** The version after `current`, signed by all of `signers`: the same but for `changes`. */
export async function nextTrustRoot(
  system: SignedFor,
  current: TrustRoot,
  signers: readonly KeystoreKey[],
  changes: Partial<TrustRootContent> = {},
): Promise<TrustRoot> {
  const { log, freshness, namespaces, expires, root, genesis } = current;
  const payload = encodeTrustRootPayload({
    version: current.version + 1,
    genesis,
    prev: current.hash,
    expires,
    root,
    log,
    quorum: system.world.cosigners.quorum,
    freshness,
    namespaces,
    ...changes,
  });
  const message = preAuthEncoding(payloadTypes.trustRoot, payload);
  const signatures = await Promise.all(
    signers.map(async (key) => ({ keyid: key.keyid, sig: await key.sign(message) })),
  );
  return parseTrustRoot(encodeEnvelope({ payload, payloadType: payloadTypes.trustRoot, signatures }));
}
