import fc, { type Arbitrary } from 'fast-check';
import {
  type DocumentOf,
  type Entitlement,
  type EntitlementType,
  type Grant,
  type LicenseCompanion,
  msToInstant,
  type SubjectType,
} from '../src/index.ts';

/** Arbitrary well-formed documents, for properties about reading and writing them. */

const letters = 'abcdefghijklmnopqrstuvwxyz'.split('');
const suffix = fc
  .array(fc.constantFrom(...'0123456789abcdefghjkmnpqrstvwxyz'.split('')), { minLength: 25, maxLength: 25 })
  .map((characters) => `0${characters.join('')}`);
const id = (prefix: string): Arbitrary<string> => suffix.map((rest) => `${prefix}_${rest}`);
const orNull = <T>(arbitrary: Arbitrary<T>): Arbitrary<T | null> =>
  fc.option(arbitrary, { nil: null, freq: 3 });
const natural = fc.nat();

const code: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...letters),
    fc.array(fc.constantFrom(...letters, ...'0123456789._-'.split('')), { maxLength: 8 }),
  )
  .map(([first, rest]) => first + rest.join(''));
const text: Arbitrary<string> = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .map((value) => value.normalize('NFC').replaceAll(/\p{Cc}/gu, '') || 'x');
const instant: Arbitrary<string> = fc
  .integer({ min: 946_684_800_000, max: 253_402_300_799_999 })
  .map(msToInstant);
const hash: Arbitrary<string> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => btoa(String.fromCharCode(...bytes)));
const duration = fc.oneof(
  fc.nat(36_600).map((days) => `P${days}D`),
  fc.nat(9_999).map((hours) => `PT${hours}H`),
);
const calendarDuration = fc.oneof(
  duration,
  fc.nat(1_200).map((months) => `P${months}M`),
);
const metadataKey = fc
  .tuple(
    fc.constantFrom(...letters, ...'ABZ'.split('')),
    fc.array(fc.constantFrom(...letters, ...'_.:-19'.split('')), { maxLength: 9 }),
  )
  .map(([first, rest]) => first + rest.join(''));
const metadata = fc.dictionary(metadataKey, fc.oneof(text, fc.constant('')), {
  maxKeys: 5,
  noNullPrototype: true,
});
const purpose = fc.constantFrom('production', 'trial', 'development', 'internal', 'education');
const model = fc.constantFrom('none', 'device', 'user', 'concurrent');
const lock = fc.constantFrom('open', 'heightened', 'read-only', 'frozen', 'sealed');
const value = fc.oneof(
  fc.boolean(),
  fc.maxSafeInteger().map((number) => number + 0),
  text,
  fc.constant(''),
);
const offline = fc.record(
  { maxAge: duration, grace: duration, clock: fc.constantFrom('strict', 'tolerant') },
  plain(),
);
const quota = { limit: natural, per: orNull(calendarDuration), over: fc.constantFrom('block', 'allow') };

function plain(): { noNullPrototype: true } {
  return { noNullPrototype: true };
}

function head<T extends SubjectType>(type: T, idOf: Arbitrary<string>): Record<string, Arbitrary<unknown>> {
  return {
    v: fc.constant(1),
    type: fc.constant(type),
    ns: fc.constant('acme'),
    id: idOf,
    rev: natural,
    crit: fc.constantFrom([], ['rev'], ['v', 'type']),
  };
}

const grant = fc.oneof(fc.record({ value }, plain()), fc.record(quota, plain())) as Arbitrary<Grant>;
const entitlement = fc.oneof(
  fc.record({ value, until: orNull(instant), via: text }, plain()),
  fc.record({ ...quota, until: orNull(instant), via: text }, plain()),
) as Arbitrary<Entitlement>;
const entitlementType = fc.oneof(
  fc.record({ type: fc.constant('boolean'), name: orNull(text) }, plain()),
  fc.record({ type: fc.constantFrom('integer', 'quota'), name: orNull(text), unit: orNull(text) }, plain()),
  fc.record(
    { type: fc.constant('string'), name: orNull(text), enum: fc.constantFrom(null, ['a'], ['a', 'b']) },
    plain(),
  ),
) as Arbitrary<EntitlementType>;
const map = <T>(arbitrary: Arbitrary<T>): Arbitrary<Record<string, T>> =>
  fc.dictionary(code, arbitrary, { maxKeys: 6, noNullPrototype: true });

