/** A small store of subjects that the decisions of the license model run on. */
import {
  apply,
  type Command,
  type Current,
  type DocumentOf,
  decide,
  type Environment,
  type GateEnvironment,
  type IdPrefix,
  type LockLevel,
  type RefusalCode,
  type SubjectType,
  type View,
} from '@tallystick/license';

type Made = Exclude<SubjectType, 'namespace' | 'brake'>;

const policyHash = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

export class Shop {
  readonly #subjects: Map<string, Current> = new Map();
  #drawn = 0;
  #lock: LockLevel = 'open';
  #gate: GateEnvironment | null = null;

  /** Sells one of everything. */
  open(): void {
    const catalog = {
      pages: { type: 'quota', unit: 'page' },
      pdf: { type: 'boolean' },
      edition: { type: 'string', enum: ['a', 'b'] },
    } as const;
    this.run({
      type: 'product.create',
      code: 'writer',
      name: 'Writer',
      entitlements: { ...catalog, edition: { type: 'string', enum: ['a', 'b'] } },
    });
    this.run({ type: 'product.create', code: 'reader', name: 'Reader' });
    const grants = {
      pdf: { value: true },
      pages: { limit: 100, per: 'P1M', over: 'block' },
      edition: { value: 'a' },
    } as const;
    this.run({
      type: 'plan.create',
      product: 'writer',
      code: 'pro',
      name: 'Pro',
      term: { length: 'P1Y' },
      entitlements: grants,
    });
    this.run({
      type: 'plan.create',
      product: 'writer',
      code: 'more',
      name: 'More',
      kind: 'addon',
      entitlements: { pages: grants.pages },
    });
    this.run({
      type: 'plan.create',
      product: 'reader',
      code: 'free',
      name: 'Free',
      purpose: 'trial',
      trial: { oncePer: 'customer' },
    });
    this.run({ type: 'plan.create', product: 'writer', code: 'old', name: 'Old' });
    this.run({ type: 'plan.retire', plan: 'old' });
    this.run({
      type: 'customer.create',
      reference: 'c1',
      name: 'Contoso',
      email: 'it@contoso.example',
      country: 'DE',
    });
    this.run({ type: 'customer.create', reference: 'c2', name: 'Fabrikam' });
    this.run({ type: 'customer.create', reference: 'c3' });
    this.run({ type: 'customer.merge', customer: 'c3', into: 'c2' });
    this.run({
      type: 'license.issue',
      plan: 'pro',
      customer: 'c1',
      addons: [{ plan: 'more', quantity: 2 }],
      companion: { order: 'A-1', price: 9900, currency: 'EUR' },
      key: 'AAAA-BBBB',
    });
    this.run({ type: 'license.issue', plan: 'pro', term: { until: null } });
    this.run({ type: 'license.issue', plan: 'free', customer: 'c1' });
    this.run({ type: 'license.revoke', license: this.license(2), reason: 'mistake', message: 'Sorry' });
    this.#admit();
  }

