/** Reads of subjects, for callers who may. */
import type { Listed, PolicyInForce } from '@tallystick/contract';
import { bareResource, type Resource, type ResourceType, resourceOf } from '@tallystick/gate';
import type { CheckedRevision } from '@tallystick/ledger';
import type { TallyDocument } from '@tallystick/license';
import { effectOfRequest, namesIn } from './approval-effect.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { Judgment } from './gate/judgment.ts';
import type { NamespaceKeys } from './namespace-keys.ts';
import { policyAnswer, policyId } from './policy-answer.ts';
import type { ServedLog } from './served-log.ts';
import { ServiceProblem } from './service-problem.ts';
import { companionOf, historyItem, item } from './shown-revision.ts';
import { SignedElsewhere } from './signed-elsewhere.ts';

export interface ListInput {
  type: Listed;
  filter: Record<string, string | undefined>;
  cursor: string | null;
  limit: number;
}

export interface PageInput {
  cursor: string | null;
  limit: number;
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

/** What a decision sees of a subject. */
export async function resourceIn(log: Pick<ServedLog, 'read'>, document: TallyDocument): Promise<Resource> {
  if (document.type !== 'plan') return resourceOf(document, () => undefined);
  const product = (await log.read.current(document.product))?.document;
  return resourceOf(document, () => (product?.type === 'product' ? product.code : undefined));
}

export class SubjectReads {
  readonly #ledger: ServedLog;
  readonly #signed: SignedElsewhere;

  constructor(ledger: ServedLog, keys: Pick<NamespaceKeys, 'refresh'>) {
    this.#ledger = ledger;
    this.#signed = new SignedElsewhere(ledger, keys);
  }

  async get({ type, id }: { type: Listed; id: string }, judgment: Judgment): Promise<object> {
    const revision = await this.find(type, id, judgment);
    const document = revision.current?.document;
    return {
      ...item(revision),
      ...(type === 'license' ? { companion: companionOf(revision) } : {}),
      ...(document?.type === 'approval'
        ? {
            ...(await effectOfRequest(this.#ledger, this.#signed, document)),
            ...(await namesIn(this.#ledger, document)),
          }
        : {}),
    };
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
    const { content } = await this.find(input.type, input.id, judgment);
    return this.#historyOf(content.id, input);
  }

  /** The policy set that requests are judged by. */
  async policyInForce(): Promise<PolicyInForce> {
    return policyAnswer(await this.#ledger.read.revision(policyId));
  }

  async policyHistory(page: PageInput): Promise<object> {
    return this.#historyOf(policyId, page);
  }

  async #historyOf(id: string, { cursor, limit }: PageInput): Promise<object> {
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
  async find(type: Listed, name: string, judgment: Judgment): Promise<CheckedRevision> {
    const absent = new ServiceProblem('subject_unknown', `there is no ${type} ${name}`);
    const id = await this.#resolve(type, name);
    const revision = id === undefined ? undefined : await this.#ledger.read.revision(id);
    const document = revision?.current?.document;
    if (revision?.record.record.type.startsWith(`${type}.`) !== true || document === undefined) {
      judgment.read(bareResource(resourceTypes[type]), absent);
      throw absent;
    }
    judgment.read(await resourceIn(this.#ledger, document), absent);
    return revision;
  }

  /** Whoever may see one product, or what is theirs, asks for that alone. */
  async #mayList(type: Listed, filter: ListInput['filter'], judgment: Judgment): Promise<void> {
    const owner = filter['principal'] ?? filter['author'] ?? null;
    const bare = { ...bareResource(resourceTypes[type]), owner };
    const id =
      filter['product'] === undefined ? undefined : await this.#resolve('product', filter['product']);
    const product = id === undefined ? undefined : (await this.#ledger.read.current(id))?.document;
    const isOne = product?.type === 'product';
    judgment.read(isOne ? { ...bare, product: { id: product.id, code: product.code } } : bare);
  }
}