const namespaceKey = fc.record(
  {
    id: hash,
    alg: fc.constantFrom('ed25519', 'ml-dsa-44', 'ecdsa-p256-sha256'),
    usages: fc.subarray(['product', 'plan', 'customer', 'license', 'gate', 'brake', 'lease']),
    from: natural,
    until: orNull(natural),
    limits: fc.record(
      {
        offlineMax: orNull(duration),
        termMax: orNull(duration),
        seatsMax: orNull(natural),
        perMinute: orNull(natural),
      },
      plain(),
    ),
  },
  plain(),
);

const seats = fc.record(
  {
    model,
    max: orNull(natural),
    over: natural,
    bind: fc.subarray(['components', 'key', 'label']),
    need: orNull(fc.integer({ min: 1, max: 8 })),
    lease: orNull(duration),
    borrowMax: orNull(duration),
    rehost: orNull(fc.record({ count: natural, per: duration }, plain())),
  },
  plain(),
);

const status = fc.record(
  {
    state: fc.constantFrom('active', 'suspended', 'revoked'),
    reason: fc.constantFrom(null, 'payment', 'refund', 'superseded'),
    message: orNull(text),
    since: instant,
    successor: orNull(id('lic')),
  },
  plain(),
);

const addon = fc.record(
  {
    plan: id('pln'),
    rev: natural,
    code,
    quantity: fc.integer({ min: 1, max: 1_000_000 }),
    until: orNull(instant),
  },
  plain(),
);

const asker = {
  principal: fc.oneof(id('prn'), fc.constant('bootstrap')),
  credential: fc.oneof(id('crd'), fc.constant('bootstrap')),
  session: orNull(fc.constant('ses_0123456789')),
};
const products = orNull(fc.array(id('prd'), { maxLength: 2 }));
const actions = fc.subarray(['license.issue', 'license.change_plan', 'log.tile']);
const approvers = fc.array(fc.record({ role: code, count: fc.integer({ min: 1, max: 16 }) }, plain()), {
  maxLength: 3,
});
const lines = fc.array(fc.oneof(text, fc.constant('')), { maxLength: 3 });

