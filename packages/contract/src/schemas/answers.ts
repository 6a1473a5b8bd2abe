/** Schemas of answers, problems and pages. */
import type { KeptPromise } from '@tallystick/core';
import { z } from 'zod';
import {
  type AnyDocument,
  type ApprovalEffect,
  type ApprovalItem,
  type ApprovalResult,
  type Cause,
  type Change,
  type CredentialItem,
  type Execution,
  type HistoryItem,
  type Item,
  type LicenseItem,
  type LicenseResult,
  type Liveness,
  type LogEntry,
  type LogStatus,
  type MutationResult,
  memberStates,
  type NamespaceStatus,
  type Note,
  type Page,
  type PolicyInForce,
  type Problem,
  type PublishedCheckpoint,
  type QuorumMember,
  type Readiness,
  type ReadinessReport,
  type RecordJson,
  type SubjectName,
  type TrustPublished,
  type Writing,
} from '../answers.ts';
import {
  type Listed,
  lockLevels,
  type RecordType,
  recordTypes,
  type SubjectType,
  subjectTypes,
} from '../documents.ts';
import { noteCodes, type ProblemCode, problemCodes, problemTypePrefix } from '../problems.ts';
import { companionView, documents } from './documents.ts';
import { policyContent } from './gate.ts';
import { base64, boolean, hash, instant, licenseKey, namespaceName, natural, text } from './scalars.ts';
import { described, kept, oneOf, open, type Shape } from './shape.ts';
import { bundle } from './trust.ts';

const CHANGES_MAX = 500;
const PROMISE_PATH_MAX = 63;
const CURSOR_LENGTH_MAX = 512;
export const PAGE_LENGTH_MAX = 200;

const recordType: z.ZodType<RecordType> = oneOf(recordTypes);
const problemCode: z.ZodType<ProblemCode> = oneOf(problemCodes);
/** Sentences that the server writes, which may name several things. */
const sentence: z.ZodType<string> = z.string().max(2_000);

export const problem: z.ZodType<Problem> = open<Problem>({
  type: z.string().startsWith(problemTypePrefix),
  title: sentence,
  status: z.int().min(400).max(599),
  code: problemCode,
  detail: described(sentence, 'What happened here and what to do next'),
  path: described(
    z.string().max(1_000),
    'Where one member is to blame: a JSON path into the body, or query., headers. or params. and its name',
  ).exactOptional(),
  details: z.record(z.string(), z.union([z.string(), z.number()])).exactOptional(),
  requestId: described(z.string().max(100), "The same id as in the server's log"),
});

export const cursor: z.ZodType<string> = described(
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'must be a cursor that an earlier page returned')
    .max(CURSOR_LENGTH_MAX),
  'Opaque: what nextCursor of the page before said',
);

export function pageOf<T>(item: z.ZodType<T>): z.ZodType<Page<T>> {
  return open<Page<T>>({ items: z.array(item).max(PAGE_LENGTH_MAX), nextCursor: cursor.nullable() });
}

export const subjectName: z.ZodType<SubjectName> = open<SubjectName>({
  type: oneOf(subjectTypes),
  id: z.string().max(64),
});

export const keptPromise: z.ZodType<KeptPromise> = open<KeptPromise>({
  envelope: described(base64, 'The exact bytes of a DSSE envelope, signed by the key of the log'),
  index: natural,
  leaf: hash,
  path: described(
    z.array(hash).max(PROMISE_PATH_MAX),
    'From the leaf to the root of the batch, leaf side first',
  ),
});

export const change: z.ZodType<Change> = open<Change>({
  type: recordType,
  subject: subjectName,
  rev: natural,
  index: described(natural.nullable(), 'Log index of the entry; null in a dry run'),
  leaf: described(hash.nullable(), 'Leaf hash of the entry; null in a dry run'),
  at: instant,
});

export const note: z.ZodType<Note> = open<Note>({ code: oneOf(noteCodes), detail: sentence });

function resultMembers<T extends SubjectType>(type: T): Shape<MutationResult<T>> {
  const members = {
    changes: z.array(change).min(1).max(CHANGES_MAX),
    promises: described(
      z.array(keptPromise).max(CHANGES_MAX),
      'One per change, in the same order; none in a dry run',
    ),
    document: documents[type],
    published: described(boolean, 'True when a published checkpoint covers every change'),
    dryRun: boolean,
    notes: z.array(note).max(noteCodes.length),
  };
  return members;
}

export const trouble: z.ZodType<{ code: ProblemCode; detail: string }> = open<{
  code: ProblemCode;
  detail: string;
}>({ code: problemCode, detail: sentence });

