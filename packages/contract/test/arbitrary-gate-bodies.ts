/** Bodies of the commands about who may use a system, mostly well-formed; see `arbitrary-members.ts`. */
import type { GateBodyOf } from '@tallystick/contract';
import fc from 'fast-check';
import {
  choice,
  code,
  duration,
  email,
  instant,
  listOf,
  long,
  many,
  maybe,
  metadata,
  natural,
  objectOf,
  oneOf,
  type Samples,
  text,
} from './arbitrary-members.ts';

const nested = (levels: number): unknown =>
  levels === 0 ? 1 : levels % 2 === 0 ? { of: nested(levels - 1) } : [nested(levels - 1)];
const repeated = (count: number, value: unknown): unknown[] => Array.from({ length: count }, () => value);

const action: Samples = {
  good: ['license.issue', 'log.tile', 'license.change_plan', 'read'],
  bad: ['', 'License.issue', 'license.', 'a', 'license.issue.now.please', 'license-issue', 1, null],
};
const network: Samples = {
  good: ['10.0.0.0/8', '2001:db8::/32'],
  bad: ['', '10.0.0.0', 'host/8', '10.0.0.0/1000', 1, null],
};
const credentialId: Samples = {
  good: ['crd_01jd0000000000000000000000'],
  bad: ['', 'crd_1', 'prn_01jd0000000000000000000000', 5, null],
};
const expectedRev = natural;
const targeted = objectOf({ expectedRev });
const products = fc.option(listOf(oneOf(text), 50), { nil: null, freq: 5 });
const role = objectOf({ role: code, products, until: maybe(instant) }, ['role']);
const actions = listOf(oneOf(action), 200);
const lookup: Samples = {
  good: ['a', long(600), 'https://issuer.example 7'],
  bad: ['', long(601), 'a\nb', 5],
};
const material: Samples = {
  good: [{}, { key: '' }, { 'a.b:c-d_e': long(4_000) }, many(16, 'v')],
  bad: [many(17, 'v'), { '1': 'v' }, { a: long(4_001) }, { a: 1 }, []],
};
const line: Samples = {
  good: ['', 'permit(principal, action, resource);', long(400)],
  bad: [long(401), 'a\tb', 1],
};
const lines = listOf(oneOf(line), 2_000);

/** What both readers refuse by what it lacks; only this package refuses what it has too much of. */
const rules: Samples = {
  good: [
    [],
    [
      {
        actions: ['license.issue'],
        above: null,
        approvers: [{ role: 'issuer', count: 1 }],
        within: 'P1D',
      },
      {
        actions: [],
        above: { termDays: 0, seats: null, perHour: 50 },
        approvers: repeated(8, { role: 'a', count: 16 }),
        within: 'PT1H',
      },
    ],
  ],
  bad: [
    [{}],
    [{ actions: [], above: null, approvers: [] }],
    [{ actions: [], above: { termDays: 1, seats: 1 }, approvers: [], within: 'P1D' }],
    [{ actions: [], above: null, approvers: [{ role: 'a', count: 0 }], within: 'P1D' }],
    [{ actions: [], above: null, approvers: [{ role: 'a', count: 17 }], within: 'P1D' }],
    [{ actions: [], above: null, approvers: repeated(9, { role: 'a', count: 1 }), within: 'P1D' }],
    [{ actions: [], above: null, approvers: [], within: 'P1M' }],
    {},
  ],
};
const policies: Samples = {
  good: [[], [{ id: 'a', lines: ['permit(principal, action, resource);'] }]],
  bad: [
    [{ id: 'A', lines: [] }],
    [{ id: 'a' }],
    [{ id: 'a', lines: [1] }],
    repeated(201, { id: 'a', lines: [] }),
  ],
};
const sessions: Samples = {
  good: [{ idle: 'PT30M', max: 'PT12H', stepUp: 'PT5M' }],
  bad: [{ idle: 'PT30M', max: 'PT12H' }, { idle: 'P1M', max: 'P1D', stepUp: 'P1D' }, null],
};
const command: Samples = {
  good: [
    { type: 'license.issue', plan: 'pro' },
    { type: '' },
    { type: 'a', b: nested(9) },
    { type: 'a', ...many(39, 1) },
  ],
  bad: [
    {},
    { type: 1 },
    [],
    null,
    'license.issue',
    { type: 'a', b: nested(10) },
    { type: 'a', 'no name': 1 },
    { type: 'a', ...many(40, 1) },
  ],
};

export const arbitraryGateBodies: Readonly<Record<keyof GateBodyOf, fc.Arbitrary<unknown>>> = {
  'principal.create': objectOf(
    {
      kind: choice('person', 'service', 'partner'),
      name: text,
      email: maybe(email),
      roles: listOf(role, 50),
      metadata,
    },
    ['kind', 'name'],
  ),
  'principal.update': objectOf({ name: text, email: maybe(email), metadata, expectedRev }),
  'principal.assign': objectOf({ roles: listOf(role, 50), expectedRev }, ['roles']),
  'principal.grant': objectOf({ role: code, products, length: duration, expectedRev }, ['role', 'length']),
  'principal.disable': targeted,
  'principal.enable': targeted,
  'credential.create': objectOf(
    {
      principal: text,
      kind: choice(
        'api_key',
        'passkey',
        'password',
        'totp',
        'oidc',
        'spiffe',
        'http_signature',
        'invitation',
      ),
      name: text,
      notAfter: maybe(instant),
      scope: objectOf({
        actions: fc.option(actions, { nil: null, freq: 5 }),
        products,
        networks: fc.option(listOf(oneOf(network), 50), { nil: null, freq: 5 }),
      }),
      lookup,
      material,
      replaces: credentialId,
      overlap: duration,
    },
    ['principal', 'kind', 'name', 'lookup'],
  ),
  'credential.expire': objectOf({ notAfter: instant, expectedRev }, ['notAfter']),
  'credential.revoke': targeted,
  'policy.publish': objectOf(
    {
      schema: lines,
      policies,
      approvals: rules,
      durable: actions,
      sessions,
      despiteShadow: fc.constant(true),
      expectedRev,
    },
    ['schema', 'policies', 'approvals', 'durable', 'sessions'],
  ),
  'policy.drop_access': objectOf({ before: instant, expectedRev }, ['before']),
  'approval.request': objectOf({ command }, ['command']),
  'approval.approve': targeted,
  'approval.reject': objectOf({ reason: maybe(text), expectedRev }),
  'approval.withdraw': targeted,
  'approval.execute': targeted,
};
