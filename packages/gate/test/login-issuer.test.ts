/** The built-in issuer, with a client that somebody else wrote, and with requests that no client would send. */
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  enableNonRepudiationChecks,
  None,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cliClient } from '../src/login/index.ts';
import { Browser } from './support/browser.ts';
import { ada, bob, eve, LoginRig } from './support/login-rig.ts';

const password = 'correct horse battery';
const redirectUri = 'http://127.0.0.1:49152/callback';
let rig: LoginRig;
let codes: { code: () => string };
let client: Configuration;
let browser: Browser;

beforeAll(async () => {
  rig = await LoginRig.start();
  codes = await rig.enroll(ada, password);
  const metadata = { id_token_signed_response_alg: 'ES256' };
  client = await discovery(new URL(`${rig.origin}/issuer`), cliClient, metadata, None(), {
    execute: [enableNonRepudiationChecks],
  });
});
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach(() => {
  rig.nextPeriod();
  browser = new Browser(rig.origin);
});

/** Answers: what the form leads to. */
const logIn = (with_: Browser = browser) =>
  with_.submit('/login/password', { account: ada.email ?? '', password, code: codes.code() });

async function requested(more: Record<string, string> = {}) {
  const verifier = randomPKCECodeVerifier();
  const [state, nonce] = [randomState(), randomState()];
  const url = buildAuthorizationUrl(client, {
    redirect_uri: redirectUri,
    scope: 'openid',
    state,
    nonce,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  });
  return { verifier, state, nonce, path: url.pathname + url.search };
}

const token = (form: Record<string, string>): Promise<Response> =>
  fetch(`${rig.origin}/issuer/token`, { method: 'POST', body: new URLSearchParams(form) });
const errorOf = async (response: Response): Promise<unknown> => {
  const { error } = (await response.json()) as { error?: string };
  return error;
};

async function codeFor(): Promise<{ code: string; verifier: string }> {
  const { path, verifier } = await requested();
  await browser.open(path);
  const { location } = await logIn();
  return { code: new URL(location ?? '').searchParams.get('code') ?? '', verifier };
}

