import { createHmac, createSecretKey } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { HttpMessage } from '../src/http-signature/index.ts';
import { type Authentication, devicePostureText, type RequestParts } from '../src/index.ts';
import { certificate } from './support/certificates.ts';
import { newWorld, removeWorlds, requestOf, type World } from './support/people.ts';
import { body, newSigningKey, nowMs, signed } from './support/request.ts';

afterAll(removeWorlds);

const key = newSigningKey();
const spiffeId = 'spiffe://vendor.example/billing';
const host = '127.0.0.1:4401';
let world: World;
let apiKey: string;
let partnerKey: string;

beforeEach(() => {
  world = newWorld();
  const { people } = world;
  people.addPrincipal('prn_service', 'service');
  people.addPrincipal('prn_partner', 'partner');
  people.addPrincipal('prn_person', 'person');
  apiKey = people.addApiKey('crd_key', 'prn_service');
  partnerKey = people.addApiKey('crd_partner', 'prn_partner', 'partner');
  people.addSigningKey('crd_signing', 'prn_service', key);
  people.add('crd_passkey', 'prn_person', { kind: 'passkey', lookup: 'pk' });
});

const ask = (given: Parameters<typeof requestOf>[0]): Promise<Authentication> =>
  world.authenticator.authenticate(requestOf(given));
const withToken = (token: string, given: Partial<RequestParts> = {}): Promise<Authentication> =>
  ask({ headers: { host, authorization: `Bearer ${token}` }, ...given });
const signedNow = (given: Partial<HttpMessage> = {}, by = key): HttpMessage =>
  signed(by, given, body, { nowMs: world.clock.ms, nonce: crypto.randomUUID() });
const sendSigned = (message: HttpMessage, given: Partial<RequestParts> = {}): Promise<Authentication> =>
  ask({ message, body, isMutation: true, ...given });

function refusal(answer: Authentication): string {
  if (answer.ok) throw new Error(`let in: ${JSON.stringify(answer.caller)}`);
  return answer.refusal.code;
}

describe('an API key', () => {
  test('names its owner, and what is known of the request', async () => {
    const answer = await withToken(apiKey, {
      headers: { host, authorization: `bearer ${apiKey}`, 'tally-purpose': 'support' },
    });
    expect(answer).toEqual({
      ok: true,
      caller: {
        principal: 'prn_service',
        kind: 'service',
        credential: 'crd_key',
        session: null,
        strength: 1,
        authenticatedAt: new Date(world.clock.ms).toISOString(),
        steppedUpAt: null,
        address: '192.0.2.7',
        networks: ['office'],
        device: null,
        signed: null,
        purpose: 'support',
      },
    });
    expect(world.sessions.lastUseOf('crd_key')).toMatchObject({ address: '192.0.2.7' });
  });

  test.each<[string, () => void]>([
    ['was revoked', () => world.people.change('crd_key', { state: 'revoked' })],
    [
      'has expired',
      () => world.people.change('crd_key', { notAfter: new Date(world.clock.ms).toISOString() }),
    ],
    ['is for another network', () => scopeTo('203.0.113.0/24')],
    ['is for a network that is none', () => scopeTo('999/8')],
    ['has a disabled owner', () => world.people.disable('prn_service')],
    ['goes to an owner who is not there', () => world.people.change('crd_key', { principal: 'prn_gone' })],
  ])('that %s is answered like one that never was', async (how, change) => {
    expect((await withToken(apiKey)).ok).toBe(true);
    change();
    const stranger = newWorld().people.addApiKey('crd_x', 'prn_x');
    const [ended, unknown] = [await withToken(apiKey), await withToken(stranger)];
    expect(refusal(ended)).toBe('unauthorized');
    const shown = (answer: Authentication): unknown =>
      !answer.ok && [answer.refusal.code, answer.refusal.detail];
    expect(shown(ended)).toEqual(shown(unknown));
    const known = (answer: Authentication): unknown => !answer.ok && answer.refusal.credential;
    // What was revoked is found under its lookup no more.
    expect([known(ended), known(unknown)]).toEqual([how === 'was revoked' ? null : 'crd_key', null]);
  });

  const scopeTo = (range: string): void =>
    world.people.change('crd_key', { scope: { actions: null, products: null, networks: [range] } });

  test('of its networks counts there, and not by a header', async () => {
    scopeTo('203.0.113.0/24');
    expect((await withToken(apiKey, { socketAddress: '203.0.113.9' })).ok).toBe(true);
    const headers = { host, authorization: `Bearer ${apiKey}`, 'x-forwarded-for': '203.0.113.9' };
    expect(refusal(await ask({ headers }))).toBe('unauthorized');
    expect((await ask({ headers, socketAddress: '10.0.0.1' })).ok).toBe(true);
  });

  test('of one kind does not serve an owner of another', async () => {
    const wrong = world.people.addApiKey('crd_wrong', 'prn_partner', 'api');
    expect(refusal(await withToken(wrong))).toBe('unauthorized');
  });

  test.each(['tally_api_x', '', 'bootstrap-tokem', 'a b', 'x'.repeat(600)])('"%s" is none', async (token) => {
    expect(refusal(await withToken(token))).toBe('unauthorized');
  });

  test('the tokens of the folder keep their names', async () => {
    expect(await withToken('bootstrap-token')).toMatchObject({
      caller: { principal: 'bootstrap', kind: 'bootstrap', credential: 'bootstrap' },
    });
  });

  test('of a partner only reads', async () => {
    expect((await withToken(partnerKey)).ok).toBe(true);
    expect(refusal(await withToken(partnerKey, { isMutation: true }))).toBe('signature_required');
  });
});

