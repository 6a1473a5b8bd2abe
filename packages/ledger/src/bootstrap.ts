/**
 * The first entries of a log: leaf 0 is trust root version 1, then the namespace and its brake at
 * revision 0. Only then anything else.
 */
import {
  type BrakeDocument,
  type EnvelopeSignature,
  encodeEnvelope,
  encodeRecord,
  type LogRecord,
  leafHash,
  type NamespaceDocument,
  parseTrustRoot,
  payloadTypes,
  preAuthEncoding,
  subjectKey,
  utf8,
} from '@tallystick/core';
import { encodeDocument } from '@tallystick/license';
import { type CauseInput, sealCause, sealChange } from './content.ts';
import type { RandomPool } from './random-pool.ts';

import type { Store, StoredCause, StoredEntry } from './store/store.ts';

/** Signs the message of a record, with each key that has to. */
export type SignMessage = (message: Uint8Array) => Promise<EnvelopeSignature[]>;

export interface Bootstrap {
  /** Envelope of trust root version 1. */
  trustRoot: Uint8Array;
  ns: string;
  namespace: NamespaceDocument;
  brake: BrakeDocument;
  signAsAuthority: SignMessage;
  signAsBrake: SignMessage;
  cause: CauseInput;
  /** Instant. */
  at: string;
  random: RandomPool;
}

/** Writes the first entries into an empty store, in one transaction. Returns its public documents as they were logged. */
export async function bootstrapLog(
  store: Store,
  bootstrap: Bootstrap,
): Promise<{ entry: Uint8Array; document: Uint8Array }[]> {
  const { genesis } = parseTrustRoot(bootstrap.trustRoot);
  const root: StoredEntry = {
    index: 0,
    leaf: leafHash(bootstrap.trustRoot),
    subject: null,
    rev: 0,
    entry: bootstrap.trustRoot,
    content: null,
  };
  const namespace = await firstRecord(bootstrap, genesis, 1, 'namespace.created', bootstrap.namespace);
  const brake = await firstRecord(bootstrap, genesis, 2, 'brake.created', bootstrap.brake);
  await store.append({
    size: 0,
    entries: [root, namespace.entry, brake.entry],
    causes: [namespace.cause, brake.cause],
  });
  return [namespace, brake].map(({ entry: { entry }, document }) => ({ entry, document }));
}

async function firstRecord(
  bootstrap: Bootstrap,
  genesis: Uint8Array,
  index: number,
  type: 'namespace.created' | 'brake.created',
  document: NamespaceDocument | BrakeDocument,
): Promise<{ entry: StoredEntry; document: Uint8Array; cause: StoredCause }> {
  const { ns, at, random } = bootstrap;
  const subject = { type: document.type, id: document.id };
  const sealed = sealChange({ type, subject, rev: 0, document, companion: null }, index, random);
  const cause = sealCause({ command: type, n: 1, request: null, at, ...bootstrap.cause }, [], random);
  const record: LogRecord = {
    ns,
    type,
    subject: subjectKey(genesis, ns, document.id),
    rev: 0,
    prev: null,
    doc: sealed.commitment,
    cause: cause.commitment,
    at,
  };
  const payload = encodeRecord(record);
  const sign = type === 'namespace.created' ? bootstrap.signAsAuthority : bootstrap.signAsBrake;
  const signatures = await sign(preAuthEncoding(payloadTypes.record, payload));
  const entry = encodeEnvelope({ payload, payloadType: payloadTypes.record, signatures });
  const content = sealed.content;
  return {
    entry: { index, leaf: leafHash(entry), subject: record.subject, rev: 0, entry, content },
    document: utf8(encodeDocument(document)),
    cause: {
      index,
      records: 1,
      salt: cause.salt,
      document: cause.document,
      signed: null,
    },
  };
}
