// long: one table, which is read row by row.
import type { Command, RefusalCode } from '../src/index.ts';
import { GATE_REFUSAL_CASES } from './gate-refusal-cases.ts';
import {
  busy,
  circle,
  crowded,
  customerId,
  erased,
  huge,
  issue,
  locked,
  merged,
  replaced,
  retiredPlan,
  retiredProduct,
  revoked,
  selfReplaced,
  special,
  suspended,
} from './refusal-situations.ts';
import { brakeWith, namespaceWith } from './verdict-fixtures.ts';
import { unknownId, type World } from './world.ts';

export interface RefusalCase {
  code: RefusalCode;
  when: string;
  /** What happened before. */
  before?: (world: World) => unknown;
  /** The command that must be refused. */
  command: (world: World) => Command;
  path?: string;
}

/** Each row is a command that is refused. Every code that commands raise has at least one. */
export const REFUSAL_CASES: RefusalCase[] = [
  ...GATE_REFUSAL_CASES,
  {
    code: 'input_invalid',
    when: 'the type is unknown',
    command: () => ({ type: 'license.print' }) as unknown as Command,
    path: '$',
  },
  {
    code: 'input_invalid',
    when: 'a member is unknown',
    command: () => ({ type: 'license.issue', plan: 'pro', seat: 1 }) as unknown as Command,
    path: '$.seat',
  },
  {
    code: 'input_invalid',
    when: 'a text has control characters',
    command: () => ({ type: 'license.issue', plan: 'pro', licensee: 'a\nb' }),
    path: '$.licensee',
  },
  {
    code: 'input_invalid',
    when: 'a code looks like an id',
    command: () => ({ type: 'product.create', code: unknownId('prd'), name: 'x' }),
    path: '$.code',
  },
  {
    code: 'input_invalid',
    when: 'a reference looks like an id',
    command: () => ({ type: 'customer.create', reference: unknownId('cus') }),
    path: '$.reference',
  },
  {
    code: 'input_invalid',
    when: 'a boolean has a unit',
    command: () => ({
      type: 'product.create',
      code: 'x',
      name: 'x',
      entitlements: { a: { type: 'boolean', unit: 'm' } },
    }),
    path: '$.entitlements.a.unit',
  },
  {
    code: 'input_invalid',
    when: 'an integer has choices',
    command: () => ({
      type: 'product.create',
      code: 'x',
      name: 'x',
      entitlements: { a: { type: 'integer', enum: ['b'] } },
    }),
    path: '$.entitlements.a.enum',
  },
  {
    code: 'input_invalid',
    when: 'a binding is named twice',
    command: () => ({
      type: 'plan.create',
      product: 'editor',
      code: 'x',
      name: 'x',
      seats: { bind: ['key', 'key'] },
    }),
    path: '$.seats.bind',
  },
  {
    code: 'input_invalid',
    when: 'components bind without saying how many',
    command: () => ({
      type: 'plan.create',
      product: 'editor',
      code: 'x',
      name: 'x',
      seats: { bind: ['components'] },
    }),
    path: '$.seats.need',
  },
  {
    code: 'input_invalid',
    when: 'a trial has another purpose',
    command: () => ({
      type: 'plan.create',
      product: 'editor',
      code: 'x',
      name: 'x',
      trial: { oncePer: 'customer' },
    }),
    path: '$.trial',
  },
  {
    code: 'input_invalid',
    when: 'a price has no currency',
    command: () => ({ type: 'license.issue', plan: 'pro', companion: { price: 1 } }),
    path: '$.companion',
  },
  {
    code: 'input_invalid',
    when: 'a replacement brings a key',
    command: (world) => ({ type: 'license.issue', plan: 'pro', replaces: issue(world), key: 'OLD-KEY-1234' }),
    path: '$.key',
  },
  {
    code: 'input_invalid',
    when: 'a customer is its own parent',
    command: (world) => ({
      type: 'customer.update',
      customer: 'contoso',
      parent: customerId(world, 'contoso'),
    }),
    path: '$.parent',
  },

  {
    code: 'subject_unknown',
    when: 'no product has the code',
    command: () => ({ type: 'product.retire', product: 'nothing' }),
    path: '$.product',
  },
  {
    code: 'subject_unknown',
    when: 'a plan is created for no product',
    command: () => ({ type: 'plan.create', product: 'nothing', code: 'x', name: 'x' }),
    path: '$.product',
  },
  {
    code: 'subject_unknown',
    when: 'no plan has the id',
    command: () => ({ type: 'plan.retire', plan: unknownId('pln') }),
    path: '$.plan',
  },
  {
    code: 'subject_unknown',
    when: 'no customer has the reference',
    command: () => ({ type: 'customer.erase', customer: 'nobody' }),
    path: '$.customer',
  },
  {
    code: 'subject_unknown',
    when: 'no license has the id',
    command: () => ({ type: 'license.reissue', license: unknownId('lic') }),
    path: '$.license',
  },
  {
    code: 'subject_unknown',
    when: 'the license to replace does not exist',
    command: () => ({ type: 'license.issue', plan: 'pro', replaces: unknownId('lic') }),
    path: '$.replaces',
  },

  {
    code: 'revision_conflict',
    when: 'a license moved on',
    command: (world) => ({ type: 'license.revoke', license: issue(world), reason: 'fraud', expectedRev: 1 }),
    path: '$.expectedRev',
  },
  {
    code: 'revision_conflict',
    when: 'a product moved on',
    command: () => ({ type: 'product.update', product: 'editor', name: 'x', expectedRev: 5 }),
    path: '$.expectedRev',
  },

  ...(
    [
      'license.amend',
      'license.renew',
      'license.change_plan',
      'license.reinstate',
      'license.rekey',
      'license.reissue',
    ] as const
  ).map(
    (type): RefusalCase => ({
      code: 'state_forbids',
      when: `${type} meets a revoked license`,
      command: (world) => ({
        type,
        license: revoked(world),
        ...(type === 'license.amend' ? { metadata: {} } : {}),
      }),
      path: '$.license',
    }),
  ),
  {
    code: 'state_forbids',
    when: 'a revoked license is suspended',
    command: (world) => ({ type: 'license.suspend', license: revoked(world), reason: 'other' }),
  },
  {
    code: 'state_forbids',
    when: 'a revoked license is transferred',
    command: (world) => ({ type: 'license.transfer', license: revoked(world), customer: 'contoso' }),
  },
  {
    code: 'state_forbids',
    when: 'a revoked license is given a licensee',
    command: (world) => ({ type: 'license.amend', license: revoked(world), licensee: 'New' }),
  },
  {
    code: 'state_forbids',
    when: 'a license was superseded already',
    command: (world) => ({ type: 'license.replace', license: replaced(world) }),
  },
  {
    code: 'state_forbids',
    when: 'the successor is revoked',
    command: (world) => ({ type: 'license.replace', license: issue(world), by: revoked(world) }),
    path: '$.by',
  },
  {
    code: 'state_forbids',
    when: 'a retired product is updated',
    command: (world) => ({ type: 'product.update', product: retiredProduct(world), name: 'x' }),
  },
  {
    code: 'state_forbids',
    when: 'a plan is created for a retired product',
    command: (world) => ({ type: 'plan.create', product: retiredProduct(world), code: 'x', name: 'x' }),
  },
  {
    code: 'state_forbids',
    when: 'a retired plan is updated',
    command: (world) => ({ type: 'plan.update', plan: retiredPlan(world), name: 'x' }),
  },
  {
    code: 'state_forbids',
    when: 'a merged customer is updated',
    command: (world) => ({ type: 'customer.update', customer: merged(world), name: 'x' }),
  },
  {
    code: 'state_forbids',
    when: 'a merged customer is merged',
    command: (world) => ({ type: 'customer.merge', customer: merged(world), into: 'fabrikam' }),
  },
  {
    code: 'state_forbids',
    when: 'an erased customer is erased',
    command: (world) => ({ type: 'customer.erase', customer: erased(world) }),
  },

  {
    code: 'namespace_locked',
    when: 'it is read-only',
    command: (world) => locked(world, 'read-only', { type: 'license.reissue', license: issue(world) }),
  },
  {
    code: 'namespace_locked',
    when: 'it is frozen, even for revoking',
    command: (world) =>
      locked(world, 'frozen', { type: 'license.revoke', license: issue(world), reason: 'fraud' }),
  },
  {
    code: 'namespace_locked',
    when: 'it is sealed',
    command: (world) => locked(world, 'sealed', { type: 'customer.create' }),
  },

  {
    code: 'limit_exceeded',
    when: 'a license would be too large',
    command: () => ({
      type: 'license.issue',
      plan: 'pro',
      metadata: Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, 'x'.repeat(400)])),
    }),
  },
  {
    code: 'limit_exceeded',
    when: 'a product would be too large',
    command: () => {
      const choices = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(200, 'x'));
      const codes = Array.from({ length: 14 }, (_, index) => `choice${index}`);
      const chosen = { type: 'string', enum: choices } as const;
      const entitlements = Object.fromEntries(codes.map((code) => [code, chosen]));
      return { type: 'product.create', code: 'large', name: 'Large', entitlements };
    },
  },
  {
    code: 'limit_exceeded',
    when: 'a sum is no safe integer',
    command: (world) => ({ type: 'license.issue', plan: huge(world), addons: [{ plan: 'more' }] }),
  },
  {
    code: 'limit_exceeded',
    when: 'a license would have too many entitlements',
    command: (world) => ({
      type: 'license.amend',
      license: crowded(world),
      entitlements: { pdf: { value: true } },
    }),
  },
  {
    code: 'limit_exceeded',
    when: 'an erasure would take too many records',
    command: (world) => ({ type: 'customer.erase', customer: busy(world) }),
  },
  {
    code: 'limit_exceeded',
    when: 'a merge would take too many records',
    command: (world) => ({ type: 'customer.merge', customer: busy(world), into: 'fabrikam' }),
  },

  {
    code: 'no_change',
    when: 'a product says so already',
    command: () => ({ type: 'product.update', product: 'editor', name: 'Editor' }),
  },
  {
    code: 'no_change',
    when: 'a plan says so already',
    command: () => ({
      type: 'plan.update',
      plan: 'pro',
      entitlements: {
        tokens: { over: 'block', per: 'P1M', limit: 100 },
        tier: { value: 'basic' },
        projects: { value: 5 },
        pdf: { value: false },
      },
    }),
  },
  {
    code: 'no_change',
    when: 'a customer is updated with nothing',
    command: () => ({ type: 'customer.update', customer: 'contoso' }),
  },
  {
    code: 'no_change',
    when: 'a license says so already',
    command: (world) => ({ type: 'license.amend', license: issue(world), licensee: null }),
  },
  {
    code: 'no_change',
    when: 'the plan is the same in every respect',
    command: (world) => ({ type: 'license.change_plan', license: issue(world) }),
  },
  {
    code: 'no_change',
    when: 'the new license key is the old one',
    command: (world) => ({
      type: 'license.rekey',
      license: issue(world, { key: 'OLD-KEY-1234' }),
      key: 'OLD-KEY-1234',
    }),
  },

  {
    code: 'may_only_tighten',
    when: 'the brake would be released',
    before: (world) => world.govern(namespaceWith(), brakeWith({ epoch: 1, lock: 'frozen' })),
    command: () => ({ type: 'brake.tighten', lock: 'open' }),
    path: '$.lock',
  },

  {
    code: 'key_in_use',
    when: 'an imported license key is taken',
    before: (world) => issue(world, { key: 'OLD-KEY-1234' }),
    command: () => ({ type: 'license.issue', plan: 'pro', key: 'OLD-KEY-1234' }),
    path: '$.key',
  },
  {
    code: 'key_in_use',
    when: 'a chosen license key is taken',
    before: (world) => issue(world, { key: 'OLD-KEY-1234' }),
    command: (world) => ({ type: 'license.rekey', license: issue(world), key: 'OLD-KEY-1234' }),
    path: '$.key',
  },

  {
    code: 'code_taken',
    when: 'a product has it',
    command: () => ({ type: 'product.create', code: 'editor', name: 'x' }),
    path: '$.code',
  },
  {
    code: 'code_taken',
    when: 'a plan has it',
    command: () => ({ type: 'plan.create', product: 'viewer', code: 'pro', name: 'x' }),
    path: '$.code',
  },
  ...[
    { pdf: { value: 1 } },
    { pdf: { limit: 1, per: null, over: 'block' as const } },
    { projects: { value: 'many' } },
    { tier: { value: 'silver' } },
    { tier: { value: true } },
    { tokens: { value: 1 } },
  ].map(
    (entitlements): RefusalCase => ({
      code: 'entitlement_type',
      when: `a plan grants ${JSON.stringify(entitlements)}`,
      command: () => ({
        type: 'plan.create',
        product: 'editor',
        code: 'x',
        name: 'x',
        entitlements,
      }),
      path: `$.entitlements.${Object.keys(entitlements)[0]}`,
    }),
  ),
  {
    code: 'entitlement_type',
    when: 'a license is given one',
    command: () => ({ type: 'license.issue', plan: 'pro', entitlements: { pdf: { value: 2 } } }),
    path: '$.entitlements.pdf',
  },
  {
    code: 'in_use',
    when: 'a product with active plans is retired',
    command: () => ({ type: 'product.retire', product: 'editor' }),
  },
  {
    code: 'in_use',
    when: 'a granted entitlement leaves the catalog',
    command: () => ({ type: 'product.update', product: 'editor', entitlements: {} }),
  },
  {
    code: 'in_use',
    when: 'a granted choice leaves the catalog',
    command: () => ({
      type: 'product.update',
      product: 'editor',
      entitlements: {
        pdf: { type: 'boolean' },
        projects: { type: 'integer' },
        tokens: { type: 'quota' },
        tier: { type: 'string', enum: ['basic'] },
      },
    }),
  },

  {
    code: 'reference_taken',
    when: 'a customer is created',
    command: () => ({ type: 'customer.create', reference: 'contoso' }),
    path: '$.reference',
  },
  {
    code: 'reference_taken',
    when: 'a customer is updated',
    command: () => ({ type: 'customer.update', customer: 'contoso', reference: 'fabrikam' }),
    path: '$.reference',
  },
  {
    code: 'merge_cycle',
    when: 'a customer is merged into itself',
    command: () => ({ type: 'customer.merge', customer: 'contoso', into: 'contoso' }),
    path: '$.into',
  },
  {
    code: 'merge_cycle',
    when: 'a customer is merged into one merged into it',
    command: (world) => ({ type: 'customer.merge', customer: 'fabrikam', into: merged(world) }),
    path: '$.into',
  },
  {
    code: 'customer_unknown',
    when: 'a license is issued',
    command: () => ({ type: 'license.issue', plan: 'pro', customer: 'nobody' }),
    path: '$.customer',
  },
  {
    code: 'customer_unknown',
    when: 'a license is transferred',
    command: (world) => ({ type: 'license.transfer', license: issue(world), customer: 'nobody' }),
    path: '$.customer',
  },
  {
    code: 'customer_unknown',
    when: 'the other customer of a merge is missing',
    command: () => ({ type: 'customer.merge', customer: 'contoso', into: 'nobody' }),
    path: '$.into',
  },
  {
    code: 'customer_unknown',
    when: 'a parent is missing',
    command: () => ({ type: 'customer.create', parent: unknownId('cus') }),
    path: '$.parent',
  },
  {
    code: 'customer_unknown',
    when: 'a trial is for nobody',
    command: () => ({ type: 'license.issue', plan: 'trial' }),
    path: '$.customer',
  },
  {
    code: 'customer_not_active',
    when: 'a license is issued to a merged one',
    command: (world) => ({ type: 'license.issue', plan: 'pro', customer: merged(world) }),
    path: '$.customer',
  },
  {
    code: 'customer_not_active',
    when: 'a license is transferred to an erased one',
    command: (world) => ({ type: 'license.transfer', license: issue(world), customer: erased(world) }),
    path: '$.customer',
  },
  {
    code: 'customer_not_active',
    when: 'one is merged into an erased one',
    command: (world) => ({ type: 'customer.merge', customer: 'fabrikam', into: erased(world) }),
    path: '$.into',
  },

  {
    code: 'plan_unknown',
    when: 'no plan has the code',
    command: () => ({ type: 'license.issue', plan: 'nothing' }),
    path: '$.plan',
  },
  {
    code: 'plan_unknown',
    when: 'no add-on has the id',
    command: () => ({ type: 'license.issue', plan: 'pro', addons: [{ plan: unknownId('pln') }] }),
    path: '$.addons[0]',
  },
  {
    code: 'plan_retired',
    when: 'a license is issued',
    command: (world) => ({ type: 'license.issue', plan: retiredPlan(world) }),
    path: '$.plan',
  },
  {
    code: 'plan_retired',
    when: 'a license moves to another plan',
    command: (world) => ({ type: 'license.change_plan', license: issue(world), plan: retiredPlan(world) }),
    path: '$.plan',
  },
  {
    code: 'plan_kind',
    when: 'an add-on is sold alone',
    command: () => ({ type: 'license.issue', plan: 'more' }),
    path: '$.plan',
  },
  {
    code: 'plan_kind',
    when: 'a base plan is sold as an add-on',
    command: () => ({ type: 'license.issue', plan: 'pro', addons: [{ plan: 'forever' }] }),
    path: '$.addons[0]',
  },
  {
    code: 'plan_product_mismatch',
    when: 'an add-on is of another product',
    command: () => ({ type: 'license.issue', plan: 'view', addons: [{ plan: 'more' }] }),
    path: '$.addons[0]',
  },
  {
    code: 'plan_product_mismatch',
    when: 'a license moves to another product',
    command: (world) => ({ type: 'license.change_plan', license: issue(world), plan: 'view' }),
    path: '$.plan',
  },
  {
    code: 'entitlement_unknown',
    when: 'a plan grants it',
    command: () => ({ type: 'plan.update', plan: 'pro', entitlements: { sms: { value: true } } }),
    path: '$.entitlements.sms',
  },
  {
    code: 'entitlement_unknown',
    when: 'it is only what every object inherits',
    command: () =>
      ({
        type: 'license.issue',
        plan: 'pro',
        entitlements: { constructor: { value: true } },
      }) as unknown as Command,
    path: '$.entitlements.constructor',
  },
  {
    code: 'entitlement_unknown',
    when: 'it is taken away from a license without it',
    command: (world) => ({ type: 'license.amend', license: issue(world), entitlements: { sms: null } }),
    path: '$.entitlements.sms',
  },
  {
    code: 'addon_conflict',
    when: 'texts differ',
    command: () => ({ type: 'license.issue', plan: 'pro', addons: [{ plan: 'gold' }] }),
    path: '$.addons',
  },
  {
    code: 'addon_conflict',
    when: 'parts of a sum end at different times',
    command: () => ({
      type: 'license.issue',
      plan: 'pro',
      addons: [{ plan: 'more', until: '2026-06-01T00:00:00.000Z' }],
    }),
    path: '$.addons',
  },
  {
    code: 'addon_conflict',
    when: 'quotas have different periods',
    before: (world) =>
      world.do({
        type: 'plan.update',
        plan: 'more',
        entitlements: { tokens: { limit: 1, per: 'P1Y', over: 'block' } },
      }),
    command: () => ({ type: 'license.issue', plan: 'pro', addons: [{ plan: 'more' }] }),
    path: '$.addons',
  },
  {
    code: 'addon_conflict',
    when: 'an add-on is named twice',
    command: () => ({ type: 'license.issue', plan: 'pro', addons: [{ plan: 'more' }, { plan: 'more' }] }),
    path: '$.addons[1]',
  },
  {
    code: 'term_invalid',
    when: 'it ends before it begins',
    command: () => ({ type: 'license.issue', plan: 'pro', term: { until: '2026-01-01T00:00:00.000Z' } }),
    path: '$.term',
  },
  {
    code: 'term_invalid',
    when: 'it has an end and a length',
    command: () => ({ type: 'license.issue', plan: 'pro', term: { until: null, length: 'P1Y' } }),
    path: '$.term',
  },
  {
    code: 'term_invalid',
    when: 'it is empty',
    command: () => ({ type: 'license.issue', plan: 'pro', term: { length: 'P0D' } }),
    path: '$.term',
  },
  {
    code: 'term_invalid',
    when: 'it ends after the year 9999',
    command: () => ({ type: 'license.issue', plan: 'pro', term: { from: '9999-12-01T00:00:00.000Z' } }),
    path: '$.term',
  },
  {
    code: 'term_invalid',
    when: 'an amendment ends it before it begins',
    command: (world) => ({
      type: 'license.amend',
      license: issue(world),
      term: { until: '2026-01-01T00:00:00.000Z' },
    }),
    path: '$.term',
  },
  {
    code: 'term_invalid',
    when: 'a renewal has an end and a length',
    command: (world) => ({
      type: 'license.renew',
      license: issue(world),
      until: '2030-01-01T00:00:00.000Z',
      length: 'P1Y',
    }),
    path: '$',
  },
  {
    code: 'term_invalid',
    when: 'a renewal has no length to go by',
    command: (world) => ({
      type: 'license.renew',
      license: issue(world, { plan: 'forever', term: { length: 'P1Y' } }),
    }),
    path: '$.length',
  },
  {
    code: 'trial_used',
    when: 'the customer has a trial',
    before: (world) => issue(world, { plan: 'trial', customer: 'contoso' }),
    command: () => ({ type: 'license.issue', plan: 'trial', customer: 'contoso' }),
    path: '$.customer',
  },
  {
    code: 'trial_used',
    when: 'the trial was revoked',
    before: (world) =>
      world.do({
        type: 'license.revoke',
        license: issue(world, { plan: 'trial', customer: 'contoso' }),
        reason: 'ended',
      }),
    command: () => ({ type: 'license.issue', plan: 'trial', customer: 'contoso' }),
    path: '$.customer',
  },
  {
    code: 'seats_unsupported',
    when: 'the plan has seats',
    command: (world) => ({
      type: 'license.issue',
      plan: special(world, { seats: { model: 'device', max: 3 } }),
    }),
    path: '$.plan',
  },
  {
    code: 'seats_unsupported',
    when: 'the term starts at the first activation',
    command: (world) => ({
      type: 'license.issue',
      plan: special(world, { term: { basis: 'first_activation' } }),
    }),
    path: '$.plan',
  },
  {
    code: 'seats_unsupported',
    when: 'a trial is once per device',
    command: (world) => ({
      type: 'license.issue',
      plan: special(world, { purpose: 'trial', trial: { oncePer: 'device' } }),
    }),
    path: '$.plan',
  },
  {
    code: 'seats_unsupported',
    when: 'a license is given seats',
    command: (world) => ({ type: 'license.amend', license: issue(world), seats: { max: 5 } }),
    path: '$.seats',
  },

  {
    code: 'term_not_later',
    when: 'a renewal ends earlier',
    command: (world) => ({ type: 'license.renew', license: issue(world), until: '2026-12-01T00:00:00.000Z' }),
    path: '$.until',
  },
  {
    code: 'term_not_later',
    when: 'a renewal is empty',
    command: (world) => ({ type: 'license.renew', license: issue(world), length: 'P0D' }),
    path: '$.length',
  },
  {
    code: 'term_not_later',
    when: 'updates would end earlier',
    command: (world) => ({
      type: 'license.renew',
      license: issue(world),
      updates: { until: '2026-12-01T00:00:00.000Z' },
    }),
    path: '$.updates',
  },
  {
    code: 'perpetual',
    when: 'a license never ends',
    command: (world) => ({
      type: 'license.renew',
      license: issue(world, { plan: 'forever' }),
      length: 'P1Y',
    }),
  },
  {
    code: 'already_suspended',
    when: 'it is suspended again',
    command: (world) => ({ type: 'license.suspend', license: suspended(world), reason: 'abuse' }),
  },
  {
    code: 'not_suspended',
    when: 'an active license is reinstated',
    command: (world) => ({ type: 'license.reinstate', license: issue(world) }),
  },
  {
    code: 'already_revoked',
    when: 'it is revoked again',
    command: (world) => ({ type: 'license.revoke', license: revoked(world), reason: 'fraud' }),
  },
  {
    code: 'successor_unknown',
    when: 'the successor does not exist',
    command: (world) => ({ type: 'license.replace', license: issue(world), by: unknownId('lic') }),
    path: '$.by',
  },
  {
    code: 'successor_cycle',
    when: 'a license succeeds itself',
    command: (world) => selfReplaced(issue(world)),
    path: '$.by',
  },
  {
    code: 'successor_cycle',
    when: 'the successor leads back',
    command: (world) => ({ type: 'license.replace', ...circle(world) }),
    path: '$.by',
  },
  {
    code: 'same_customer',
    when: 'the license is theirs already',
    command: (world) => ({
      type: 'license.transfer',
      license: issue(world, { customer: 'contoso' }),
      customer: 'contoso',
    }),
    path: '$.customer',
  },
];
