import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeReason, type RawRequest, type RouteName, readRequest, routeNames } from '../src/index.ts';

const blank: RawRequest = { params: {}, query: {}, headers: {}, body: undefined };
const renew = (part: Partial<RawRequest>) =>
  readRequest('license.renew', { ...blank, params: { id: 'lic_1' }, ...part });
const create = (body: unknown) => readRequest('product.create', { ...blank, body });
const plan = (entitlements: unknown) =>
  readRequest('plan.create', { ...blank, body: { product: 'p', code: 'c', name: 'n', entitlements } });
const parsed = (json: string): unknown => JSON.parse(json);

describe('reading a request', () => {
  it('turns text into what it stands for and fills in defaults', () => {
    expect(renew({})).toEqual({
      ok: true,
      value: {
        params: { id: 'lic_1' },
        query: { dryRun: false, wait: 'durable', waitMs: 10_000 },
        headers: {},
        body: {},
      },
    });
    const query = { dryRun: 'true', wait: 'published', waitMs: '30000' };
    const headers = { 'idempotency-key': 'k', 'tally-reason': 'paid', host: 'ignored' };
    expect(renew({ query, headers, body: { length: 'P1Y' } })).toMatchObject({
      value: {
        query: { dryRun: true, wait: 'published', waitMs: 30_000 },
        headers: { 'idempotency-key': 'k', 'tally-reason': 'paid' },
        body: { length: 'P1Y' },
      },
    });
  });

  it.each([
    ['a missing member', create({ code: 'a' }), 'malformed_request', '$.name', 'is missing'],
    [
      'a member of the wrong type',
      create({ code: 'a', name: 5 }),
      'malformed_request',
      '$.name',
      'must be text',
    ],
    [
      'a spelling mistake',
      create({ code: 'a', name: 'b', nmae: 1 }),
      'unknown_member',
      '$.nmae',
      'not a known member',
    ],
    ['a body that is no object', create([]), 'malformed_request', '$', 'must be an object'],
    ['null for a body', create(null), 'malformed_request', '$', 'must be an object'],
    [
      'a bad name in a map',
      plan({ A: { value: 1 } }),
      'malformed_request',
      '$.entitlements.A',
      'the name must be a code',
    ],
    [
      'an odd name in a map',
      plan({ 'a b': { value: 1 } }),
      'malformed_request',
      '$.entitlements["a b"]',
      'must be a code',
    ],
    [
      'a float',
      plan({ a: { value: 1.5 } }),
      'malformed_request',
      '$.entitlements.a.value',
      'an integer or text',
    ],
    ['a grant without content', plan({ a: {} }), 'malformed_request', '$.entitlements.a.value', 'is missing'],
    [
      'a grant that is both',
      plan({ a: { value: 1, limit: 3 } }),
      'unknown_member',
      '$.entitlements.a.limit',
      'not a known',
    ],
    [
      'half a quota',
      plan({ a: { limit: 3, over: 'block' } }),
      'malformed_request',
      '$.entitlements.a.per',
      'is missing',
    ],
    [
      'a grant that is no object',
      plan({ a: 5 }),
      'malformed_request',
      '$.entitlements.a',
      'must be an object with a value',
    ],
    [
      'a hidden prototype',
      create(parsed('{"code":"a","name":"b","__proto__":{}}')),
      'unknown_member',
      '$["__proto__"]',
      'not a',
    ],
    [
      'one inside a map',
      create(parsed('{"code":"a","name":"b","metadata":{"__proto__":"x"}}')),
      'unknown_member',
      '$',
      '__proto__',
    ],
    [
      'an unknown query',
      renew({ query: { dryrun: 'true' } }),
      'unknown_member',
      'query.dryrun',
      'not a known member',
    ],
    [
      'a flag that is neither',
      renew({ query: { dryRun: '1' } }),
      'malformed_request',
      'query.dryRun',
      'true or false',
    ],
    [
      'a query given twice',
      renew({ query: { waitMs: ['1', '2'] } }),
      'malformed_request',
      'query.waitMs',
      'must be',
    ],
    [
      'too long a wait',
      renew({ query: { waitMs: '30001' } }),
      'malformed_request',
      'query.waitMs',
      'from 0 to 30000',
    ],
    [
      'a number with a sign',
      renew({ query: { waitMs: '+1' } }),
      'malformed_request',
      'query.waitMs',
      'decimal number',
    ],
    [
      'a key with spaces',
      renew({ headers: { 'idempotency-key': 'a b' } }),
      'idempotency_key_invalid',
      'headers.idempotency-key',
      '128',
    ],
    [
      'an empty key',
      renew({ headers: { 'idempotency-key': '' } }),
      'idempotency_key_invalid',
      'headers.idempotency-key',
      '128',
    ],
    [
      'a broken reason',
      renew({ headers: { 'tally-reason': '%C3' } }),
      'malformed_request',
      'headers.tally-reason',
      'percent-encoded',
    ],
    [
      'a long reason',
      renew({ headers: { 'tally-reason': 'x'.repeat(201) } }),
      'malformed_request',
      'headers.tally-reason',
      '200',
    ],
  ])('refuses %s', (_what, result, code, path, reason) => {
    expect(result).toMatchObject({ ok: false, problem: { code, path } });
    expect(result.ok ? '' : result.problem.detail).toContain(reason);
  });

  it.each([
    ['license.list', { limit: '0' }],
    ['license.list', { limit: '201' }],
    ['license.list', { cursor: 'a b' }],
    ['license.list', { expiresBefore: '2026-02-30T00:00:00.000Z' }],
    ['license.list', { state: 'expired' }],
    ['license.bundle', { trustVersion: '0' }],
  ] as [RouteName, unknown][])('refuses a query of %s outside its bounds: %o', (name, query) => {
    const params = name === 'license.list' ? {} : { id: 'lic_1' };
    expect(readRequest(name, { ...blank, params, query })).toMatchObject({ ok: false });
  });

  it.each([
    ['trust.get', { key: '0' }],
    ['trust.get', { key: '01' }],
    ['trust.get', { key: 'Acme' }],
    ['log.tile', { '*': '../checkpoint' }],
    ['log.tile', { '*': '64/000' }],
    ['log.tile', { '*': '0/1' }],
    ['log.entry', { index: '9007199254740992' }],
    ['log.entry', { index: '-1' }],
  ] as [RouteName, unknown][])('refuses parameters of %s that name nothing: %o', (name, params) => {
    expect(readRequest(name, { ...blank, params })).toMatchObject({ ok: false });
  });

  it('never echoes a value, which may be a secret', () => {
    const key = 'secret key with spaces';
    const result = readRequest('license.issue', { ...blank, body: { plan: 'p', key } });
    expect(JSON.stringify(result)).not.toContain('secret');
  });

  it('carries any reason through a header unchanged', () => {
    const reasons = fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(reasons, (reason) => {
        fc.pre(reason.isWellFormed() && reason.normalize('NFC') === reason && !/\p{Cc}/u.test(reason));
        const header = encodeReason(reason);
        expect(header).toMatch(/^[\x20-\x7e]+$/);
        expect(renew({ headers: { 'tally-reason': header } })).toMatchObject({
          value: { headers: { 'tally-reason': reason } },
        });
      }),
    );
  });

  it('answers whatever arrives with a value or a problem, and throws nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(...routeNames), fc.jsonValue(), fc.jsonValue(), (name, part, body) => {
        const result = readRequest(name, { params: part, query: part, headers: part, body });
        if (!result.ok) expect(result.problem.detail.length).toBeLessThan(2_000);
      }),
    );
  });

  it('survives a body that is nested as deeply as its size allows', () => {
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    expect(create(parsed(`{"code":"a","name":"b","metadata":${deep}}`))).toMatchObject({ ok: false });
    expect(create(parsed(`{"code":"a","name":"b","metadata":{"__proto__":${deep}}}`))).toMatchObject({
      ok: false,
    });
  });
});