export const execution: z.ZodType<Execution> = open<Execution>({
  done: boolean,
  changes: z.array(change).max(CHANGES_MAX),
  problem: described(trouble.nullable(), 'Why it was not carried out; the request waits on'),
});

export const anyDocument: z.ZodType<AnyDocument> = kept<AnyDocument>({
  type: oneOf(subjectTypes),
  id: z.string().max(64),
});

const VERSIONS_MAX = 64;
/** Each key of a namespace may end later and have wider limits. */
const LOOSENINGS_MAX = 2_000;
export const trustRootPayload: z.ZodType<Record<string, unknown>> = described(
  z.record(z.string(), z.unknown()),
  'What the signatures of a trust root are over',
);
type EffectTrustRoot = NonNullable<ApprovalEffect['trustRoots']>[number];
type EffectChange = ApprovalEffect['changes'][number];
export const approvalEffect: z.ZodType<ApprovalEffect> = open<ApprovalEffect>({
  changes: z
    .array(
      open<EffectChange>({
        type: recordType,
        subject: subjectName,
        rev: natural,
        before: anyDocument.nullable(),
        after: anyDocument,
      }),
    )
    .max(CHANGES_MAX),
  refusal: described(trouble.nullable(), 'Why it would be refused'),
  loosens: described(
    z.array(sentence).max(LOOSENINGS_MAX),
    'What a revision of the namespace loosens, a phrase each',
  ).exactOptional(),
  trustRoots: described(
    z
      .array(open<EffectTrustRoot>({ version: natural, before: trustRootPayload, after: trustRootPayload }))
      .max(VERSIONS_MAX),
    'What new versions of the trust root say, and those before them',
  ).exactOptional(),
});

export const trustPublished: z.ZodType<TrustPublished> = open<TrustPublished>({
  version: natural,
  logged: natural,
  notes: z.array(note).max(noteCodes.length),
});

export const results: {
  readonly [T in Exclude<SubjectType, 'license' | 'approval'>]: z.ZodType<MutationResult<T>>;
} & { readonly license: z.ZodType<LicenseResult>; readonly approval: z.ZodType<ApprovalResult> } = {
  namespace: open<MutationResult<'namespace'>>(resultMembers('namespace')),
  brake: open<MutationResult<'brake'>>(resultMembers('brake')),
  product: open<MutationResult<'product'>>(resultMembers('product')),
  plan: open<MutationResult<'plan'>>(resultMembers('plan')),
  customer: open<MutationResult<'customer'>>(resultMembers('customer')),
  principal: open<MutationResult<'principal'>>(resultMembers('principal')),
  credential: open<MutationResult<'credential'>>(resultMembers('credential')),
  policy: open<MutationResult<'policy'>>(resultMembers('policy')),
  approval: open<ApprovalResult>({
    ...resultMembers('approval'),
    execution: described(execution, 'Of an approval that was the last one needed').exactOptional(),
  }),
  license: open<LicenseResult>({
    ...resultMembers('license'),
    licenseKey: described(
      licenseKey,
      'A bearer secret; only in answers that made or set a key',
    ).exactOptional(),
    bundle: bundle.exactOptional(),
  }),
};

const placeInLog = { index: natural, leaf: hash, rev: natural, recordType, at: instant } as const;

function itemMembers<T extends Listed>(type: T): Shape<Item<T>> {
  const members = { document: documents[type], ...placeInLog };
  return members;
}

export const items: {
  readonly [T in Exclude<Listed, 'license' | 'credential' | 'approval'>]: z.ZodType<Item<T>>;
} & {
  readonly license: z.ZodType<LicenseItem>;
  readonly credential: z.ZodType<CredentialItem>;
  readonly approval: z.ZodType<ApprovalItem>;
} = {
  product: open<Item<'product'>>(itemMembers('product')),
  plan: open<Item<'plan'>>(itemMembers('plan')),
  customer: open<Item<'customer'>>(itemMembers('customer')),
  license: open<LicenseItem>({ ...itemMembers('license'), companion: companionView.exactOptional() }),
  principal: open<Item<'principal'>>(itemMembers('principal')),
  credential: open<CredentialItem>({
    ...itemMembers('credential'),
    lastUse: described(
      open<NonNullable<CredentialItem['lastUse']>>({ at: instant, address: z.string().max(64) }).nullable(),
      'When and from where it was last used at this server',
    ).exactOptional(),
  }),
  approval: open<ApprovalItem>({
    ...itemMembers('approval'),
    effect: described(approvalEffect, 'What the command would do now').exactOptional(),
    names: described(
      z.record(z.string(), text),
      'Names of the principals that it speaks of, by id',
    ).exactOptional(),
  }),
};

