import fc, { type Arbitrary } from 'fast-check';
import { expect, it } from 'vitest';
import {
  COMMAND_TYPES,
  type Command,
  decide,
  type LicenseDocument,
  RECORD_TYPES,
  REFUSALS,
  type RecordType,
} from '../src/index.ts';
import { actAs, person, RULES } from './gate-situations.ts';
import { soldWorld, type World } from './world.ts';

/** Random sequences of commands against one namespace; the world checks every record that they make. */

const pick = fc.nat(7);
const maybe = <T>(arbitrary: Arbitrary<T>): Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
const plan = fc.constantFrom('pro', 'forever', 'trial', 'more', 'gold', 'view', 'fresh', 'nothing');
const product = fc.constantFrom('editor', 'viewer', 'fresh', 'nothing');
const customer = fc.constantFrom('contoso', 'fabrikam', 'fresh', 'nobody');
const instant = fc.constantFrom(
  '2026-02-01T00:00:00.000Z',
  '2026-09-01T00:00:00.000Z',
  '2030-01-31T00:00:00.000Z',
);
const length = fc.constantFrom('P1M', 'P1Y', 'P30D', 'PT1H', 'P0D');
const name = fc.constantFrom('One', 'Two');
const addons = fc.array(
  fc.record(
    { plan, quantity: fc.integer({ min: 1, max: 3 }), until: fc.option(instant, { nil: null }) },
    {
      requiredKeys: ['plan'],
    },
  ),
  { maxLength: 2 },
);
const grants = fc.constantFrom(
  {},
  { pdf: { value: true } },
  { projects: { value: 3 }, tier: { value: 'gold' } },
  { tokens: { limit: 5, per: null, over: 'allow' } },
  { sms: { value: true } },
);
const term = fc.constantFrom({}, { length: 'P1M' }, { until: null }, { until: '2027-01-01T00:00:00.000Z' });

const grantLength = fc.constantFrom('PT1H', 'P1D', 'P2D');
const roles = fc.constantFrom(
  [],
  [{ role: 'issuer' }],
  [{ role: 'administrator' }],
  [
    { role: 'issuer', products: ['editor'] },
    { role: 'auditor', until: '2026-09-01T00:00:00.000Z' },
  ],
);

/** A command whose license, or whose other subject, is a number: which of those made so far. */
interface Template {
  type: Command['type'];
  /** Who asks: which of the principals. */
  actor: number;
  principal?: number;
  credential?: number;
  approval?: number;
  /** The type of the command that waits, about the first license. */
  command?: string;
  license?: number;
  by?: number | undefined;
  replaces?: number | undefined;
  [member: string]: unknown;
}