/** Who may use a system, by which rules, and what waits. */
const gateDocuments = {
  principal: fc.record(
    {
      ...head('principal', id('prn')),
      kind: fc.constantFrom('person', 'service', 'partner'),
      name: text,
      email: fc.constantFrom(null, 'a@b.example'),
      state: fc.constantFrom('active', 'disabled'),
      roles: fc.array(fc.record({ role: code, products, until: orNull(instant) }, plain()), { maxLength: 3 }),
      metadata,
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['principal']>,
  credential: fc.record(
    {
      ...head('credential', id('crd')),
      principal: id('prn'),
      kind: fc.constantFrom('api_key', 'passkey', 'password', 'totp', 'oidc', 'spiffe', 'http_signature'),
      name: text,
      state: fc.constantFrom('active', 'revoked'),
      notAfter: orNull(instant),
      scope: fc.record(
        {
          actions: orNull(actions),
          products,
          networks: fc.constantFrom(null, [], ['10.0.0.0/8', '::1/128']),
        },
        plain(),
      ),
      lookup: text,
      material: fc.dictionary(metadataKey, fc.oneof(text, fc.constant('')), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
      replaces: orNull(id('crd')),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['credential']>,
  policy: fc.record(
    {
      ...head('policy', fc.constant('policies')),
      schema: lines,
      policies: fc.array(fc.record({ id: code, lines }, plain()), { maxLength: 2 }),
      approvals: fc.array(
        fc.record(
          {
            actions,
            above: orNull(
              fc.record(
                { termDays: orNull(natural), seats: orNull(natural), perHour: orNull(natural) },
                plain(),
              ),
            ),
            approvers,
            within: duration,
          },
          plain(),
        ),
        { maxLength: 2 },
      ),
      durable: actions,
      sessions: fc.record({ idle: duration, max: duration, stepUp: duration }, plain()),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['policy']>,
  approval: fc.record(
    {
      ...head('approval', id('apr')),
      state: fc.constantFrom('pending', 'approved', 'rejected', 'withdrawn', 'executed'),
      author: fc.record(asker, plain()),
      command: fc.constantFrom({ type: 'license.reissue', license: 'x' }, { type: 'a', b: { c: [1, null] } }),
      why: orNull(text),
      binding: hash,
      policy: hash,
      epoch: natural,
      approvers,
      notAfter: instant,
      approvals: fc.array(fc.record({ ...asker, role: code, at: instant }, plain()), { maxLength: 3 }),
      rejected: orNull(fc.record({ ...asker, why: orNull(text), at: instant }, plain())),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['approval']>,
};

export const documents: { [T in SubjectType]: Arbitrary<DocumentOf[T]> } = {
  namespace: fc.record(
    {
      ...head('namespace', fc.constant('namespace')),
      name: text,
      mode: fc.constantFrom('live', 'test'),
      support: fc.record({ name: orNull(text), email: orNull(text), url: orNull(text) }, plain()),
      epoch: natural,
      lock,
      minEpoch: natural,
      keys: fc.array(namespaceKey, { maxLength: 3 }),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['namespace']>,
  brake: fc.record(
    {
      ...head('brake', fc.constant('brake')),
      epoch: natural,
      lock,
      minEpoch: natural,
      until: fc.array(fc.record({ id: hash, index: natural }, plain()), { maxLength: 3 }),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['brake']>,
  product: fc.record(
    {
      ...head('product', id('prd')),
      code,
      name: text,
      state: fc.constantFrom('active', 'retired'),
      entitlements: map(entitlementType),
      metadata,
      private: orNull(hash),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['product']>,
  plan: fc.record(
    {
      ...head('plan', id('pln')),
      product: id('prd'),
      code,
      name: text,
      kind: fc.constantFrom('base', 'addon'),
      state: fc.constantFrom('active', 'retired'),
      purpose,
      term: fc.record(
        {
          length: orNull(calendarDuration),
          grace: duration,
          basis: fc.constantFrom('issue', 'first_activation'),
        },
        plain(),
      ),
      updates: fc.record(
        { length: orNull(calendarDuration), fallback: fc.boolean(), maxMajor: orNull(natural) },
        plain(),
      ),
      seats,
      entitlements: map(grant),
      offline,
      trial: fc.constantFrom(null, { oncePer: 'device' }, { oncePer: 'customer' }),
      metadata,
      private: orNull(hash),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['plan']>,
  customer: fc.record(
    {
      ...head('customer', id('cus')),
      reference: orNull(text),
      name: orNull(text),
      email: fc.constantFrom(null, 'a@b.example'),
      country: fc.constantFrom(null, 'DE'),
      parent: orNull(id('cus')),
      state: fc.constantFrom('active', 'merged', 'erased'),
      into: orNull(id('cus')),
      metadata,
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['customer']>,
  license: fc.record(
    {
      ...head('license', id('lic')),
      product: fc.record({ id: id('prd'), code }, plain()),
      plan: fc.record({ id: id('pln'), rev: natural, code, name: text }, plain()),
      addons: fc.array(addon, { maxLength: 3 }),
      customer: orNull(id('cus')),
      licensee: orNull(text),
      purpose,
      status,
      term: fc.record({ from: orNull(instant), until: orNull(instant), grace: duration }, plain()),
      updates: fc.record(
        { until: orNull(instant), fallback: orNull(instant), maxMajor: orNull(natural) },
        plain(),
      ),
      seats: fc.record({ model, max: orNull(natural), over: natural }, plain()),
      entitlements: map(entitlement),
      offline,
      generation: natural,
      epoch: natural,
      metadata,
      private: orNull(hash),
    },
    plain(),
  ) as unknown as Arbitrary<DocumentOf['license']>,
  ...gateDocuments,
};

export const companions: Arbitrary<LicenseCompanion> = fc.record(
  {
    key: fc.constantFrom(null, 'ABCD-1234-EFGH'),
    order: orNull(text),
    price: orNull(natural),
    currency: fc.constantFrom(null, 'EUR'),
    reseller: orNull(text),
    crm: metadata,
    notes: orNull(text),
  },
  plain(),
);
