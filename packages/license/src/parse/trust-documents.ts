import type {
  BrakeDocument,
  KeyLimits,
  LockLevel,
  NamespaceDocument,
  NamespaceKey,
  Support,
} from '../documents.ts';
import { subjectType, version } from './head.ts';
import {
  documentOf,
  integer,
  listOf,
  nullable,
  oneOf,
  open,
  optional,
  type Reader,
  textThat,
} from './reader.ts';
import { duration, hash, namespaceName, text } from './scalars.ts';

/** Readers of the two public documents, `namespace` and `brake`. */

const KEYS_MAX = 1_000;
const USAGES_MAX = 16;

const lock: Reader<LockLevel> = oneOf('open', 'heightened', 'read-only', 'frozen', 'sealed');
const natural: Reader<number> = integer(0);

const support: Reader<Support> = open({ name: nullable(text), email: nullable(text), url: nullable(text) });

const limits: Reader<KeyLimits> = open({
  offlineMax: nullable(duration),
  termMax: nullable(duration),
  seatsMax: nullable(natural),
  perMinute: nullable(natural),
});

const key: Reader<NamespaceKey> = open({
  id: hash,
  alg: oneOf('ed25519', 'ml-dsa-44', 'ecdsa-p256-sha256'),
  usages: listOf(oneOf('product', 'plan', 'customer', 'license', 'gate', 'brake', 'lease'), USAGES_MAX),
  from: natural,
  until: nullable(natural),
  limits,
});

const keyEnds: Reader<BrakeDocument['until']> = listOf(open({ id: hash, index: natural }), KEYS_MAX);

export const namespaceDocument: Reader<NamespaceDocument> = documentOf<NamespaceDocument>({
  v: version,
  type: subjectType('namespace'),
  ns: namespaceName,
  id: textThat((id) => id === 'namespace', 'namespace'),
  rev: natural,
  name: text,
  mode: oneOf('live', 'test'),
  support,
  epoch: natural,
  lock,
  minEpoch: natural,
  keys: listOf(key, KEYS_MAX),
});

export const brakeDocument: Reader<BrakeDocument> = documentOf<BrakeDocument>({
  v: version,
  type: subjectType('brake'),
  ns: namespaceName,
  id: textThat((id) => id === 'brake', 'brake'),
  rev: natural,
  epoch: natural,
  lock,
  minEpoch: natural,
  until: keyEnds,
  destroyed: optional(keyEnds),
});