const templates: Record<Command['type'], Record<string, Arbitrary<unknown>>> = {
  'product.create': { code: product, name },
  'product.update': { product, name, entitlements: maybe(fc.constantFrom({}, { pdf: { type: 'boolean' } })) },
  'product.retire': { product },
  'plan.create': { product, code: plan, name, entitlements: grants, kind: fc.constantFrom('base', 'addon') },
  'plan.update': { plan, name, entitlements: maybe(grants), term: maybe(fc.constant({ length: 'P1M' })) },
  'plan.retire': { plan: fc.constantFrom('fresh', 'gold', 'trial', 'view') },
  'customer.create': { reference: customer, name, parent: maybe(customer) },
  'customer.update': { customer, reference: maybe(customer), parent: maybe(customer) },
  'customer.merge': { customer, into: customer },
  'customer.erase': { customer },
  'brake.tighten': { lock: fc.constantFrom('open', 'heightened'), minEpoch: maybe(fc.nat(1)) },
  'license.issue': {
    plan,
    addons: maybe(addons),
    customer: maybe(customer),
    licensee: maybe(name),
    term: maybe(term),
    entitlements: maybe(grants),
    key: maybe(fc.constantFrom('OLD-KEY-1', 'OLD-KEY-2')),
    replaces: maybe(pick),
    companion: maybe(fc.constantFrom({ notes: 'n' }, { price: 1, currency: 'EUR' }, { price: 1 })),
  },
  'license.amend': {
    license: pick,
    licensee: maybe(fc.constantFrom(null, 'Three')),
    entitlements: maybe(fc.constantFrom({ pdf: null }, { projects: { value: 1 } })),
    term: maybe(fc.constantFrom({ until: null }, { until: '2028-01-01T00:00:00.000Z' })),
    companion: maybe(fc.constantFrom({ notes: 'n' }, { notes: null })),
  },
  'license.renew': { license: pick, length: maybe(length), until: maybe(instant) },
  'license.change_plan': { license: pick, plan: maybe(plan), addons: maybe(addons), term: maybe(term) },
  'license.suspend': { license: pick, reason: fc.constantFrom('payment', 'abuse') },
  'license.reinstate': { license: pick },
  'license.revoke': { license: pick, reason: fc.constantFrom('refund', 'fraud') },
  'license.replace': { license: pick, by: maybe(pick) },
  'license.transfer': { license: pick, customer, resetSeats: maybe(fc.boolean()) },
  'license.rekey': { license: pick, key: maybe(fc.constantFrom('OLD-KEY-1', 'OLD-KEY-2')) },
  'license.reissue': { license: pick },
  'principal.create': {
    kind: fc.constantFrom('person', 'service'),
    name,
    roles: maybe(roles),
  },
  'principal.update': { principal: pick, name, email: maybe(fc.constantFrom(null, 'a@b')) },
  'principal.assign': { principal: pick, roles },
  'principal.grant': { principal: pick, role: fc.constantFrom('issuer', 'auditor'), length: grantLength },
  'principal.disable': { principal: pick },
  'principal.enable': { principal: pick },
  'credential.create': {
    principal: pick,
    kind: fc.constantFrom('api_key', 'passkey'),
    name,
    lookup: fc.constantFrom('a', 'b', 'c'),
    material: maybe(fc.constantFrom({}, { b: '1', a: '2' })),
    notAfter: maybe(instant),
    replaces: maybe(pick),
    overlap: maybe(grantLength),
  },
  'credential.expire': { credential: pick, notAfter: instant },
  'credential.revoke': { credential: pick },
  'policy.publish': {
    schema: fc.constant([]),
    policies: fc.constantFrom([], [{ id: 'a', lines: ['x'] }]),
    approvals: fc.constant([]),
    durable: fc.constantFrom([], ['license.get']),
    sessions: fc.constant({ idle: 'PT30M', max: 'PT12H', stepUp: 'PT5M' }),
    despiteShadow: maybe(fc.constant(true)),
  },
  'policy.drop_access': { before: instant },
  'approval.request': { command: fc.constantFrom('license.revoke', 'license.reissue', 'license.rekey') },
  'approval.approve': { approval: pick },
  'approval.reject': { approval: pick, reason: maybe(name) },
  'approval.withdraw': { approval: pick },
  'approval.execute': { approval: pick },
};

const template: Arbitrary<Template> = fc
  .constantFrom(
    ...COMMAND_TYPES,
    ...COMMAND_TYPES.filter((type) => type.startsWith('license.')),
    ...COMMAND_TYPES.filter((type) => type.startsWith('approval.')),
    ...COMMAND_TYPES.filter((type) => type.startsWith('approval.')),
    'license.issue' as const,
  )
  .chain((type) =>
    fc.record(
      {
        type: fc.constant(type),
        actor: fc.nat(2),
        ...templates[type],
        expectedRev: fc.constantFrom(...none(9), 0),
      },
      {
        noNullPrototype: true,
      },
    ),
  )
  .map((made) => withoutUndefined(made)) as Arbitrary<Template>;

function none(times: number): undefined[] {
  return Array.from({ length: times }, () => undefined);
}

function withoutUndefined(made: object): object {
  const entries = Object.entries(made).filter(([, value]) => value !== undefined);
  const creates = 'type' in made && /\.create$|^license\.issue$|^approval\.request$/.test(String(made.type));
  return Object.fromEntries(creates ? entries.filter(([key]) => key !== 'expectedRev') : entries);
}

const PATIENT_RULES = RULES.map((rule) => ({ ...rule, within: 'P300D' }));

/** The command, and who asks for it. */
function commandOf(world: World, step: Template): Command {
  const { license, by, replaces, principal, credential, approval, command, actor, ...rest } = step;
  const idOf = (type: 'license' | 'principal' | 'credential' | 'approval', index: number): string => {
    const ids = world.all(type).map(({ id }) => id);
    return ids[index % Math.max(ids.length, 1)] ?? 'lic_00000000000000000000000000';
  };
  actAs(world, idOf('principal', actor), { approvals: PATIENT_RULES });
  const replaced = rest.type === 'credential.create' ? 'credential' : 'license';
  return {
    ...rest,
    ...(license === undefined ? {} : { license: idOf('license', license) }),
    ...(by === undefined ? {} : { by: idOf('license', by) }),
    ...(replaces === undefined ? {} : { replaces: idOf(replaced, replaces) }),
    ...(principal === undefined ? {} : { principal: idOf('principal', principal) }),
    ...(credential === undefined ? {} : { credential: idOf('credential', credential) }),
    ...(approval === undefined ? {} : { approval: idOf('approval', approval) }),
    ...(command === undefined ? {} : { command: waitingCommand(command, idOf('license', 0)) }),
  } as unknown as Command;
}

