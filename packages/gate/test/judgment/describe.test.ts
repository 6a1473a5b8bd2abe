/** What a decision is made on follows from the log and the request, and from nothing that a caller can make up. */
import type { CredentialDocument, LicenseDocument, PrincipalDocument } from '@tallystick/license';
import fc from 'fast-check';
import { expect, describe as group, it } from 'vitest';
import {
  type Asked,
  bareResource,
  type Caller,
  type Circumstances,
  defaultPolicyDocument,
  describe,
  effectOf,
  noEffect,
  rolesFor,
} from '../../src/index.ts';
import { PolicyEngine } from '../../src/policy/index.ts';

const at = '2026-11-26T10:15:30.000Z';
const engine = new PolicyEngine(defaultPolicyDocument());
const circumstances: Circumstances = {
  at,
  lock: 'open',
  epoch: 0,
  reason: true,
  approved: false,
  stepUp: 'PT5M',
  roles: engine.roles,
};
const caller: Caller = {
  principal: 'prn_01jd0000000000000000000000',
  kind: 'person',
  credential: 'crd_01jd0000000000000000000000',
  session: 'ses_1',
  strength: 3,
  authenticatedAt: at,
  steppedUpAt: null,
  address: '127.0.0.1',
  networks: [],
  device: null,
  signed: null,
  purpose: null,
};
const principal: PrincipalDocument = {
  v: 1,
  type: 'principal',
  ns: 'acme',
  id: caller.principal,
  rev: 0,
  crit: [],
  kind: 'person',
  name: 'Ada',
  email: null,
  state: 'active',
  roles: [],
  metadata: {},
};
const credential: CredentialDocument = {
  v: 1,
  type: 'credential',
  ns: 'acme',
  id: caller.credential,
  rev: 0,
  crit: [],
  principal: caller.principal,
  kind: 'passkey',
  name: 'key',
  state: 'active',
  notAfter: null,
  scope: { actions: null, products: null, networks: null },
  lookup: 'x',
  material: {},
  replaces: null,
};
const editor = { id: 'prd_01jd0000000000000000000000', code: 'editor' };
const license = { ...bareResource('License'), product: editor, state: 'active', purpose: 'production' };
const asked = (changes: Partial<Caller> = {}): Asked => ({
  caller: { ...caller, ...changes },
  action: 'license.suspend',
  zone: 'admin',
});

group('roles', () => {
  const roles = (grants: PrincipalDocument['roles'], changes: Partial<CredentialDocument> = {}) =>
    rolesFor(
      { principal: { ...principal, roles: grants }, credential: { ...credential, ...changes } },
      license,
      at,
    );

  it('hold for the products that they are for, and until they end', () => {
    const other = 'prd_01jd0000000000000000000001';
    expect(
      roles([
        { role: 'viewer', products: null, until: null },
        { role: 'support', products: [editor.id], until: null },
        { role: 'issuer', products: [other], until: null },
        { role: 'auditor', products: null, until: at },
        { role: 'product-owner', products: null, until: '2026-11-26T10:15:30.001Z' },
        { role: 'viewer', products: [editor.id], until: null },
      ]),
    ).toEqual(['product-owner', 'support', 'viewer']);
  });

  it('do not hold beyond what the credential is for, for what is of no product, or for who is disabled', () => {
    const grants = [{ role: 'support', products: null, until: null }];
    const scope = (products: string[] | null): Partial<CredentialDocument> => ({
      scope: { actions: null, products, networks: null },
    });
    expect(roles(grants, scope([editor.id]))).toEqual(['support']);
    expect(roles(grants, scope([]))).toEqual([]);
    const identity = {
      principal: { ...principal, roles: grants },
      credential: { ...credential, ...scope([editor.id]) },
    };
    expect(rolesFor(identity, bareResource('Customer'), at)).toEqual([]);
    expect(
      rolesFor({ principal: { ...principal, roles: grants, state: 'disabled' }, credential }, license, at),
    ).toEqual([]);
  });

  it('that the policy does not know give nothing, and break nothing', () => {
    const input = describe(asked(), ['made-up', 'support'], license, noEffect, circumstances);
    expect(input.principal.roles).toEqual(['support']);
    expect(engine.decide(input)).toMatchObject({ allowed: true, errors: [] });
  });
});

group('proof of presence', () => {
  const stepUp = (steppedUpAt: string | null): boolean =>
    describe(asked({ steppedUpAt }), [], license, noEffect, circumstances).context.stepUp;

  it.each([
    [null, false],
    ['2026-11-26T10:15:30.000Z', true],
    ['2026-11-26T10:10:30.000Z', true],
    ['2026-11-26T10:10:29.999Z', false],
    ['2026-11-26T10:15:35.000Z', true],
    ['2026-11-26T10:15:35.001Z', false],
  ])('of %s is fresh: %s', (steppedUpAt, isFresh) => {
    expect(stepUp(steppedUpAt)).toBe(isFresh);
  });
});

