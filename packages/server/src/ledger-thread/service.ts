/**
 * What the HTTP side may ask of the ledger, answered in the shapes of the contract.
 *
 * Runs in the ledger's thread; every answer is plain JSON.
 */

import type {
  Listed,
  NamespaceRevisionBody,
  NoteCode,
  PolicyInForce,
  TrustPublishBody,
  TrustPublished,
} from '@tallystick/contract';
import { base64, decodeUtf8, type KeptPromise, parseTilePath, verifyTrustChain } from '@tallystick/core';
import { bareResource, type Resource, type ResourceType, resourceOf } from '@tallystick/gate';
import {
  type CheckedRevision,
  type CustodyRequest,
  PublicationTimeout,
  type SubmitResult,
} from '@tallystick/ledger';
import type { Command, TallyDocument } from '@tallystick/license';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { Judgment } from './gate/judgment.ts';
import type { LedgerStatus } from './messages.ts';
import type { NamespaceKeys } from './namespace-keys.ts';
import { policyAnswer, policyId } from './policy-answer.ts';
import type { ServedLog } from './served-log.ts';
import { ServiceProblem } from './service-problem.ts';
import { shownDocument } from './shown-document.ts';
import { companionOf, historyItem, item } from './shown-revision.ts';
import { signedRevision } from './signed-revision.ts';

export interface MutateInput {
  command: Command;
  why: string | null;
  /** Idempotency key and base64 of the hash of the request. */
  request: { key: string; hash: string } | null;
  dryRun: boolean;
  wait: 'durable' | 'published';
  waitMs: number;
}

export interface NamespaceRevisionInput extends NamespaceRevisionBody {
  command: { type: 'namespace.update' };
  /** Why it is logged now; what the log keeps is the cause that the authority signed. */
  why: string | null;
  dryRun: boolean;
  wait: 'durable' | 'published';
  waitMs: number;
}

export interface ListInput {
  type: Listed;
  filter: Record<string, string | undefined>;
  cursor: string | null;
  limit: number;
}

export interface MutationAnswer {
  changes: {
    type: string;
    subject: { type: string; id: string };
    rev: number;
    index: number | null;
    leaf: string | null;
    at: string;
  }[];
  promises: KeptPromise[];
  document: object;
  published: boolean;
  dryRun: boolean;
  notes: { code: NoteCode; detail: string }[];
  licenseKey?: string;
  bundle?: unknown;
}

const resourceTypes: { readonly [T in Listed]: ResourceType } = {
  product: 'Product',
  plan: 'Plan',
  customer: 'Customer',
  license: 'License',
  principal: 'Principal',
  credential: 'Credential',
  approval: 'Approval',
};

const makingCommands = /\.create$|^license\.issue$|^approval\.request$/;

/** 202 where it is durable and was not published in time, 201 where making something was asked for, else 200. */
export function statusOfMutation(command: string, { notes, dryRun }: MutationAnswer): number {
  if (dryRun) return 200;
  if (notes.some(({ code }) => code === 'wait_timeout')) return 202;
  return makingCommands.test(command) ? 201 : 200;
}

/** Commands whose answer shows the license key that they made. */
const keyMakingCommands = new Set(['license.issue', 'license.rekey', 'license.replace']);

export class LedgerService {
  readonly #ledger: ServedLog;
  readonly #keys: NamespaceKeys;
  readonly #note: (code: NoteCode) => { code: NoteCode; detail: string };
  readonly #status: () => LedgerStatus;

  constructor(
    ledger: ServedLog,
    keys: NamespaceKeys,
    note: (code: NoteCode) => { code: NoteCode; detail: string },
    status: () => LedgerStatus,
  ) {
    this.#status = status;
    this.#ledger = ledger;
    this.#keys = keys;
    this.#note = note;
  }

  /** How the ledger stands now. */
  async status(): Promise<LedgerStatus> {
    return this.#status();
  }