describe('a signed request', () => {
  test('names the owner of the key, and is kept as evidence', async () => {
    const answer = await sendSigned(signedNow());
    expect(answer).toMatchObject({
      caller: { credential: 'crd_signing', strength: 2, signed: { alg: 'ed25519' } },
    });
  });

  test('is refused when it comes again, and taken when it is signed again', async () => {
    const once = signedNow();
    expect((await sendSigned(once)).ok).toBe(true);
    expect(await sendSigned(once)).toMatchObject({
      refusal: { code: 'unauthorized', detail: 'this signed request was used before: sign it anew' },
    });
    expect((await sendSigned(signedNow())).ok).toBe(true);
  });

  test('is not taken by another system behind the same name that knows the key, too', async () => {
    const staging = newWorld(undefined, Buffer.alloc(32, 1).toString('base64'));
    staging.people.addPrincipal('prn_service', 'service');
    staging.people.addSigningKey('crd_signing', 'prn_service', key);
    const once = signedNow();
    const carried = await staging.authenticator.authenticate(
      requestOf({ message: once, body, isMutation: true }),
    );
    staging.stop();
    expect(carried).toMatchObject({
      refusal: { code: 'unauthorized', detail: 'the request was signed for another system' },
    });
    expect((await sendSigned(once)).ok).toBe(true);
  });

  test('is taken once of many at the same time', async () => {
    const once = signedNow();
    const answers = await Promise.all(Array.from({ length: 20 }, () => sendSigned(once)));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
  });

  test('cannot come back after the server was killed and started', async () => {
    // The client's clock is ahead as far as it may be.
    const once = signed(key, {}, body, { nowMs: world.clock.ms + 5_000, nonce: 'n'.repeat(20) });
    expect((await sendSigned(once)).ok).toBe(true);
    world = world.restart();
    const codes: string[] = [];
    for (const end = world.clock.ms + 310_000; world.clock.ms < end; world.clock.ms += 1_000) {
      codes.push(refusal(await sendSigned(once)));
    }
    expect(codes.slice(0, 8)).toEqual([...Array(8).fill('overloaded')]);
    expect(new Set(codes.slice(8))).toEqual(new Set(['unauthorized']));
    expect((await sendSigned(signedNow())).ok).toBe(true);
  });

  test('is taken right after a start, where none was taken before', async () => {
    world = world.restart();
    expect((await sendSigned(signedNow())).ok).toBe(true);
  });

  test('that was signed long before the start is refused for good', async () => {
    const once = signedNow();
    expect((await sendSigned(once)).ok).toBe(true);
    world.clock.ms += 10_000;
    world = world.restart();
    expect(refusal(await sendSigned(once))).toBe('unauthorized');
    expect((await sendSigned(signedNow())).ok).toBe(true);
  });

  test('is not taken where that cannot be kept', async () => {
    world.stop();
    await expect(sendSigned(signedNow())).rejects.toThrow();
  });

  test('under a key that was revoked, or of a stranger, tells nothing', async () => {
    world.people.change('crd_signing', { state: 'revoked' });
    expect(await sendSigned(signedNow())).toMatchObject({ refusal: { code: 'unauthorized', detail: null } });
    expect(await sendSigned(signedNow({}, newSigningKey()))).toMatchObject({ refusal: { detail: null } });
  });

  test('a key of one algorithm is none of another, whatever the credential says of it', async () => {
    const { material } = world.people.directory.credential('crd_signing') ?? { material: {} };
    world.people.change('crd_signing', { material: { ...material, alg: 'ecdsa-p256-sha256' } });
    expect(refusal(await sendSigned(signedNow()))).toBe('unauthorized');
    world.people.change('crd_signing', { material: { ...material, alg: 'hmac-sha256' } });
    expect(refusal(await sendSigned(signedNow()))).toBe('unauthorized');
    // Another key under this key's name, which signs under that name as well.
    const other = newSigningKey();
    const raw = Buffer.from(other.publicKey.key).toString('base64');
    world.people.change('crd_signing', { material: { alg: 'ed25519', key: raw } });
    const named = { ...other, publicKey: key.publicKey };
    expect(refusal(await sendSigned(signedNow({}, named)))).toBe('unauthorized');
  });

  test('is seen through a proxy that ends TLS as its sender saw it', async () => {
    const headers = { ...signedNow().headers };
    const message = signedNow({
      scheme: 'https',
      authority: 'licenses.example:443',
      headers: { ...headers },
    });
    const sent = {
      ...message,
      headers: { ...message.headers, host: 'licenses.example', 'x-forwarded-proto': 'https' },
    };
    const forwarded = { ...sent.headers, 'x-forwarded-for': '192.0.2.9' };
    expect((await sendSigned({ ...sent, headers: forwarded }, { socketAddress: '10.0.0.1' })).ok).toBe(true);
  });
});

