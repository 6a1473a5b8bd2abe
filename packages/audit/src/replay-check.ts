/**
 * The rules that every replayer applies, applied to a store: bootstrap, chains, `at`, signatures by entitled keys,
 * map roots and trust roots. The rules themselves are the witness package's.
 */
import {
  keyIdOf,
  type LogRecord,
  type PublicKey,
  payloadTypes,
  type RecordEntry,
  subjectTypeOf,
  type TrustRoot,
} from '@tallystick/core';
import {
  applyEntry,
  applyKnownRecord,
  latestInstant,
  type PublicDocumentType,
  ReplayState,
  type RuleContext,
  SignatureChecks,
  type SignatureNeed,
  type SignaturePool,
  type TrustSource,
  Unavailable,
  Violation,
} from '@tallystick/witness';
import { PerpetualCheck } from './perpetual-check.ts';
import { type FsckProblem, problemAt } from './report.ts';

/** Rules about something that a table of its own holds. */
const documentRules: ReadonlySet<string> = new Set(['document', 'namespace', 'brake']);

export interface GoverningTrust {
  /** Log index of the trust root's entry. */
  index: number;
  trust: TrustRoot;
}

export class ReplayCheck {
  readonly state: ReplayState = new ReplayState();
  /** Every trust root of the log, in order. */
  readonly trusts: GoverningTrust[] = [];
  /** What replayers leave to those who see documents. */
  readonly perpetual: PerpetualCheck;
  readonly #checks: SignatureChecks;
  readonly #context: RuleContext;
  /** As `#context`, for entries whose signatures were checked before. */
  readonly #knownContext: RuleContext;
  readonly #keys: readonly PublicKey[];
  /** The keys that have signed the entry being judged. */
  #signers: readonly PublicKey[] = [];
  /** The public document of the entry being judged. */
  #document: Uint8Array | null = null;

  /** @param now seconds */
  constructor(options: {
    genesis: Uint8Array;
    keys: readonly PublicKey[];
    pool: SignaturePool;
    now: number;
  }) {
    this.#checks = new SignatureChecks(options.pool);
    const trustSource: TrustSource = {
      publicDocument: async (_ns: string, _type: PublicDocumentType, _rev: number) => {
        if (this.#document === null) throw new MissingDocument();
        return this.#document;
      },
      keys: async () => [...options.keys],
    };
    this.#context = {
      genesis: options.genesis,
      trustSource,
      checks: this.#checks,
      latestAt: latestInstant(options.now),
      suspects: new Set(),
    };
    this.#keys = options.keys;
    this.perpetual = new PerpetualCheck(this.state, this.#checks, options.keys);
    this.#knownContext = { ...this.#context, checks: { add: (need) => this.#expectSigned(need) } };
  }

  /** Judges the next entry. One that breaks a rule is taken in as void: it moves nothing. */
  async take(
    entry: Uint8Array,
    leaf: Uint8Array,
    record: RecordEntry | null,
    document: Uint8Array | null,
  ): Promise<FsckProblem | null> {
    const index = this.state.size;
    this.#document = document;
    try {
      const known = record === null ? { leaf } : { leaf, record };
      const pending = applyEntry(this.state, entry, this.#context, known);
      if (pending !== undefined) await pending;
      this.#noteTrust(index);
      return null;
    } catch (error) {
      if (error instanceof MissingDocument && record !== null) {
        this.takeAltered(leaf, record.record.subject, record.record.rev);
        const message = 'the public document is missing, and what it rules cannot be judged';
        return problemAt(index, 'contents', 'document', message);
      }
      if (!(error instanceof Violation)) throw error;
      this.takeVoid(leaf);
      const table = documentRules.has(error.rule) ? 'contents' : 'entries';
      return problemAt(index, table, error.rule, error.detail);
    }
  }

  /**
   * Takes in a map root or a record that was looked at before, where the rules let it follow. `signers` are the places
   * of the keys that have signed a record. False where anything speaks against it, and then nothing has changed.
   */
  takeKnown(
    known: { mapRoot: Uint8Array } | { record: LogRecord; signers: readonly number[] },
    leaf: Uint8Array,
  ): boolean | Promise<boolean> {
    try {
      const pending =
        'mapRoot' in known
          ? applyEntry(this.state, known.mapRoot, this.#context, { leaf })
          : this.#applyKnown(known.record, known.signers, leaf);
      return pending === undefined || pending.then(() => true, isObjection);
    } catch (error) {
      return isObjection(error);
    }
  }

  #applyKnown(record: LogRecord, signers: readonly number[], leaf: Uint8Array): Promise<void> | undefined {
    this.#signers = signers.flatMap((place) => this.#keys[place] ?? []);
    const signatures = this.#signers.map((key) => ({ keyid: keyIdOf(key), sig: checkedBefore }));
    const envelope = { payload: checkedBefore, payloadType: payloadTypes.record, signatures };
    return applyKnownRecord(this.state, { leaf, record: { record, envelope } }, this.#knownContext);
  }

  #expectSigned({ candidates }: SignatureNeed): void {
    if (!candidates.some(({ key }) => this.#signers.includes(key))) throw new NotSigned();
  }

  /** Takes in an entry that was found bad before its rules were asked. */
  takeVoid(leaf: Uint8Array): void {
    this.state.append({ leaf, subject: null, rev: 0, kind: 0 });
  }

  /** As `takeVoid`, for altered bytes at a place where it is known which subject the log moved there. */
  takeAltered(leaf: Uint8Array, subject: Uint8Array, rev: number): void {
    const head = this.state.map.head(subject);
    const kind = head === undefined ? 0 : this.state.kinds.at(head.index);
    this.state.append({ leaf, subject, rev, kind });
  }

  /** Waits for room, and forgets what a replayer would write to its disk. */
  async pause(): Promise<void> {
    await this.#checks.room();
    this.state.rows.clear();
    this.state.facts.clear();
  }

  /** True where a signature turned out bad that was handed over earlier. */
  get hasBadSignature(): boolean {
    return this.#checks.bad.length > 0;
  }

  /** Waits for every signature; one problem for each that does not hold. */
  async settle(): Promise<FsckProblem[]> {
    await this.#checks.drain();
    return this.#checks.bad.map((index) =>
      problemAt(index, 'entries', 'signature', 'a signature that the record needs does not hold'),
    );
  }

  #noteTrust(index: number): void {
    const { trust } = this.state;
    if (trust !== null && this.trusts.at(-1)?.trust !== trust) this.trusts.push({ index, trust });
  }
}

/** The store has no document for a record that governs what comes after it. */
class MissingDocument extends Error {}

/** Stands for signatures and payloads that were looked at before: no signature holds over it. */
const checkedBefore = new Uint8Array(0);

/** A record lacks a signature that the rules ask for. Not a verdict: it only says that somebody has to look. */
class NotSigned extends Error {}

/** False for what the rules say against an entry; rethrows what they do not. */
function isObjection(error: unknown): false {
  if (error instanceof Violation || error instanceof Unavailable || error instanceof NotSigned) return false;
  throw error;
}

/** The public document that the rules have to see with a record; null for every other. */
export function publicDocumentOf(record: RecordEntry | null, document: Uint8Array | null): Uint8Array | null {
  const type = record === null ? '' : subjectTypeOf(record.record.type);
  return type === 'namespace' || type === 'brake' ? document : null;
}
