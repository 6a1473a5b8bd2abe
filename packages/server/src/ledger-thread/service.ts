/**
 * What the HTTP side may ask of the ledger, answered in the shapes of the contract.
 *
 * Runs in the ledger's thread; every answer is plain JSON.
 */

import type {
  Listed,
  PolicyInForce,
  RecoveryDraft,
  RecoveryResult,
  TrustPublished,
} from '@tallystick/contract';
import type { NoteCode } from '@tallystick/contract/problems';
import { base64, decodeUtf8, formatInstant, parseTilePath } from '@tallystick/core';
import { bareResource } from '@tallystick/gate';
import type { CustodyRequest } from '@tallystick/ledger';
import type { ApprovalNeeds } from './gate/approval-needs.ts';
import type { Judgment } from './gate/judgment.ts';
import type { LedgerStatus } from './messages.ts';
import {
  type MutateInput,
  type MutationAnswer,
  Mutations,
  type NamespaceRevisionInput,
  type TrustPublishInput,
} from './mutations.ts';
import type { NamespaceKeys } from './namespace-keys.ts';
import { policyId } from './policy-answer.ts';
import { Recovery, type RecoveryInput } from './recovery.ts';
import type { ServedLog } from './served-log.ts';
import { ServiceProblem } from './service-problem.ts';
import { type ListInput, type PageInput, resourceIn, SubjectReads } from './subject-reads.ts';

export class LedgerService {
  readonly #ledger: ServedLog;
  readonly #keys: NamespaceKeys;
  readonly #reads: SubjectReads;
  readonly #mutations: Mutations;
  readonly #recovery: Recovery;
  readonly #status: () => LedgerStatus;

  constructor(
    ledger: ServedLog,
    keys: NamespaceKeys,
    note: (code: NoteCode) => { code: NoteCode; detail: string },
    status: () => LedgerStatus,
    { needs, onRecovery }: { needs: ApprovalNeeds; onRecovery: (detail: string) => void },
  ) {
    this.#status = status;
    this.#ledger = ledger;
    this.#keys = keys;
    this.#reads = new SubjectReads(ledger, keys);
    this.#mutations = new Mutations(ledger, keys, note);
    const now = (): string => formatInstant(Date.now());
    this.#recovery = new Recovery({ ledger, keys, needs, now, alarm: onRecovery });
  }

  /** How the ledger stands now. */
  async status(): Promise<LedgerStatus> {
    return this.#status();
  }

  mutate(input: MutateInput, judgment: Judgment): Promise<MutationAnswer> {
    return this.#mutations.mutate(input, judgment);
  }

  reviseNamespace(input: NamespaceRevisionInput, judgment: Judgment): Promise<MutationAnswer> {
    return this.#mutations.reviseNamespace(input, judgment);
  }

  recoveryDraft(): Promise<RecoveryDraft> {
    return this.#recovery.draft();
  }

  recover(input: RecoveryInput): Promise<RecoveryResult> {
    return this.#recovery.take(input);
  }

  get(input: { type: Listed; id: string }, judgment: Judgment): Promise<object> {
    return this.#reads.get(input, judgment);
  }

  list(input: ListInput, judgment: Judgment): Promise<object> {
    return this.#reads.list(input, judgment);
  }

  history(input: PageInput & { type: Listed; id: string }, judgment: Judgment): Promise<object> {
    return this.#reads.history(input, judgment);
  }

  policyInForce(): Promise<PolicyInForce> {
    return this.#reads.policyInForce();
  }

  policyHistory(input: PageInput): Promise<object> {
    return this.#reads.policyHistory(input);
  }