describe('a certificate', () => {
  beforeEach(() => {
    world.people.add('crd_spiffe', 'prn_service', { kind: 'spiffe', lookup: spiffeId });
    world.clock.ms = Date.UTC(2027, 0, 1);
  });

  test('names the owner of its SPIFFE id', async () => {
    expect(await ask({ certificate: certificate('good') })).toMatchObject({
      caller: { principal: 'prn_service', credential: 'crd_spiffe', strength: 2 },
    });
  });

  test('of a workload that nobody registered is refused, and one without an id says nothing', async () => {
    world.people.change('crd_spiffe', { state: 'revoked' });
    expect(refusal(await ask({ certificate: certificate('good') }))).toBe('unauthorized');
    expect(await ask({ certificate: certificate('noUri') })).toEqual({ ok: true, caller: null });
  });

  test('goes with a signature of the same principal, and of no other', async () => {
    world.clock.ms = nowMs;
    const good = { certificate: certificate('good') };
    expect(await sendSigned(signedNow(), good)).toMatchObject({ caller: { credential: 'crd_signing' } });
    const other = newSigningKey();
    world.people.addSigningKey('crd_other', 'prn_partner', other);
    expect(refusal(await sendSigned(signedNow({}, other), good))).toBe('malformed_request');
  });

  test('of a proxy is nobody, and does not stand in the way of who comes through', async () => {
    const proxied = { certificate: certificate('good'), socketAddress: '10.0.0.2' };
    const headers = { host, authorization: `Bearer ${apiKey}`, 'x-forwarded-for': '192.0.2.9' };
    expect(await ask({ ...proxied, headers })).toMatchObject({ caller: { credential: 'crd_key' } });
    expect(await ask({ ...proxied, headers: { host } })).toEqual({ ok: true, caller: null });
  });
});

