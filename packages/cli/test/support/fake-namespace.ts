/** A namespace in memory that the contract fake decides over. */
import {
  apply,
  type Change,
  type Command,
  type CredentialKind,
  type Current,
  type Decision,
  decide,
  type GateEnvironment,
  type SubjectType,
  type View,
} from '@tallystick/license';

const HASH = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

export class FakeNamespace implements View {
  now = '2026-11-23T12:00:00.000Z';
  size = 0;
  lock: 'open' | 'frozen' = 'open';
  gate: GateEnvironment | null = null;
  private readonly subjects = new Map<string, Current>();
  /** By type and code, reference or license key. */
  private readonly names = new Map<string, string>();
  private readonly order: string[] = [];
  private drawn = 0;

  subject<T extends SubjectType>(type: T, id: string): Current<T> | undefined {
    const current = this.subjects.get(id);
    return current?.document.type === type ? (current as Current<T>) : undefined;
  }

  idByCode(type: 'product' | 'plan', code: string): string | undefined {
    return this.names.get(`${type} ${code}`);
  }

  idByReference(reference: string): string | undefined {
    return this.names.get(`customer ${reference}`);
  }

  idByLicenseKey(key: string): string | undefined {
    return this.names.get(`key ${key}`);
  }

  licensesOfCustomer(id: string): readonly string[] {
    return this.idsOf('license').filter(
      (license) => this.subject('license', license)?.document.customer === id,
    );
  }

  plansOfProduct(id: string): readonly string[] {
    return this.idsOf('plan').filter((plan) => this.subject('plan', plan)?.document.product === id);
  }

  idByCredential(kind: CredentialKind, lookup: string): string | undefined {
    return this.idsOf('credential').find((id) => {
      const held = this.subject('credential', id)?.document;
      return held?.kind === kind && held.lookup === lookup && held.state === 'active';
    });
  }

  principals(): readonly string[] {
    return this.idsOf('principal');
  }

  approvals(): readonly string[] {
    return this.idsOf('approval');
  }

  decide(command: Command): Decision {
    return decide(this, command, {
      ns: 'acme',
      now: this.now,
      lock: this.lock,
      epoch: 0,
      index: this.size,
      signedBrake: null,
      gate: this.gate,
      newId: (prefix) => `${prefix}_${this.draw()}`,
      newLicenseKey: () => `TALLY-${this.draw()}`,
    });
  }

  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      const { document, companion, subject } = change;
      const filled = 'private' in document && companion !== null ? { ...document, private: HASH } : document;
      if (!this.subjects.has(subject.id)) this.order.push(subject.id);
      this.subjects.set(subject.id, apply(this.subjects.get(subject.id), { ...change, document: filled }));
      if (document.type === 'product' || document.type === 'plan')
        this.names.set(`${document.type} ${document.code}`, subject.id);
      if (document.type === 'customer' && document.reference !== null)
        this.names.set(`customer ${document.reference}`, subject.id);
      if (companion?.key !== undefined && companion.key !== null)
        this.names.set(`key ${companion.key}`, subject.id);
      this.size += 1;
    }
  }

  idsOf(type: string): string[] {
    return this.order.filter((id) => this.subjects.get(id)?.document.type === type);
  }

  item(type: string, name: string): object | null {
    const id = this.names.get(`${type} ${name}`) ?? name;
    const current = this.subjects.get(id);
    if (current?.document.type !== type) return null;
    const { document, rev, companion } = current;
    const kept =
      companion === null ? null : { ...companion, key: undefined, keyHint: companion.key?.slice(-4) ?? null };
    return {
      document,
      index: this.order.indexOf(id),
      leaf: HASH,
      rev,
      recordType: type === 'license' ? 'license.issued' : `${type}.created`,
      at: this.now,
      ...(kept === null ? {} : { companion: kept }),
    };
  }

  items(type: string): object[] {
    return this.idsOf(type)
      .toReversed()
      .map((id) => this.item(type, id))
      .filter((item) => item !== null);
  }

  status(): object {
    return {
      origin: 'tally.example/log',
      size: this.size,
      published: null,
      pending: { count: 0, oldestAt: null, publishBy: null, trouble: null },
      quorum: [
        {
          name: 'witness-1',
          group: 'witnesses',
          url: 'http://127.0.0.1:1/',
          state: 'ok',
          lastSeenAt: null,
          lastError: null,
        },
      ],
      writes: true,
      mutations: { ready: true, reasons: [] },
      signer: { connected: true, mark: null },
      namespace: { ns: 'acme', mode: 'test', epoch: 0, lock: this.lock, minEpoch: 0 },
      approvals: { people: 2, bind: true },
    };
  }

  private draw(): string {
    this.drawn += 1;
    return `0${this.drawn.toString().padStart(25, '0')}`;
  }
}