  /** The license file as text; for an id that was never issued, the proof of that. */
  async bundle(
    { id, trustVersion }: { id: string; trustVersion?: number | undefined },
    judgment: Judgment,
  ): Promise<string> {
    const license = (await this.#ledger.read.current(id))?.document;
    judgment.read(
      license?.type === 'license' ? await resourceIn(this.#ledger, license) : bareResource('License'),
    );
    return this.#bundle(id, trustVersion);
  }

  #bundle(id: string, trustVersion: number | undefined): Promise<string> {
    return this.#ledger.bundle(id, trustVersion === undefined ? {} : { trustVersion });
  }

  /** The custody report as text. Whoever may see none is told so, whether or not there is such a license. */
  async custody({ id, ...request }: { id: string } & CustodyRequest, judgment: Judgment): Promise<string> {
    const license = (await this.#ledger.read.current(id))?.document;
    const isThere = license?.type === 'license';
    judgment.read(isThere ? await resourceIn(this.#ledger, license) : bareResource('License'));
    if (!isThere) throw new ServiceProblem('subject_unknown', `there is no license ${id}`);
    return this.#ledger.custody(id, request);
  }

  /** Says that something may be asked for that is found out elsewhere. */
  async describe(_: null, judgment: Judgment): Promise<object> {
    await this.#demandSound(judgment);
    return {};
  }

  /** Says whether sessions of `owner` may be asked for or ended; null for everybody's. They are in another thread. */
  async maySessions({ owner }: { owner: string | null }, judgment: Judgment): Promise<object> {
    judgment.read({ ...bareResource('Session'), owner });
    await this.#demandSound(judgment);
    return {};
  }

  /**
   * Who set the system up is let in because the log has nobody else. In one that is not sound somebody may have been made
   * invisible, and what is found out elsewhere would be told all the same.
   */
  async #demandSound({ asked }: Judgment): Promise<void> {
    if (asked?.caller.kind === 'bootstrap') await this.#ledger.read.current(policyId);
  }

  async bundleOfKey({
    licenseKey,
    trustVersion,
  }: {
    licenseKey: string;
    trustVersion?: number | undefined;
  }): Promise<string> {
    const id = await this.#ledger.read.licenseOfKey(licenseKey);
    if (id === undefined) throw new ServiceProblem('license_key_unknown');
    return this.#bundle(id, trustVersion);
  }

  publishTrust(input: TrustPublishInput, judgment: Judgment): Promise<TrustPublished> {
    return this.#mutations.publishTrust(input, judgment);
  }

  async checkpoint(): Promise<string> {
    this.#needPublished();
    return this.#ledger.published?.note ?? '';
  }

  /** The bytes of a tile in base64; `path` is what stands behind `tile/`. */
  async tile({ path }: { path: string }): Promise<string> {
    let name: ReturnType<typeof parseTilePath>;
    try {
      name = parseTilePath(`tile/${path}`);
    } catch {
      throw new ServiceProblem('not_found', 'this is not the path of a tile');
    }
    const bytes = await this.#ledger.read.tile(name);
    if (bytes === undefined) throw new ServiceProblem('not_found', 'the log has no such tile yet');
    return base64(bytes);
  }

  /** The leaves of a range of entries in base64, and the size of the log: what documents are checked with elsewhere. */
  async leaves({ from, to }: { from: number; to: number }): Promise<{ size: number; leaves: string }> {
    const { size, read } = this.#ledger;
    if (from >= Math.min(to, size)) throw new ServiceProblem('not_found', `the log has no entry ${from} yet`);
    return { size, leaves: base64(read.leaves(from, Math.min(to, size))) };
  }

  async currentTrust({ ns }: { ns: string }): Promise<object> {
    this.#needNamespace(ns);
    const show = async (id: 'namespace' | 'brake') => {
      const revision = await this.#ledger.read.revision(id);
      return { index: revision?.index ?? 0, document: revision?.current?.document };
    };
    return { namespace: await show('namespace'), brake: await show('brake') };
  }

  async publicDocument({
    ns,
    id,
    rev,
  }: {
    ns: string;
    id: 'namespace' | 'brake';
    rev: number;
  }): Promise<string> {
    this.#needNamespace(ns);
    const bytes = await this.#ledger.read.publicDocument(id, rev);
    if (bytes === undefined)
      throw new ServiceProblem('not_found', `there is no revision ${rev} of the ${id}`);
    return decodeUtf8(bytes);
  }

  async trustKeys({ ns }: { ns: string }): Promise<object> {
    this.#needNamespace(ns);
    return { keys: this.#keys.all.map(({ alg, key }) => ({ alg, key: base64(key) })) };
  }

  /** The envelope of a trust root version, as text. */
  async trustRoot({ version }: { version: number }): Promise<object> {
    const trust = this.#ledger.trust.version(version);
    if (trust === undefined) throw new ServiceProblem('not_found', `there is no trust root ${version}`);
    const { payload, payloadType, signatures } = trust.envelope;
    const signed = signatures.map(({ keyid, sig }) => ({ keyid, sig: base64(sig) }));
    return { payload: base64(payload), payloadType, signatures: signed };
  }

  async logEntry({ index }: { index: number }): Promise<object> {
    const found = await this.#ledger.read.logEntry(index);
    if (found === undefined) throw new ServiceProblem('not_found', `the log has no entry ${index} yet`);
    const promise = await this.#ledger.promiseOf(index);
    return { ...found, published: index < (this.#ledger.published?.size ?? 0), promise };
  }

  /** Records from `from` up to `to` as events, for streams that resume. */
  async eventsBetween({ from, to }: { from: number; to: number }): Promise<object[]> {
    return this.#ledger.read.recordsBetween(from, to);
  }

  #needPublished(): void {
    if (this.#ledger.published === null) throw new ServiceProblem('not_published_yet');
  }

  #needNamespace(ns: string): void {
    if (ns !== this.#ledger.governing.namespace.ns)
      throw new ServiceProblem('not_found', `there is no namespace ${ns} here`);
  }
}