  async mutate(input: MutateInput, judgment: Judgment): Promise<MutationAnswer> {
    const { command, why, request, dryRun } = input;
    const result = await this.#ledger.submit({
      command,
      cause: { who: { kind: 'nobody', id: 'nobody' }, why },
      gate: judgment.environment(why),
      judge: judgment.judge(command, { why }),
      request: request && { key: request.key, hash: Buffer.from(request.hash, 'base64') },
      dryRun,
    });
    if ('refused' in result) {
      const { code, message, path, details } = result.refused;
      throw new ServiceProblem(code, message, path, details);
    }
    const [main] = result.changes;
    if (main === undefined) throw new Error('a command without changes');
    if (result.repeated) judgment.repeat(await this.#resource(main.current.document), why);
    else if (main.index !== null) judgment.committed(main.index);
    return this.#mutationAnswer(input, result);
  }

  /** Takes a namespace revision; every member is base64. */
  async reviseNamespace(input: NamespaceRevisionInput): Promise<MutationAnswer> {
    await this.#keys.refresh();
    const result = await this.#ledger.reviseNamespace(signedRevision(input), input.dryRun);
    return this.#mutationAnswer(input, result);
  }

  async get({ type, id }: { type: Listed; id: string }, judgment: Judgment): Promise<object> {
    const revision = await this.#find(type, id, judgment);
    return { ...item(revision), ...(type === 'license' ? { companion: companionOf(revision) } : {}) };
  }

  async list(
    { type, filter, cursor, limit }: ListInput,
    judgment: Judgment,
  ): Promise<{ items: object[]; nextCursor: string | null }> {
    await this.#mayList(type, filter, judgment);
    const page = { before: decodeCursor(cursor), limit: limit + 1 };
    const found = await this.#listRevisions(type, await this.#resolvedFilter(filter), page);
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    const nextCursor = found.length > limit && last !== undefined ? encodeCursor(last.content.id) : null;
    return { items: shown.map(item), nextCursor };
  }

  async history(
    input: { type: Listed; id: string; cursor: string | null; limit: number },
    judgment: Judgment,
  ): Promise<object> {
    const { content } = await this.#find(input.type, input.id, judgment);
    return this.#historyOf(content.id, input);
  }

  async policyInForce(_: null, judgment: Judgment): Promise<PolicyInForce> {
    judgment.read(bareResource('Policy'));
    return policyAnswer(await this.#ledger.read.revision(policyId));
  }

  async policyHistory(page: { cursor: string | null; limit: number }, judgment: Judgment): Promise<object> {
    judgment.read(bareResource('Policy'));
    return this.#historyOf(policyId, page);
  }

  async #historyOf(id: string, { cursor, limit }: { cursor: string | null; limit: number }): Promise<object> {
    const beforeRev = cursor === null ? Number.MAX_SAFE_INTEGER : Number(decodeCursor(cursor));
    const found = await this.#ledger.read.history(id, beforeRev, limit + 1);
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    const isMore = found.length > limit && last !== undefined;
    return {
      items: shown.map(historyItem),
      nextCursor: isMore ? encodeCursor(String(last.revision.record.record.rev)) : null,
    };
  }

  /** The license file as text; for an id that was never issued, the proof of that. */
  async bundle(
    { id, trustVersion }: { id: string; trustVersion?: number | undefined },
    judgment: Judgment,
  ): Promise<string> {
    const license = (await this.#ledger.read.current(id))?.document;
    judgment.read(license?.type === 'license' ? await this.#resource(license) : bareResource('License'));
    return this.#bundle(id, trustVersion);
  }

  #bundle(id: string, trustVersion: number | undefined): Promise<string> {
    return this.#ledger.bundle(id, trustVersion === undefined ? {} : { trustVersion });
  }

  /** The custody report as text. */
  async custody({ id, ...request }: { id: string } & CustodyRequest, judgment: Judgment): Promise<string> {
    const { content } = await this.#find('license', id, judgment);
    return this.#ledger.custody(content.id, request);
  }

  /** Says that something may be asked for that is found out elsewhere. */
  async describe(): Promise<object> {
    return {};
  }

  /** Says whether sessions of `owner` may be asked for or ended; null for everybody's. They are in another thread. */
  async maySessions({ owner }: { owner: string | null }, judgment: Judgment): Promise<object> {
    judgment.read({ ...bareResource('Session'), owner });
    return {};
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

  /** Takes every version of the trust root, as envelopes in base64. */
  async publishTrust({
    envelopes,
    namespace,
    dryRun,
  }: TrustPublishBody & { dryRun: boolean; why: string | null }): Promise<TrustPublished> {
    const chain = await verifyTrustChain(envelopes.map((each) => Buffer.from(each, 'base64'))).catch(
      (error: unknown) => {
        throw new ServiceProblem('trust_refused', error instanceof Error ? error.message : String(error));
      },
    );
    await this.#keys.refresh();
    const signed = namespace === undefined ? null : signedRevision(namespace);
    const logged = await this.#ledger.publishTrust(chain, { signed, dryRun });
    return { version: this.#ledger.trust.current.version, logged };
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

  async #mutationAnswer(
    input: Pick<MutateInput, 'dryRun' | 'wait' | 'waitMs'> & { command: { type: string } },
    result: Extract<SubmitResult, { changes: unknown }>,
  ): Promise<MutationAnswer> {
    const { changes, repeated } = result;
    const [main] = changes;
    if (main === undefined) throw new Error('a command without changes');
    const notes: NoteCode[] = [];
    if (input.dryRun) notes.push('dry_run');
    if (repeated) notes.push('replayed');
    const end = (changes.at(-1)?.index ?? 0) + 1;
    if (input.wait === 'published' && !input.dryRun && !(await this.#waitFor(end, input.waitMs)))
      notes.push('wait_timeout');
    const published = !input.dryRun && (this.#ledger.published?.size ?? 0) >= end;
    const isLicense = main.change.subject.type === 'license';
    const licenseKey = keyMakingCommands.has(input.command.type) ? main.current.companion?.key : null;
    return {
      changes: changes.map(({ change, index, leaf, at }) => ({
        type: change.type,
        subject: change.subject,
        rev: change.rev,
        index,
        leaf: leaf && base64(leaf),
        at,
      })),
      promises: result.promises ?? [],
      document: shownDocument(main.current.document),
      published,
      dryRun: input.dryRun,
      notes: notes.map(this.#note),
      ...(typeof licenseKey === 'string' && !input.dryRun ? { licenseKey } : {}),
      ...(isLicense && published && input.wait === 'published'
        ? { bundle: JSON.parse(await this.#ledger.bundle(main.change.subject.id)) as unknown }
        : {}),
    };
  }

  async #waitFor(size: number, waitMs: number): Promise<boolean> {
    try {
      await this.#ledger.whenPublished(size, waitMs);
      return true;
    } catch (error) {
      if (error instanceof PublicationTimeout) return false;
      throw error;
    }
  }

  async #resolvedFilter(filter: ListInput['filter']): Promise<Record<string, string>> {
    const resolved: Record<string, string> = {};
    for (const [name, value] of Object.entries(filter)) {
      if (value === undefined) continue;
      const isSubject = name === 'customer' || name === 'plan' || name === 'product';
      resolved[name] = isSubject ? ((await this.#resolve(name, value)) ?? value) : value;
    }
    return resolved;
  }

  async #listRevisions(
    type: Listed,
    filter: Record<string, string>,
    page: { before: string; limit: number },
  ): Promise<CheckedRevision[]> {
    if (type === 'license') return this.#ledger.read.licenses(filter, page);
    if (type === 'customer') return this.#ledger.read.customers(filter, page);
    const { product, principal, author, ...rest } = filter;
    const of = product ?? principal ?? author;
    return this.#ledger.read.listed(type, of === undefined ? rest : { ...rest, of }, page);
  }

  async #resolve(type: Listed, name: string): Promise<string | undefined> {
    if (/^(prd|pln|cus|lic|prn|crd|apr)_[0-9a-z]{26}$/.test(name)) return name;
    if (type === 'customer') return this.#ledger.read.resolve({ reference: name });
    if (type !== 'product' && type !== 'plan') return undefined;
    return this.#ledger.read.resolve({ type, code: name });
  }

  /** A subject that the caller may ask for; what it may not know of is not there. */
  async #find(type: Listed, name: string, judgment: Judgment): Promise<CheckedRevision> {
    const absent = new ServiceProblem('subject_unknown', `there is no ${type} ${name}`);
    const id = await this.#resolve(type, name);
    const revision = id === undefined ? undefined : await this.#ledger.read.revision(id);
    const document = revision?.current?.document;
    if (revision?.record.record.type.startsWith(`${type}.`) !== true || document === undefined) {
      judgment.read(bareResource(resourceTypes[type]), absent);
      throw absent;
    }
    judgment.read(await this.#resource(document), absent);
    return revision;
  }

  async #resource(document: TallyDocument): Promise<Resource> {
    if (document.type !== 'plan') return resourceOf(document, () => undefined);
    const product = (await this.#ledger.read.current(document.product))?.document;
    return resourceOf(document, () => (product?.type === 'product' ? product.code : undefined));
  }

  /** Whoever may see one product asks for what is of that one. */
  async #mayList(type: Listed, filter: ListInput['filter'], judgment: Judgment): Promise<void> {
    const bare = bareResource(resourceTypes[type]);
    const id =
      filter['product'] === undefined ? undefined : await this.#resolve('product', filter['product']);
    const product = id === undefined ? undefined : (await this.#ledger.read.current(id))?.document;
    const isOne = product?.type === 'product';
    // Whoever asks for what is its own asks by its own name.
    const owner = filter['principal'] ?? filter['author'] ?? null;
    judgment.read({ ...bare, owner, product: isOne ? { id: product.id, code: product.code } : null });
  }

  #needPublished(): void {
    if (this.#ledger.published === null) throw new ServiceProblem('not_published_yet');
  }

  #needNamespace(ns: string): void {
    if (ns !== this.#ledger.governing.namespace.ns)
      throw new ServiceProblem('not_found', `there is no namespace ${ns} here`);
  }
}
