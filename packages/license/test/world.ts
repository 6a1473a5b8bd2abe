import { expect } from 'vitest';
import {
  apply,
  type BrakeDocument,
  type Change,
  type Command,
  type CredentialKind,
  type Current,
  type Decision,
  decide,
  type Environment,
  encodeDocument,
  type IdPrefix,
  type LicenseDocument,
  type NamespaceDocument,
  parseDocument,
  type Refusal,
  type SubjectType,
  type View,
} from '../src/index.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A namespace in memory: a view that every decision is applied to. After each step it checks that every
 * document it holds can be written and read back, so each test proves that too.
 */
export class World implements View {
  now = '2026-03-01T12:00:00.000Z';
  lock: Environment['lock'] = 'open';
  epoch = 0;
  gate: Environment['gate'] = null;
  readonly records: Change[] = [];
  private readonly subjects = new Map<string, Current>();
  private drawn = 0;

  subject<T extends SubjectType>(type: T, id: string): Current<T> | undefined {
    const current = this.subjects.get(id);
    return current?.document.type === type ? (current as Current<T>) : undefined;
  }

  idByCode(type: 'product' | 'plan', code: string): string | undefined {
    return this.all(type).find((document) => document.code === code)?.id;
  }

  idByReference(reference: string): string | undefined {
    return this.all('customer').find((document) => document.reference === reference)?.id;
  }

  idByLicenseKey(key: string): string | undefined {
    return [...this.subjects].find(([, { companion }]) => companion?.key === key)?.[0];
  }

  licensesOfCustomer(id: string): readonly string[] {
    return this.all('license').flatMap((license) => (license.customer === id ? [license.id] : []));
  }

  plansOfProduct(id: string): readonly string[] {
    return this.all('plan').flatMap((plan) => (plan.product === id ? [plan.id] : []));
  }

  idByCredential(kind: CredentialKind, lookup: string): string | undefined {
    return this.all('credential').find(
      (held) => held.kind === kind && held.lookup === lookup && held.state === 'active',
    )?.id;
  }

  principals(): readonly string[] {
    return this.all('principal').map(({ id }) => id);
  }

  approvals(): readonly string[] {
    return this.all('approval').map(({ id }) => id);
  }

  all<T extends SubjectType>(type: T): Current<T>['document'][] {
    return [...this.subjects.values()].flatMap(({ document }) =>
      document.type === type ? [document as Current<T>['document']] : [],
    );
  }

  environment(): Environment {
    return {
      ns: 'acme',
      now: this.now,
      lock: this.lock,
      epoch: this.epoch,
      index: this.records.length,
      signedBrake: null,
      gate: this.gate,
      newId: (prefix) => `${prefix}_${this.suffix()}`,
      newLicenseKey: () => `KEY-${this.suffix()}`,
    };
  }

  /** Decides, and applies what was decided. */
  run(command: Command): Decision {
    const decision = decide(this, command, this.environment());
    if (decision.ok) for (const change of decision.changes) this.apply(change);
    return decision;
  }

  /** Runs a command that must succeed and gives its changes. */
  do(command: Command): Change[] {
    const decision = this.run(command);
    if (!decision.ok) throw new Error(`refused: ${JSON.stringify(decision.refusal)}`);
    return decision.changes;
  }

  /** Runs a command that must be refused and gives the refusal. */
  refused(command: Command): Refusal {
    const decision = this.run(command);
    if (decision.ok) throw new Error(`not refused: ${JSON.stringify(command)}`);
    return decision.refusal;
  }

  /** Runs a command that makes one license, or changes one, and gives that license. */
  license(command: Command): LicenseDocument {
    const change = this.do(command).find(({ subject }) => subject.type === 'license');
    return change!.document as LicenseDocument;
  }

  /** Runs a command that makes a subject and gives its id. */
  make(command: Command): string {
    return this.do(command)[0]!.subject.id;
  }

  /** Gives the namespace its two public documents. */
  govern(namespace: NamespaceDocument, brake: BrakeDocument): void {
    for (const document of [namespace, brake])
      this.subjects.set(document.id, { document, companion: null, rev: document.rev });
  }

  private apply(change: Change): void {
    const { document } = change;
    expect(parseDocument(document.type, JSON.parse(encodeDocument(document)))).toEqual(document);
    // As the ledger does: the commitment to the companion is filled in before anything is stored.
    const filled =
      'private' in document && change.companion !== null ? { ...document, private: HASH } : document;
    const next = apply(this.subjects.get(change.subject.id), { ...change, document: filled });
    this.subjects.set(change.subject.id, next);
    this.records.push(change);
  }

  private suffix(): string {
    this.drawn += 1;
    let suffix = '';
    for (let rest = this.drawn; suffix.length < 25; rest = Math.floor(rest / 32))
      suffix = ALPHABET[rest % 32]! + suffix;
    return `0${suffix}`;
  }
}

/** 32 zero bytes in base64. */
export const HASH = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

/** An id that no world ever draws. */
export function unknownId(prefix: IdPrefix): string {
  return `${prefix}_7zzzzzzzzzzzzzzzzzzzzzzzzz`;
}

/** A world with a product, plans of every kind that the tests need, and two customers. */
export function soldWorld(): World {
  const world = new World();
  world.do({
    type: 'product.create',
    code: 'editor',
    name: 'Editor',
    entitlements: {
      pdf: { type: 'boolean' },
      projects: { type: 'integer', unit: 'projects' },
      tier: { type: 'string', enum: ['basic', 'gold'] },
      tokens: { type: 'quota', unit: 'tokens' },
    },
  });
  world.do({
    type: 'product.create',
    code: 'viewer',
    name: 'Viewer',
    entitlements: { pdf: { type: 'boolean' } },
  });
  sellPlans(world);
  world.do({
    type: 'customer.create',
    reference: 'contoso',
    name: 'Contoso GmbH',
    email: 'it@contoso.example',
  });
  world.do({ type: 'customer.create', reference: 'fabrikam', name: 'Fabrikam Ltd', country: 'GB' });
  return world;
}

function sellPlans(world: World): void {
  world.do({
    type: 'plan.create',
    product: 'editor',
    code: 'pro',
    name: 'Pro',
    term: { length: 'P1Y', grace: 'P14D' },
    updates: { length: 'P1Y', fallback: true, maxMajor: 3 },
    entitlements: {
      pdf: { value: false },
      projects: { value: 5 },
      tier: { value: 'basic' },
      tokens: { limit: 100, per: 'P1M', over: 'block' },
    },
  });
  world.do({ type: 'plan.create', product: 'editor', code: 'forever', name: 'Forever', entitlements: {} });
  world.do({
    type: 'plan.create',
    product: 'editor',
    code: 'trial',
    name: 'Trial',
    purpose: 'trial',
    trial: { oncePer: 'customer' },
    term: { length: 'P30D' },
  });
  world.do({
    type: 'plan.create',
    product: 'editor',
    code: 'more',
    name: 'More',
    kind: 'addon',
    entitlements: {
      pdf: { value: true },
      projects: { value: 10 },
      tokens: { limit: 50, per: 'P1M', over: 'block' },
    },
  });
  world.do({
    type: 'plan.create',
    product: 'editor',
    code: 'gold',
    name: 'Gold',
    kind: 'addon',
    entitlements: { tier: { value: 'gold' } },
  });
  world.do({ type: 'plan.create', product: 'viewer', code: 'view', name: 'View' });
}
