/** What the server answers. Later versions may add members, so readers ignore those that they do not know. */
import type { KeptPromise } from '@tallystick/core';
import type {
  Base64,
  BrakeDocument,
  CompanionView,
  DocumentOf,
  Instant,
  KeyAlgorithm,
  Listed,
  LockLevel,
  NamespaceDocument,
  RecordType,
  SubjectType,
} from './documents.ts';
import type { PolicyContent } from './gate-documents.ts';
import type { NoteCode, ProblemCode } from './problems.ts';

/** RFC 9457, as `application/problem+json`. */
export interface Problem {
  /** `urn:tallystick:problem:<code>` */
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  /** What happened here and what to do next. */
  detail: string;
  /** Where one member is to blame: `$.term.until` in the body, else `query.limit`, `headers.…` or `params.id`. */
  path?: string;
  details?: Record<string, string | number>;
  /** The same id as in the server's log. */
  requestId: string;
}

export interface SubjectName {
  type: SubjectType;
  id: string;
}

/** One record that a mutation made, in the order of the log. */
export interface Change {
  type: RecordType;
  subject: SubjectName;
  rev: number;
  /** Log index and leaf hash of the entry; null in a dry run. */
  index: number | null;
  leaf: Base64 | null;
  at: Instant;
}

/** What is worth knowing about an answer that is not a problem. */
export interface Note {
  code: NoteCode;
  detail: string;
}

export interface MutationResult<T extends SubjectType = SubjectType> {
  changes: Change[];
  /** What the log's key promises of each change, in the same order; empty in a dry run. */
  promises: KeptPromise[];
  /** The main subject after the change. A dry run shows an id that a real one does not get. */
  document: DocumentOf[T];
  /** True when a published checkpoint covers every change. */
  published: boolean;
  dryRun: boolean;
  notes: Note[];
}

/** What came of a command that enough have approved. */
export interface Execution {
  done: boolean;
  /** The records that it made, and last that of the request. */
  changes: Change[];
  /** Why it was not carried out. The request waits on, and `execute` tries again. */
  problem: { code: ProblemCode; detail: string } | null;
}

export interface ApprovalResult extends MutationResult<'approval'> {
  /** Of an approval that was the last one needed. */
  execution?: Execution;
}

/** What a command that waits would do now. */
export interface ApprovalEffect {
  changes: {
    type: RecordType;
    subject: SubjectName;
    rev: number;
    before: AnyDocument | null;
    after: AnyDocument;
  }[];
  /** Why it would be refused. */
  refusal: { code: ProblemCode; detail: string } | null;
  /** What a revision of the namespace loosens, a phrase each. Left out where there is none. */
  loosens?: string[];
  /** What new versions of the trust root say, and those before them. Left out where there are none. */
  trustRoots?: { version: number; before: Record<string, unknown>; after: Record<string, unknown> }[];
}

/** A document of any type, with the members of its type. */
export type AnyDocument = { type: SubjectType; id: string };

/** What publishing a trust root came to. */
export interface TrustPublished {
  /** The version that governs the log now. */
  version: number;
  /** How many versions were logged by this request, or would be. */
  logged: number;
  notes: Note[];
}

/** What a statement of the authority has to follow, for who is not known yet: the newest revision of the namespace. */
export interface RecoveryDraft {
  /** The exact bytes of its entry. */
  entry: Base64;
  document: string;
}

/** Who was let in by the authority. */
export interface RecoveryResult {
  dryRun: boolean;
  /** Log index of the revision; null in a dry run, as the ids are. */
  namespace: number | null;
  principal: string | null;
  /** The invitation. */
  credential: string | null;
  /** When the invitation ends. */
  until: Instant;
}

export interface LicenseResult extends MutationResult<'license'> {
  /** Only in answers that made or set a license key. It is a bearer secret. */
  licenseKey?: string;
  /** The license file, when the request waited for publication. */
  bundle?: BundleJson;
}

export interface PublicKeyJson {
  alg: KeyAlgorithm;
  /** Raw, base64. */
  key: Base64;
}

/** A license file, `application/vnd.tallystick.bundle.v1+json`. */
export interface BundleJson {
  v: 1;
  trust: { envelope: Base64; proof: string }[];
  anchor: { entry: string; proof: string };
  keys: PublicKeyJson[];
  subjects: {
    id: string;
    document: Base64 | null;
    salt: Base64 | null;
    index: number | null;
    entry: Base64 | null;
    path: Base64[];
    map: Base64;
  }[];
}

/** A subject at its newest revision, checked against its commitment before it was served. */
export interface Item<T extends Listed = Listed> {
  document: DocumentOf[T];
  index: number;
  leaf: Base64;
  rev: number;
  recordType: RecordType;
  at: Instant;
}

export interface LicenseItem extends Item<'license'> {
  /** Left out of lists. */
  companion?: CompanionView;
}

export interface CredentialItem extends Item<'credential'> {
  /** When and from where it was last used at this server; null for never. */
  lastUse?: { at: Instant; address: string } | null;
}

/** The policy set that requests are judged by. */
export interface PolicyInForce extends PolicyContent {
  /** Hashes of the policies and of their schema, as decisions name them. */
  hashes: { policy: Base64; schema: Base64 };
  /** Where the log holds it; null for the one that comes with the software, which is in force while the log has none. */
  revision: Omit<Item, 'document'> | null;
}