group('what is nobody’s', () => {
  it('is not the caller’s own, whoever calls', () => {
    const own = (owner: string | null): boolean =>
      describe(asked(), [], { ...license, owner }, noEffect, circumstances).resource.own;
    expect(own(null)).toBe(false);
    expect(own(caller.principal)).toBe(true);
    expect(own('prn_01jd0000000000000000000009')).toBe(false);
  });
});

group('a description', () => {
  it('is always one that can be decided on', () => {
    const device = fc.option(
      fc.record({
        id: fc.constant(null),
        managed: fc.boolean(),
        encrypted: fc.boolean(),
        attested: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(
        fc.subarray(['viewer', 'issuer', 'made-up', 'administrator']),
        fc.date({ min: new Date('2020-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }),
        device,
        fc.boolean(),
        (roles, date, posture, reason) => {
          const input = describe(asked({ device: posture }), roles, license, noEffect, {
            ...circumstances,
            at: date.toISOString(),
            reason,
          });
          expect(engine.decide(input).errors).toEqual([]);
          expect(input.context.weekday).toBe(date.getUTCDay() || 7);
        },
      ),
      { numRuns: 60 },
    );
  });
});

const licensed = (changes: Partial<LicenseDocument>): LicenseDocument =>
  ({
    type: 'license',
    id: 'lic_01jd0000000000000000000000',
    status: { state: 'active', since: at },
    term: { from: at, until: '2027-11-26T10:15:30.000Z', grace: 'P0D' },
    seats: { model: 'none', max: null, over: 0 },
    ...changes,
  }) as LicenseDocument;
const effect = (after: LicenseDocument, before?: LicenseDocument) =>
  effectOf(
    [
      {
        type: before === undefined ? 'license.issued' : 'license.renewed',
        subject: { type: 'license', id: after.id },
        rev: 0,
        document: after,
        companion: null,
      },
    ],
    () => before,
  );
const term = (until: string | null): Partial<LicenseDocument> => ({
  term: { from: at, until, grace: 'P0D' },
});

group('what a change of a license does', () => {
  it('is the length of a new term, or how much longer one gets', () => {
    expect(effect(licensed({}))).toMatchObject({ termDays: 365, extendsDays: null, seats: null });
    expect(effect(licensed(term(null)))).toMatchObject({ termDays: -1 });
    expect(effect(licensed(term('2027-12-26T10:15:30.000Z')), licensed({}))).toMatchObject({
      termDays: null,
      extendsDays: 30,
    });
    expect(effect(licensed(term('2027-11-26T10:15:30.001Z')), licensed({}))).toMatchObject({
      extendsDays: 1,
    });
    expect(effect(licensed(term(null)), licensed({}))).toMatchObject({ extendsDays: -1 });
    expect(effect(licensed(term('2027-01-01T00:00:00.000Z')), licensed({}))).toMatchObject({
      extendsDays: null,
    });
  });

  it('is the number of seats, where it says another', () => {
    const seats = (max: number | null): Partial<LicenseDocument> => ({
      seats: { model: 'device', max, over: 0 },
    });
    expect(effect(licensed(seats(5)))).toMatchObject({ seats: 5 });
    expect(effect(licensed(seats(null)))).toMatchObject({ seats: -1 });
    expect(effect(licensed(seats(5)), licensed(seats(5)))).toMatchObject({ seats: null });
    expect(effect(licensed(seats(9)), licensed(seats(5)))).toMatchObject({ seats: 9 });
  });
});

group('what a change of somebody does', () => {
  it('is every role that somebody gets or loses, also where only its reach changes', () => {
    const person = (roles: PrincipalDocument['roles']): PrincipalDocument => ({ ...principal, roles });
    const changed = (after: PrincipalDocument['roles'], before?: PrincipalDocument['roles']): string[] =>
      effectOf(
        [
          {
            type: 'principal.assigned',
            subject: { type: 'principal', id: principal.id },
            rev: 1,
            document: person(after),
            companion: null,
          },
        ],
        () => before && person(before),
      ).rolesChanged;
    const viewer = { role: 'viewer', products: null, until: null };
    const support = { role: 'support', products: [editor.id], until: null };
    expect(changed([viewer])).toEqual(['viewer']);
    expect(changed([viewer], [viewer])).toEqual([]);
    expect(changed([], [viewer, support])).toEqual(['support', 'viewer']);
    expect(changed([{ ...support, products: null }], [support])).toEqual(['support']);
    expect(changed([{ ...viewer, until: at }], [viewer])).toEqual(['viewer']);
  });
});