  /** Two people, a service with credentials, a policy, and a command that waits. */
  #admit(): void {
    this.run({
      type: 'principal.create',
      kind: 'person',
      name: 'Ada',
      email: 'ada@acme.example',
      roles: [{ role: 'administrator' }],
    });
    this.run({
      type: 'principal.create',
      kind: 'person',
      name: 'Grace',
      roles: [
        { role: 'issuer', products: ['writer'], until: '2027-01-01T00:00:00.000Z' },
        { role: 'approver' },
      ],
    });
    const grace = this.principal(1);
    for (const [kind, lookup] of [
      ['api_key', 'hmac'],
      ['passkey', 'handle'],
    ] as const)
      this.run({
        type: 'credential.create',
        principal: grace,
        kind,
        name: 'Laptop',
        lookup,
        material: { algorithm: 'ed25519' },
        scope: { actions: ['license.issue'], products: ['writer'], networks: ['10.0.0.0/8'] },
      });
    this.run({
      type: 'policy.publish',
      schema: ['entity Role;'],
      policies: [{ id: 'all', lines: ['permit(principal, action, resource);'] }],
      approvals: [],
      durable: ['license.get'],
      sessions: { idle: 'PT30M', max: 'PT12H', stepUp: 'PT5M' },
    });
    this.actAs(0);
    this.run({
      type: 'approval.request',
      command: { type: 'license.revoke', license: this.license(0), reason: 'refund' },
    });
    this.run({
      type: 'approval.request',
      command: { type: 'license.reissue', license: this.license(0) },
    });
    this.actAs(1);
    this.run({ type: 'approval.reject', approval: this.approval(1), reason: 'Not yet' });
  }

  /** Somebody asks, under a rule that wants an approver for some commands. */
  actAs(person: number): void {
    this.#gate = {
      actor: { principal: this.principal(person), credential: 'crd_test', session: null },
      why: 'A test',
      approvals: [
        {
          actions: ['license.revoke', 'license.reissue'],
          above: null,
          approvers: [{ role: 'approver', count: 1 }],
          within: 'P1D',
        },
      ],
      policy: policyHash,
    };
  }

  /** The codes of commands that are refused, once `open` was called. */
  refusals(): { command: Command; code: RefusalCode }[] {
    const [a, b, c] = [this.license(0), this.license(1), this.license(2)];
    const missing = 'lic_00000000000000000000000000';
    const commands: Command[] = [
      { type: 'product.create', code: 'writer', name: 'Again' },
      { type: 'product.update', product: 'writer', name: 'Writer' },
      { type: 'product.update', product: 'nobody', name: 'X' },
      { type: 'product.update', product: 'writer', entitlements: {} },
      { type: 'product.update', product: 'writer', name: 'New', expectedRev: 9 },
      { type: 'product.retire', product: 'writer' },
      { type: 'plan.create', product: 'nobody', code: 'x', name: 'X' },
      { type: 'plan.create', product: 'writer', code: 'pro', name: 'Again' },
      { type: 'plan.create', product: 'writer', code: 'x', name: 'X', entitlements: { none: { value: 1 } } },
      { type: 'plan.update', plan: 'pro', entitlements: { pdf: { value: 7 } } },
      { type: 'plan.update', plan: 'old', name: 'X' },
      { type: 'plan.retire', plan: 'old' },
      { type: 'customer.create', reference: 'c1' },
      { type: 'customer.create', parent: 'nobody' },
      { type: 'customer.create', parent: 'c3' },
      { type: 'customer.update', customer: 'c3', name: 'X' },
      { type: 'customer.merge', customer: 'c1', into: 'nobody' },
      { type: 'customer.merge', customer: 'c2', into: 'c3' },
      { type: 'customer.merge', customer: 'c1', into: 'c1' },
      { type: 'customer.erase', customer: 'nobody' },
      { type: 'license.issue', plan: 'nobody' },
      { type: 'license.issue', plan: 'old' },
      { type: 'license.issue', plan: 'more' },
      { type: 'license.issue', plan: 'free', customer: 'c1' },
      { type: 'license.issue', plan: 'free' },
      { type: 'license.issue', plan: 'pro', addons: [{ plan: 'more' }, { plan: 'more' }] },
      { type: 'license.issue', plan: 'pro', addons: [{ plan: 'free' }] },
      { type: 'license.issue', plan: 'pro', customer: 'c3' },
      { type: 'license.issue', plan: 'pro', key: 'AAAA-BBBB' },
      { type: 'license.issue', plan: 'pro', seats: { model: 'device', max: 1 } },
      { type: 'license.issue', plan: 'pro', term: { until: '2001-01-01T00:00:00.000Z' } },
      { type: 'license.issue', plan: 'pro', replaces: missing },
      { type: 'license.issue', plan: 'pro', replaces: a, key: 'CCCC-DDDD' },
      { type: 'license.issue', plan: 'pro', companion: { price: 5 } },
      { type: 'license.amend', license: a },
      { type: 'license.amend', license: a, entitlements: { none: null } },
      { type: 'license.amend', license: a, entitlements: { pdf: { value: 7 } } },
      { type: 'license.amend', license: a, seats: { model: 'device', max: 1 } },
      { type: 'license.amend', license: a, term: { until: '2001-01-01T00:00:00.000Z' } },
      { type: 'license.renew', license: a, until: '2026-12-01T00:00:00.000Z' },
      { type: 'license.renew', license: a, until: '2036-12-01T00:00:00.000Z', length: 'P1Y' },
      { type: 'license.renew', license: b },
      { type: 'license.change_plan', license: a, plan: 'free' },
      { type: 'license.change_plan', license: a },
      { type: 'license.change_plan', license: c, plan: 'free' },
      { type: 'license.reinstate', license: a },
      { type: 'license.revoke', license: c, reason: 'fraud' },
      { type: 'license.replace', license: a, by: missing },
      { type: 'license.replace', license: a, by: a },
      { type: 'license.replace', license: a, by: c },
      { type: 'license.transfer', license: a, customer: 'c1' },
      { type: 'license.transfer', license: a, customer: 'c3' },
      { type: 'license.transfer', license: a, customer: 'nobody' },
      { type: 'license.rekey', license: b, key: 'AAAA-BBBB' },
      { type: 'license.rekey', license: c },
      { type: 'license.reissue', license: missing },
      { type: 'license.suspend', license: c, reason: 'other' },
      ...this.#refusedToGrace(),
    ];
    const refused = commands.flatMap((command) => this.#refusalOf(command));
    this.#lock = 'frozen';
    return [...refused, ...commands.flatMap((command) => this.#refusalOf(command))];
  }

  /** As somebody who may approve, and whose own request was not made. */
  #refusedToGrace(): Command[] {
    const [ada, grace] = [this.principal(0), this.principal(1)];
    const [waiting, rejected] = [this.approval(0), this.approval(1)];
    const nobody = 'prn_00000000000000000000000000';
    const key = { type: 'credential.create', kind: 'api_key', name: 'Key' } as const;
    const command = { type: 'license.revoke', license: this.license(1), reason: 'other!' };
    return [
      { type: 'principal.update', principal: nobody, name: 'X' },
      { type: 'principal.update', principal: ada, name: 'Ada' },
      { type: 'principal.create', kind: 'person', name: 'X', roles: [{ role: 'a', products: ['none'] }] },
      { type: 'principal.assign', principal: ada, roles: [] },
      { type: 'principal.grant', principal: grace, role: 'auditor', length: 'P2D' },
      { type: 'principal.disable', principal: ada },
      { type: 'principal.enable', principal: ada },
      { ...key, principal: nobody, lookup: 'other' },
      { ...key, principal: grace, lookup: 'hmac' },
      { ...key, principal: ada, lookup: 'other', replaces: this.credential(0) },
      { type: 'credential.expire', credential: nobody, notAfter: '2027-01-01T00:00:00.000Z' },
      { type: 'approval.request', command },
      { type: 'approval.request', command: { type: 'license.reinstate', license: this.license(0) } },
      { type: 'approval.request', command: { type: 'approval.approve', approval: waiting } },
      { type: 'approval.approve', approval: rejected },
      { type: 'approval.execute', approval: waiting },
      { type: 'approval.reject', approval: nobody },
      { type: 'approval.withdraw', approval: rejected },
    ];
  }

  #refusalOf(command: Command): { command: Command; code: RefusalCode }[] {
    const decision = decide(this.#view, command, this.#environment());
    return decision.ok ? [] : [{ command, code: decision.refusal.code }];
  }

  /** Makes the changes of a command that must not be refused. */
  run(command: Command): void {
    const decision = decide(this.#view, command, this.#environment());
    if (!decision.ok) throw new Error(`${command.type}: ${decision.refusal.message}`);
    for (const change of decision.changes) {
      const { type, id } = change.subject;
      this.#subjects.set(id, apply(this.#get(type, id), change));
    }
  }

  documents(): DocumentOf[Made][] {
    return [...this.#subjects.values()].map(({ document }) => document as DocumentOf[Made]);
  }

  /** The id of a principal, counted in the order in which they were created. */
  principal(index: number): string {
    return this.#of('principal')[index]!.id;
  }

  credential(index: number): string {
    return this.#of('credential')[index]!.id;
  }

  /** The id of a request, counted in the order in which they were made. */
  approval(index: number): string {
    return this.#of('approval')[index]!.id;
  }

  /** The id of a license, counted in the order in which they were issued. */
  license(index: number): string {
    return this.#of('license')[index]!.id;
  }

  #of<T extends Made>(type: T): DocumentOf[T][] {
    return this.documents().filter((document): document is DocumentOf[T] => document.type === type);
  }

  #get<T extends SubjectType>(type: T, id: string): Current<T> | undefined {
    const found = this.#subjects.get(id);
    return found?.document.type === type ? (found as unknown as Current<T>) : undefined;
  }

  readonly #view: View = {
    subject: (type, id) => this.#get(type, id),
    idByCode: (type, code) => this.#of(type).find((document) => document.code === code)?.id,
    idByReference: (reference) =>
      this.#of('customer').find((document) => document.reference === reference)?.id,
    idByLicenseKey: (key) =>
      this.#of('license').find(({ id }) => this.#get('license', id)?.companion?.key === key)?.id,
    licensesOfCustomer: (id) =>
      this.#of('license')
        .filter(({ customer }) => customer === id)
        .map((each) => each.id),
    plansOfProduct: (id) =>
      this.#of('plan')
        .filter(({ product }) => product === id)
        .map((each) => each.id),
    idByCredential: (kind, lookup) =>
      this.#of('credential').find((held) => held.kind === kind && held.lookup === lookup)?.id,
    principals: () => this.#of('principal').map((each) => each.id),
    approvals: () => this.#of('approval').map((each) => each.id),
  };

  #environment(): Environment {
    return {
      ns: 'acme',
      now: '2026-11-23T10:15:30.123Z',
      newId: (prefix: IdPrefix) => `${prefix}_01jd${this.#draw().padStart(22, '0')}`,
      newLicenseKey: () => `KEY-${this.#draw().padStart(8, '0')}`,
      lock: this.#lock,
      epoch: 0,
      index: 0,
      signedBrake: null,
      gate: this.#gate,
    };
  }

  #draw(): string {
    this.#drawn += 1;
    return String(this.#drawn);
  }
}