describe('the authorization code flow', () => {
  it('gives a session and an ID token that a client of others accepts', async () => {
    const { path, verifier, state, nonce } = await requested();
    const shown = await browser.open(path);
    expect(shown.text).toContain('Log in with password and code');
    const { status, location } = await logIn();
    expect(status).toBe(303);
    const tokens = await authorizationCodeGrant(client, new URL(location ?? ''), {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    expect(claims).toMatchObject({ sub: ada.id, acr: 'mfa' });
    expect(rig.sessions.get(claims?.['sid'] as string)).toMatchObject({
      token: tokens.access_token,
      principal: ada.id,
      strength: 2,
      steppedUpAt: null,
      ended: false,
    });
  });

  it('a code that comes twice is refused, and ends the session that came of it', async () => {
    const { code, verifier } = await codeFor();
    const form = {
      grant_type: 'authorization_code',
      client_id: cliClient,
      redirect_uri: redirectUri,
      code,
      code_verifier: verifier,
    };
    const { access_token } = (await (await token(form)).json()) as { access_token: string };
    const session = [...rig.sessions.values()].find((each) => each.token === access_token);
    expect(session?.ended).toBe(false);
    expect(await errorOf(await token(form))).toBe('invalid_grant');
    expect(session?.ended).toBe(true);
  });

  it('a code that comes twice at the same moment leaves no session', async () => {
    const { code, verifier } = await codeFor();
    const before = rig.sessions.size;
    const form = {
      grant_type: 'authorization_code',
      client_id: cliClient,
      redirect_uri: redirectUri,
      code,
      code_verifier: verifier,
    };
    await Promise.all([token(form), token(form)]);
    const begun = [...rig.sessions.values()].slice(before);
    expect(begun.map(({ ended }) => ended)).toEqual([true]);
  });

  it.each([
    ['another verifier', { code_verifier: randomPKCECodeVerifier() }],
    ['no verifier', { code_verifier: '' }],
    ['another redirect address', { redirect_uri: 'http://127.0.0.1:49153/callback' }],
    ['another client', { client_id: 'someone' }],
  ])('a code with %s is worth nothing, and then nothing at all', async (_, wrong) => {
    const { code, verifier } = await codeFor();
    const form = {
      grant_type: 'authorization_code',
      client_id: cliClient,
      redirect_uri: redirectUri,
      code,
      code_verifier: verifier,
    };
    const error = await errorOf(await token({ ...form, ...wrong }));
    expect(error).toBe('client_id' in wrong ? 'invalid_client' : 'invalid_grant');
    if (!('client_id' in wrong)) expect(await errorOf(await token(form))).toBe('invalid_grant');
  });

  it('a code is older than a minute at some time, and the login page than ten', async () => {
    const { code, verifier } = await codeFor();
    rig.aheadMs += 61_000;
    const form = { grant_type: 'authorization_code', client_id: cliClient, redirect_uri: redirectUri, code };
    expect(await errorOf(await token({ ...form, code_verifier: verifier }))).toBe('invalid_grant');
    await browser.open((await requested()).path);
    rig.aheadMs += 600_000;
    expect((await logIn()).status).toBe(403);
  });

  it.each([
    ['no PKCE', { code_challenge: '' }],
    ['plain PKCE', { code_challenge_method: 'plain' }],
    ['a challenge that is too short', { code_challenge: 'abc' }],
    ['no state', { state: '' }],
    ['no nonce', { nonce: '' }],
    ['a token at once', { response_type: 'token' }],
    ['another response mode', { response_mode: 'form_post' }],
    ['a request object', { request: 'eyJhbGciOiJub25lIn0.e30.' }],
    ['no openid', { scope: 'profile' }],
  ])('a request with %s is sent back with an error, and no login begins', async (_, wrong) => {
    const { path } = await requested(wrong);
    const { location, status } = await browser.get(path);
    expect(status).toBe(303);
    expect(new URL(location ?? '').origin).toBe('http://127.0.0.1:49152');
    expect(new URL(location ?? '').searchParams.get('error')).toMatch(/^(invalid|unsupported)_/);
    expect(browser.cookies.size).toBe(0);
  });

  it.each([
    'https://evil.example/callback',
    'http://127.0.0.1.evil.example:80/callback',
    'http://127.0.0.1@evil.example:80/callback',
    'http://127.0.0.1:49152/callback#fragment',
    'http://127.0.0.1:49152/other',
    'http://localhost:49152/callback',
    'javascript:alert(1)',
  ])('nothing is ever sent to %s', async (wrong) => {
    const { path } = await requested({ redirect_uri: wrong });
    const { location, status } = await browser.get(path);
    expect({ location, status }).toEqual({ location: null, status: 400 });
  });

  it('a parameter that stands twice is refused', async () => {
    const { path } = await requested();
    const { location } = await browser.get(`${path}&code_challenge_method=plain`);
    expect(new URL(location ?? '').searchParams.get('error')).toBe('invalid_request');
    const twice = await browser.get(`${path}&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback`);
    expect(twice.status).toBe(400);
  });

  it('where a passkey is asked for, password and code do not do', async () => {
    const { path } = await requested({ acr_values: 'phr' });
    const shown = await browser.open(path);
    expect(shown.text).not.toContain('name="password"');
    const { status, location } = await logIn();
    expect({ status, location }).toEqual({ status: 403, location: null });
  });
});

describe('the pages', () => {
  it('forms from elsewhere, without the token or with another login’s are refused', async () => {
    await browser.open('/login');
    const fields = { account: ada.id, password, code: codes.code() };
    const other = new Browser(rig.origin);
    await other.open('/login');
    const wrong = [
      await browser.submit('/login/password', fields, { origin: 'https://evil.example' }),
      await browser.submit('/login/password', fields, { origin: 'null' }),
      await browser.submit('/login/password', fields, { 'sec-fetch-site': 'cross-site' }),
      await browser.submit('/login/password', { ...fields, csrf: '' }),
      await browser.submit('/login/password', { ...fields, csrf: other.csrf }),
      await new Browser(rig.origin).submit('/login/password', { ...fields, csrf: browser.csrf }),
    ];
    expect(wrong.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 403]);
    expect((await browser.submit('/login/password', fields)).status).toBe(303);
  });

  it('a session is drawn anew at each login, and the cookie of the login is worth nothing afterwards', async () => {
    // The attacker begins a login and plants its cookie in the browser of a victim.
    const attacker = new Browser(rig.origin);
    await attacker.open('/login');
    const planted = attacker.cookies.get('__Secure-tally_login') ?? '';
    browser.cookies.set('__Secure-tally_login', planted);
    browser.cookies.set('__Host-tally-session', 'planted');
    await browser.open('/login');
    expect((await logIn()).status).toBe(303);
    expect(browser.cookies.get('__Host-tally-session')).toMatch(/^tally_session_[0-9a-f]{32}$/);
    // Nothing of the victim's login is the attacker's.
    expect((await attacker.get('/login')).location).toBe('/login');
    expect(attacker.cookies.has('__Host-tally-session')).toBe(false);
  });

  it('lead nowhere else after the login', async () => {
    for (const to of [
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
      '/\t/evil.example',
    ]) {
      rig.nextPeriod();
      const visitor = new Browser(rig.origin);
      await visitor.open(`/login?return=${encodeURIComponent(to)}`);
      const { location } = await logIn(visitor);
      expect(new URL(location ?? '', rig.origin).origin).toBe(rig.origin);
    }
    rig.nextPeriod();
    await browser.open('/login?return=%2Fconsole%2F%3Fa%3D1');
    expect((await logIn()).location).toBe('/console/?a=1');
    rig.nextPeriod();
    const stranger = new Browser(rig.origin);
    await stranger.open(`/login?return=/${'a'.repeat(10_000)}`);
    expect((await logIn(stranger)).location).toBe('/login/done');
  });

  it('are under one name alone, load nothing from elsewhere, and are in no frame and no cache', async () => {
    const { port } = new URL(rig.origin);
    const byAddress = await fetch(`https://127.0.0.1:${port}/login?a=1`, { redirect: 'manual' }).catch(
      () => null,
    );
    if (byAddress !== null) {
      expect(byAddress.status).toBe(308);
      expect(byAddress.headers.get('location')).toBe(`${rig.origin}/login?a=1`);
    }
    const { headers } = await browser.open('/login');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(headers.get('cache-control')).toBe('no-store');
    const cookie = (await browser.get('/login?return=/')).headers.get('set-cookie');
    expect(cookie).toMatch(
      /^__Secure-tally_login=[\w-]{43}; Path=\/login; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
    );
  });

  it('show what people typed and what they are called as text', async () => {
    const invitation = rig.invite(eve);
    await browser.open('/login/invitation');
    const shown = await browser.submit('/login/invitation', { invitation });
    expect(shown.text).toContain('&lt;script&gt;');
    expect(shown.text).not.toContain(eve.name);
  });

  it('an invitation leads to password and code, and straight in', async () => {
    const { TOTP, Secret } = await import('otpauth');
    const invitation = rig.invite(bob);
    await browser.open('/login/invitation');
    const shown = await browser.submit('/login/invitation', { invitation });
    const seed = /id="seed">([A-Z2-7]+)</.exec(shown.text)?.[1] ?? '';
    const totp = new TOTP({ secret: Secret.fromBase32(seed) });
    const wrong = await browser.submit('/login/enroll', { password: 'short', code: '123' });
    expect(wrong.status).toBe(400);
    expect(wrong.text).toContain('the code does not fit');
    const code = totp.generate({ timestamp: rig.now() });
    const { status } = await browser.submit('/login/enroll', { password: 'bobs long password', code });
    expect(status).toBe(303);
    expect(browser.cookies.get('__Host-tally-session')).toBeDefined();
    expect((await new Browser(rig.origin).open('/login')).status).toBe(200);
    const again = new Browser(rig.origin);
    await again.open('/login/invitation');
    expect((await again.submit('/login/invitation', { invitation })).text).toContain('invitation was used');
  });
});

it('the ID token is signed by a key that no other run has', async () => {
  const { keys } = (await (await fetch(`${rig.origin}/issuer/jwks`)).json()) as { keys: object[] };
  expect(keys).toHaveLength(1);
  expect(Object.keys(keys[0] ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  await using other = await LoginRig.start();
  expect(other.issuer.jwks()).not.toEqual({ keys });
});