function waitingCommand(type: string, license: string): object {
  return type === 'license.revoke' ? { type, license, reason: 'refund' } : { type, license };
}

/** What is sold, two who may approve each other's requests, and an administrator. */
function peopledWorld(): World {
  const world = soldWorld();
  world.do({ type: 'license.issue', plan: 'pro', customer: 'contoso' });
  for (const role of ['issuer', 'issuer', 'administrator']) person(world, role, role);
  return world;
}

function checkInvariants(world: World, before: Map<string, LicenseDocument>): void {
  const keys = new Set<string>();
  for (const license of world.all('license')) {
    const { key } = world.subject('license', license.id)!.companion!;
    if (key !== null) {
      expect(keys.has(key)).toBe(false);
      keys.add(key);
    }
    const old = before.get(license.id);
    if (old === undefined) continue;
    expect(license.rev - old.rev).toBeGreaterThanOrEqual(0);
    expect(license.generation).toBeGreaterThanOrEqual(old.generation);
    if (old.status.state === 'revoked') {
      expect(license.status.state).toBe('revoked');
      expect(license.entitlements).toEqual(old.entitlements);
      expect(license.term).toEqual(old.term);
    }
    if (old.status.successor !== null) expect(license.status).toEqual(old.status);
  }
  for (const { state, author, approvals } of world.all('approval')) {
    expect(approvals.some(({ principal }) => principal === author.principal)).toBe(false);
    if (state === 'executed') expect(approvals.length).toBeGreaterThan(0);
  }
}

/** Runs random sequences of commands and gives the types of the records that they made. */
function runSequences(parameters: fc.Parameters<unknown>): Set<RecordType> {
  const made = new Set<RecordType>();
  const sequence = fc.array(fc.tuple(template, fc.nat(40)), { minLength: 10, maxLength: 40 });
  fc.assert(
    fc.property(sequence, (steps) => {
      const world = peopledWorld();
      for (const [step, days] of steps) {
        world.now = new Date(Date.parse(world.now) + days * 86_400_000).toISOString();
        const before = new Map(world.all('license').map((license) => [license.id, license]));
        const decision = world.run(commandOf(world, step));
        if (decision.ok) {
          expect(decision.changes.length).toBeGreaterThan(0);
          for (const { type } of decision.changes) made.add(type);
          checkInvariants(world, before);
        } else {
          expect(REFUSALS[decision.refusal.code].raisedBy).toBe('decide');
          expect(decision.refusal.message.length).toBeGreaterThan(10);
        }
      }
    }),
    parameters as fc.Parameters<[[Template, number][]]>,
  );
  return made;
}

it('keeps every invariant whatever the commands, and refuses only with codes of the registry', () => {
  runSequences({ numRuns: 100 });
});

it('reaches every type of record that commands make, so that the property above is of use', () => {
  const byAuthority = (type: RecordType): boolean => /^(?:namespace|brake)\./.test(type);
  const made = runSequences({ numRuns: 400, seed: 20_260_301 });
  expect([...made].sort()).toEqual(RECORD_TYPES.filter((type) => !byAuthority(type)).sort());
});

it('decides the same again from the same view, command and environment', () => {
  fc.assert(
    fc.property(fc.array(template, { maxLength: 8 }), (steps) => {
      const [left, right] = [peopledWorld(), peopledWorld()];
      for (const step of steps) {
        const command = commandOf(left, step);
        right.gate = left.gate;
        expect(left.run(command)).toEqual(right.run(structuredClone(command)));
      }
    }),
    { numRuns: 40 },
  );
});

it('refuses anything that is not a command, without throwing', () => {
  const world = soldWorld();
  fc.assert(
    fc.property(fc.anything(), fc.constantFrom(...COMMAND_TYPES), fc.jsonValue(), (anything, type, value) => {
      for (const command of [anything, value, { ...(value as object), type }]) {
        const decision = decide(world, command as Command, world.environment());
        if (!decision.ok) expect(REFUSALS).toHaveProperty(decision.refusal.code);
      }
    }),
    { numRuns: 300 },
  );
});