describe('two credentials at once', () => {
  const begin = (): string =>
    world.sessions.begin({
      principal: 'prn_person',
      credential: 'crd_passkey',
      strength: 3,
      authenticatedAt: new Date(world.clock.ms).toISOString(),
      steppedUpAt: null,
      address: '192.0.2.7',
      userAgent: '',
      device: null,
    }).token;

  test.each<[string, () => Partial<RequestParts>]>([
    ['a key and a cookie', () => ({ headers: { authorization: `Bearer ${apiKey}`, cookie: cookie() } })],
    [
      'a key and a signature',
      () => ({ headers: { ...signedNow().headers, authorization: `Bearer ${apiKey}` } }),
    ],
    ['a cookie and a signature', () => ({ headers: { ...signedNow().headers, cookie: cookie() } })],
    ['two session cookies', () => ({ headers: { cookie: `${cookie()}; ${cookie()}` } })],
    [
      'a key and a registered certificate',
      () => {
        world.people.add('crd_spiffe', 'prn_service', { kind: 'spiffe', lookup: spiffeId });
        return { headers: { authorization: `Bearer ${apiKey}` }, certificate: certificate('good') };
      },
    ],
  ])('%s', async (_, given) => {
    expect(refusal(await ask(given()))).toBe('malformed_request');
  });

  const cookie = (): string => `__Host-tally-session=${begin()}`;
});

describe('the device', () => {
  const managed = { id: null, managed: true, encrypted: true, attested: true };
  const bare = (): string => `managed=?1, encrypted=?1, attested=?1, at=${world.clock.ms / 1000}`;
  const headers = (device: string): Record<string, string> => ({
    host,
    authorization: `Bearer ${apiKey}`,
    'tally-device': device,
  });
  const sealed = (): string => {
    const request = { method: 'GET', target: '/v1/licenses', credential: `Bearer ${apiKey}` };
    const text = devicePostureText(managed, world.clock.ms / 1000, request);
    const mac = createHmac('sha256', createSecretKey(Buffer.alloc(32, 3)))
      .update(text)
      .digest('base64');
    return `${bare()}, mac=:${mac}:`;
  };
  const fromProxy = { socketAddress: '10.0.0.1' };
  const forwarded = { 'x-forwarded-for': '192.0.2.9' };

  test('is what a proxy vouches for', async () => {
    const whole = { ...headers(sealed()), ...forwarded };
    expect(await ask({ headers: whole, ...fromProxy })).toMatchObject({ caller: { device: managed } });
    const certified = { certificate: certificate('good'), socketAddress: '10.0.0.2' };
    const mutual = { ...headers(bare()), ...forwarded };
    expect(await ask({ headers: mutual, ...certified })).toMatchObject({ caller: { device: managed } });
  });

  test.each<[string, () => Partial<RequestParts>]>([
    ['a header of the caller', () => ({ headers: headers(bare()) })],
    ['a header with the MAC, past the proxy', () => ({ headers: headers(sealed()) })],
    [
      'a bare header through the proxy',
      () => ({ headers: { ...headers(bare()), ...forwarded }, ...fromProxy }),
    ],
    [
      'a bare header from the address of a proxy with a certificate',
      () => ({
        headers: { ...headers(bare()), ...forwarded },
        socketAddress: '10.0.0.2',
      }),
    ],
    [
      'the certificate of the proxy from elsewhere',
      () => ({
        headers: headers(bare()),
        certificate: certificate('good'),
      }),
    ],
  ])('is not what %s says', async (_, given) => {
    expect(await ask(given())).toMatchObject({ caller: { credential: 'crd_key', device: null } });
  });
});

test('nothing shown is nobody', async () => {
  expect(await ask({})).toEqual({ ok: true, caller: null });
});

test.each(['Support', 'x y', '{"a":1}', 'a'.repeat(65), 'a\nb'])('"%s" is no purpose', async (purpose) => {
  expect(refusal(await ask({ headers: { host, 'tally-purpose': purpose } }))).toBe('malformed_request');
});

test('a key of another system is none here', async () => {
  const other = newWorld();
  other.people.addPrincipal('prn_service', 'service');
  expect(refusal(await withToken(other.people.addApiKey('crd_key2', 'prn_service')))).toBe('unauthorized');
});