export interface ApprovalItem extends Item<'approval'> {
  /** Left out of lists, of requests that do not wait, and where this server cannot tell. */
  effect?: ApprovalEffect;
  /** Names of the principals that it speaks of, by id; left out of lists. */
  names?: Record<string, string>;
}

export interface Page<T> {
  items: T[];
  /** Opaque; null on the last page. */
  nextCursor: string | null;
}

/** Why a record was made. Further members depend on how the caller was authenticated. */
export interface Cause {
  /** Who asked; null for the system itself. */
  who: string | null;
  why: string | null;
  /** How many records the command made. */
  n: number;
}

export interface HistoryItem<T extends Listed | 'policy' = Listed | 'policy'> {
  index: number;
  rev: number;
  recordType: RecordType;
  at: Instant;
  leaf: Base64;
  /** null once erased, as is the document. */
  cause: Cause | null;
  document: DocumentOf[T] | null;
}

/** `unknown` until the first contact. */
export const memberStates = ['ok', 'behind', 'unreachable', 'refusing', 'unknown'] as const;

export interface QuorumMember {
  name: string;
  /** Name of its group in the quorum of the trust root. */
  group: string;
  url: string;
  state: (typeof memberStates)[number];
  lastSeenAt: Instant | null;
  lastError: string | null;
}

export interface LogStatus {
  origin: string;
  /** Durable entries. */
  size: number;
  published: PublishedCheckpoint | null;
  /** What waits for its checkpoint; `publishBy` is what the oldest promise says, `trouble` why publishing fails now. */
  pending: { count: number; oldestAt: Instant | null; publishBy: Instant | null; trouble: string | null };
  quorum: QuorumMember[];
  /** False where another server writes this log, or none does yet; `mutations` then says which one. */
  writes: boolean;
  /** Whether changes are taken, and why not. */
  mutations: Readiness;
  /** `mark` is the largest tree that the signer has signed for. */
  signer: { connected: boolean; mark: { size: number; root: Base64 } | null };
  namespace: NamespaceStatus;
  /** Of how many people; with one, rules for approvals ask nobody. */
  approvals: { people: number; bind: boolean };
  /** What is between callers and this server: names of networks, how many proxies it believes, and trust domains. */
  edge: { networks: string[]; trustedProxies: number; trustDomains: string[] };
}

export interface PublishedCheckpoint {
  size: number;
  root: Base64;
  /** No later than this was it the newest, proven by cosignatures. */
  asOf: Instant;
  at: Instant;
}

/** The stricter of namespace and brake. */
export interface NamespaceStatus {
  ns: string;
  mode: 'live' | 'test';
  epoch: number;
  lock: LockLevel;
  minEpoch: number;
  /** Log index from which a key signs who may use the system; null where none is listed, as in systems of before. */
  gateFrom: number | null;
}

export interface RecordJson {
  v: 1;
  ns: string;
  type: RecordType;
  subject: Base64;
  rev: number;
  prev: Base64 | null;
  doc: Base64;
  cause: Base64;
  at: Instant;
}

export interface LogEntry {
  index: number;
  leaf: Base64;
  kind: 'record' | 'trust.root' | 'map.root';
  /** The exact bytes of the entry. */
  entry: Base64;
  /** null for entries that are not records. */
  record: RecordJson | null;
  subject: SubjectName | null;
  published: boolean;
  /** null where it is published, and while the signer is away. */
  promise: KeptPromise | null;
}

/** A DSSE envelope. */
export interface EnvelopeJson {
  payload: Base64;
  payloadType: string;
  signatures: { keyid: string; sig: Base64 }[];
}

/** The newest public documents of a namespace and where the log holds them. */
export interface CurrentTrust {
  namespace: { index: number; document: NamespaceDocument };
  brake: { index: number; document: BrakeDocument };
}

export interface KeyList {
  keys: PublicKeyJson[];
}

export interface Liveness {
  alive: true;
}

export interface Readiness {
  ready: boolean;
  /** Why not, as the problems that a request would meet. */
  reasons: { code: ProblemCode; detail: string }[];
}

/** What one request was, and what became of it: docs/spec/access-log.md. */
export interface AccessRecordJson {
  at: Instant;
  requestId: string;
  zone: string;
  route: string;
  method: string;
  status: number;
  code: string | null;
  who: { kind: string; id: string; credential: string; session: string | null } | null;
  address: string;
  resource: { type: string; id: string } | null;
  decision: { effect: 'allow' | 'deny'; policy: string; reasons: string[]; entities: string } | null;
  why: string | null;
}

/** Whose an access log is. */
export interface AccessIdentity {
  /** Its name. */
  origin: string;
  /** The first leaf, base64: an attestation of the keys that sign it, by those of the main log. */
  identity: Base64;
}

/** One page of records; from before `droppedBefore` there are none any more. */
export interface AccessPage extends Page<AccessItem> {
  droppedBefore: Instant | null;
}

export interface AccessItem {
  /** Its number in the access log, and the index of the leaf that commits to it; null for the last second. */
  n: number;
  leaf: number | null;
  record: AccessRecordJson;
}

/** Of several servers on one database, one writes the log. */
export interface Writing {
  writes: boolean;
}

/** Reads and mutations are ready apart: a log that cannot publish still serves what it has. */
export interface ReadinessReport {
  reads: Readiness;
  mutations: Readiness;
}