/** Where the log holds a revision. */
export const logPlace: z.ZodType<Omit<Item, 'document'>> = open<Omit<Item, 'document'>>(placeInLog);

export const policyInForce: z.ZodType<PolicyInForce> = open<PolicyInForce>({
  ...policyContent,
  hashes: open<PolicyInForce['hashes']>({ policy: hash, schema: hash }),
  revision: described(logPlace.nullable(), 'null for the one that is in force while the log has none'),
});

export const cause: z.ZodType<Cause> = kept<Cause>({
  who: sentence.nullable(),
  why: text.nullable(),
  n: described(natural, 'How many records the command made'),
});

function historyOf<T extends Listed | 'policy'>(type: T): z.ZodType<HistoryItem<T>> {
  const members = {
    index: natural,
    rev: natural,
    recordType,
    at: instant,
    leaf: hash,
    cause: described(cause.nullable(), 'null once erased'),
    document: described(documents[type].nullable() as z.ZodType<HistoryItem['document']>, 'null once erased'),
  };
  return open<HistoryItem>(members) as unknown as z.ZodType<HistoryItem<T>>;
}

export const histories: { readonly [T in Listed | 'policy']: z.ZodType<HistoryItem<T>> } = {
  product: historyOf('product'),
  plan: historyOf('plan'),
  customer: historyOf('customer'),
  license: historyOf('license'),
  principal: historyOf('principal'),
  credential: historyOf('credential'),
  policy: historyOf('policy'),
  approval: historyOf('approval'),
};

export const publishedCheckpoint: z.ZodType<PublishedCheckpoint> = open<PublishedCheckpoint>({
  size: natural,
  root: hash,
  asOf: instant,
  at: instant,
});

export const quorumMember: z.ZodType<QuorumMember> = open<QuorumMember>({
  name: sentence,
  group: sentence,
  url: sentence,
  state: oneOf(memberStates),
  lastSeenAt: instant.nullable(),
  lastError: sentence.nullable(),
});

export const readiness: z.ZodType<Readiness> = open<Readiness>({
  ready: boolean,
  reasons: z.array(trouble),
});

export const logStatus: z.ZodType<LogStatus> = open<LogStatus>({
  origin: sentence,
  size: described(natural, 'Durable entries'),
  published: publishedCheckpoint.nullable(),
  pending: open<LogStatus['pending']>({
    count: natural,
    oldestAt: instant.nullable(),
    publishBy: described(instant.nullable(), 'When the oldest promise has to be kept'),
    trouble: described(sentence.nullable(), 'Why publishing fails at the moment'),
  }),
  quorum: z.array(quorumMember),
  writes: described(boolean, 'Whether this server writes the log'),
  mutations: readiness,
  signer: open<LogStatus['signer']>({
    connected: boolean,
    mark: open<{ size: number; root: string }>({ size: natural, root: hash }).nullable(),
  }),
  namespace: open<NamespaceStatus>({
    ns: namespaceName,
    mode: oneOf(['live', 'test']),
    epoch: natural,
    lock: oneOf(lockLevels),
    minEpoch: natural,
    gateFrom: described(natural.nullable(), 'Log index from which a key signs who may use the system'),
  }),
  approvals: open<LogStatus['approvals']>({
    people: described(natural, 'Active people'),
    bind: described(boolean, 'False where rules for approvals have nobody whom they could ask'),
  }),
  edge: open<LogStatus['edge']>({
    networks: described(z.array(text), 'Names of the networks that policies can speak of'),
    trustedProxies: natural,
    trustDomains: z.array(text),
  }),
});

export const recordJson: z.ZodType<RecordJson> = open<RecordJson>({
  v: z.literal(1),
  ns: namespaceName,
  type: recordType,
  subject: hash,
  rev: natural,
  prev: hash.nullable(),
  doc: hash,
  cause: hash,
  at: instant,
});

export const logEntry: z.ZodType<LogEntry> = open<LogEntry>({
  index: natural,
  leaf: hash,
  kind: oneOf(['record', 'trust.root', 'map.root']),
  entry: described(base64, 'The exact bytes of the entry'),
  record: recordJson.nullable(),
  subject: subjectName.nullable(),
  published: boolean,
  promise: keptPromise.nullable(),
});

export const liveness: z.ZodType<Liveness> = open<Liveness>({ alive: z.literal(true) });

export const writing: z.ZodType<Writing> = open<Writing>({ writes: z.boolean() });

export const readinessReport: z.ZodType<ReadinessReport> = open<ReadinessReport>({
  reads: readiness,
  mutations: readiness,
});
