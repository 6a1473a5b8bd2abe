/** Holds the contract to the license model, which it mirrors because neither package may import the other. */

import {
  type ApprovalDocument,
  type BodyOf,
  type BrakeDocument,
  type CommandOf,
  type CommandType,
  type CompanionView,
  type CreatingCommand,
  type CredentialDocument,
  type CustomerDocument,
  commandOf,
  documentSchemas,
  type keyAlgorithms,
  type LicenseDocument,
  type NamespaceDocument,
  type PlanDocument,
  type PolicyDocument,
  type PrincipalDocument,
  type ProductDocument,
  type RefusalProblemCode,
  type Route,
  recordTypes,
  refusalCodes,
  routes,
} from '@tallystick/contract';
import * as model from '@tallystick/license';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { arbitraryBodies } from './arbitrary-bodies.ts';
import { Shop } from './shop.ts';

/** The same members, whether they are written as one interface or as an intersection. */
type Flat<T> = T extends object ? { [K in keyof T]: Flat<T[K]> } : T;
type Flattened<T extends CommandType> = { [C in T]: Flat<CommandOf<C>> };
type FlattenedModel<T extends model.CommandType> = { [C in T]: Flat<model.CommandOf<C>> };

const commandTypes = (Object.values(routes) as Route[]).flatMap(({ command }) => command ?? []);
const creating: readonly CommandType[] = [
  'product.create',
  'plan.create',
  'customer.create',
  'license.issue',
  'principal.create',
  'credential.create',
  'approval.request',
];
const subjectOf = (type: CommandType): string | null =>
  creating.includes(type) || type === 'brake.tighten' || type.startsWith('policy.') ? null : 'some-name';

describe('the vocabulary', () => {
  it('has a problem for every refusal and no others', () => {
    expect([...refusalCodes].sort()).toEqual(Object.keys(model.REFUSALS).sort());
    expectTypeOf<RefusalProblemCode>().toEqualTypeOf<model.RefusalCode>();
  });

  it('has the same commands and record types', () => {
    expect([...commandTypes].sort()).toEqual([...model.COMMAND_TYPES].sort());
    expect(recordTypes).toEqual(model.RECORD_TYPES);
    expectTypeOf<CommandType>().toEqualTypeOf<model.CommandType>();
    expectTypeOf<(typeof keyAlgorithms)[number]>().toEqualTypeOf<model.KeyAlgorithm>();
  });

  it('puts commands together as the model has them', () => {
    expectTypeOf<Flattened<CommandType>>().toEqualTypeOf<FlattenedModel<model.CommandType>>();
    expectTypeOf<CommandOf<CreatingCommand>>().toExtend<model.Command>();
    expect(commandOf('license.renew', 'lic_1', { length: 'P1Y' })).toEqual({
      type: 'license.renew',
      license: 'lic_1',
      length: 'P1Y',
    });
    expect(commandOf('customer.create', null, {})).toEqual({ type: 'customer.create' });
  });

  it('has the same documents', () => {
    expectTypeOf<Flat<NamespaceDocument>>().toEqualTypeOf<Flat<model.NamespaceDocument>>();
    expectTypeOf<Flat<BrakeDocument>>().toEqualTypeOf<Flat<model.BrakeDocument>>();
    expectTypeOf<Flat<ProductDocument>>().toEqualTypeOf<Flat<model.ProductDocument>>();
    expectTypeOf<Flat<PlanDocument>>().toEqualTypeOf<Flat<model.PlanDocument>>();
    expectTypeOf<Flat<CustomerDocument>>().toEqualTypeOf<Flat<model.CustomerDocument>>();
    expectTypeOf<Flat<LicenseDocument>>().toEqualTypeOf<Flat<model.LicenseDocument>>();
    expectTypeOf<Flat<PrincipalDocument>>().toEqualTypeOf<Flat<model.PrincipalDocument>>();
    expectTypeOf<Flat<PolicyDocument>>().toEqualTypeOf<Flat<model.PolicyDocument>>();
    expectTypeOf<Flat<ApprovalDocument>>().toEqualTypeOf<Flat<model.ApprovalDocument>>();
    expectTypeOf<Flat<Omit<CredentialDocument, 'lookup'>>>().toEqualTypeOf<
      Flat<Omit<model.CredentialDocument, 'lookup' | 'material'>>
    >();
    expectTypeOf<Omit<CompanionView, 'keyHint'>>().toEqualTypeOf<Omit<model.LicenseCompanion, 'key'>>();
  });

  it('lists on some route every refusal that a decision can make', () => {
    const listed = new Set((Object.values(routes) as Route[]).flatMap((route) => route.problems));
    const made = Object.entries(model.REFUSALS).filter(([, { raisedBy }]) => raisedBy === 'decide');
    expect(made.map(([code]) => code).filter((code) => !listed.has(code as RefusalProblemCode))).toEqual([]);
  });
});

function modelAccepts(type: CommandType, body: unknown): boolean {
  // Spreading anything but an object makes a command without members, which is not what was sent.
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  try {
    model.parseCommand(commandOf(type, subjectOf(type), body as BodyOf[CommandType]));
    return true;
  } catch (error) {
    if (error instanceof model.ModelError) return false;
    throw error;
  }
}

describe('bodies', () => {
  it.each(commandTypes)('of %s are accepted here exactly when the model accepts the command', (type) => {
    let accepted = 0;
    fc.assert(
      fc.property(arbitraryBodies[type], (body) => {
        const result = routes[type].body!.safeParse(body);
        expect(result.success, JSON.stringify(body)).toBe(modelAccepts(type, body));
        if (!result.success) return;
        accepted += 1;
        expect(result.data).toEqual(body);
      }),
      { numRuns: 400 },
    );
    expect(accepted).toBeGreaterThan(20);
  });
});

describe('documents', () => {
  it('that decisions make are what answers describe, without a member more', () => {
    const shop = new Shop();
    shop.open();
    const made = shop.documents();
    expect(new Set(made.map(({ type }) => type))).toEqual(
      new Set(['product', 'plan', 'customer', 'license', 'principal', 'credential', 'policy', 'approval']),
    );
    for (const document of made) expect(documentSchemas[document.type].parse(document)).toEqual(document);
    for (const document of made) {
      const { rev, ...rest } = document;
      expect(documentSchemas[document.type].safeParse(rest).success, `${document.type} ${rev}`).toBe(false);
    }
  });

  it('keep the members that a newer server adds', () => {
    const shop = new Shop();
    shop.open();
    const [first] = shop.documents();
    const newer = { ...first!, colorOfTheBox: 'blue' };
    expect(documentSchemas[newer.type].parse(newer)).toEqual(newer);
  });
});

describe('refusals', () => {
  it('that decisions make are among the problems of their route', () => {
    const shop = new Shop();
    shop.open();
    const refused = shop.refusals();
    expect(refused.length).toBeGreaterThan(25);
    const unlisted = refused.filter(({ command, code }) => {
      const route = routes[command.type] as unknown as Route;
      return !route.problems.includes(code);
    });
    expect(unlisted).toEqual([]);
  });
});
