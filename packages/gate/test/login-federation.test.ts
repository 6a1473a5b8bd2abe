/** People of other issuers, and what an issuer or somebody in between may try. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defaultStrengths } from '../src/login/index.ts';
import { Browser } from './support/browser.ts';
import { ForeignIssuer, lies } from './support/foreign-issuer.ts';
import { ada, LoginRig } from './support/login-rig.ts';

let foreign: ForeignIssuer;
let rig: LoginRig;
let browser: Browser;
const honest: { make?: ForeignIssuer['make'] } = {};

beforeAll(async () => {
  foreign = await ForeignIssuer.start();
  honest.make = foreign.make;
  const posture = { id: 'device_id', managed: 'managed', encrypted: 'encrypted' };
  const away = { ...foreign.config, issuer: 'https://localhost:9', name: 'Away' };
  rig = await LoginRig.start([
    { ...foreign.config, strengths: defaultStrengths, posture },
    { ...away, strengths: defaultStrengths, posture: {} },
  ]);
  rig.add('oidc', ada.id, `${foreign.issuer} ada`);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await foreign[Symbol.asyncDispose]();
});
beforeEach(() => {
  browser = new Browser(rig.origin);
  foreign.more = {};
  if (honest.make !== undefined) foreign.make = honest.make;
});

/** As far as the issuer's own page. */
async function toIssuer(path = '/login', issuer = foreign.issuer) {
  await browser.open(path);
  const query = new URLSearchParams({ issuer, csrf: browser.csrf }).toString();
  return browser.get(`/login/oidc?${query}`);
}

async function logIn(path = '/login') {
  const { location } = await toIssuer(path);
  return browser.get(`/login/callback?${foreign.agree(new URL(location ?? '')).toString()}`);
}

const newest = () => [...rig.sessions.values()].at(-1);

describe('another issuer', () => {
  it('is shown on the login page, asked with PKCE, state and nonce, and vouches for who is linked to it', async () => {
    expect((await browser.open('/login')).text).toContain('Continue with Example');
    const { location } = await toIssuer();
    const { searchParams } = new URL(location ?? '');
    expect(Object.fromEntries(searchParams)).toMatchObject({
      client_id: 'tallystick',
      response_type: 'code',
      code_challenge_method: 'S256',
      redirect_uri: `${rig.origin}/login/callback`,
    });
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(searchParams.get(name)).toMatch(/^[\w-]{43}$/);
    const answer = await browser.get(`/login/callback?${foreign.agree(new URL(location ?? '')).toString()}`);
    expect(answer).toMatchObject({ status: 303, location: '/login/done' });
    expect(foreign.asked.get('code_verifier')).toMatch(/^[\w-]{43}$/);
    expect(newest()).toMatchObject({ principal: ada.id, strength: 1, steppedUpAt: null });
  });

  it('says how strongly somebody has shown who it is, and when', async () => {
    const auth_time = Math.floor(Date.now() / 1000) - 60;
    const at = new Date(auth_time * 1000).toISOString();
    const cases = [
      [{ amr: ['pwd', 'mfa'] }, { strength: 2, steppedUpAt: null }],
      [
        { acr: 'phr', auth_time },
        { strength: 3, steppedUpAt: at, authenticatedAt: at },
      ],
      // Nobody knows when the passkey was shown.
      [{ acr: 'phr' }, { strength: 3, steppedUpAt: null }],
      [{ acr: '__proto__', amr: ['constructor', 7] }, { strength: 1 }],
    ] as const;
    for (const [more, expected] of cases) {
      foreign.more = more;
      expect((await logIn()).status).toBe(303);
      expect(newest()).toMatchObject(expected);
    }
  });

  it('speaks of the device in claims that were agreed on, and nothing but true counts', async () => {
    foreign.more = { device_id: 'laptop-7', managed: true, encrypted: 'yes', attested: true };
    await logIn();
    expect(newest()?.device).toEqual({ id: 'laptop-7', managed: true, encrypted: false, attested: false });
  });

  it('a step-up asks for a fresh login, and takes no other and no weaker one', async () => {
    const path = '/login?return=%2F&passkey';
    const { location } = await toIssuer(path);
    expect(new URL(location ?? '').searchParams.get('max_age')).toBe('0');
    const now = Math.floor(Date.now() / 1000);
    const statuses: number[] = [];
    for (const more of [
      {},
      { acr: 'phr' },
      { acr: 'phr', auth_time: now - 3600 },
      { acr: 'mfa', auth_time: now },
    ]) {
      foreign.more = more;
      statuses.push((await logIn(path)).status);
    }
    expect(statuses).toEqual([401, 401, 401, 403]);
    foreign.more = { acr: 'phr', auth_time: now };
    expect((await logIn(path)).status).toBe(303);
  });

  it('vouches for nobody that is not linked to it', async () => {
    foreign.more = { sub: 'stranger', email: ada.email };
    const before = rig.sessions.size;
    const { status, text } = await logIn();
    expect(status).toBe(403);
    expect(text).toContain(`${foreign.issuer} stranger`);
    expect(rig.sessions.size).toBe(before);
  });

  it('that is away is said to be', async () => {
    expect(await toIssuer('/login', 'https://localhost:9')).toMatchObject({ status: 503 });
    expect(await toIssuer('/login', 'https://unknown.example')).toMatchObject({ status: 404 });
  });
});

describe('an ID token', () => {
  it.each(Object.keys(lies))('%s logs nobody in', async (name) => {
    const before = rig.sessions.size;
    foreign.make = lies[name] ?? foreign.make;
    const { status } = await logIn();
    expect(status).toBe(401);
    expect(rig.sessions.size).toBe(before);
  });
});

describe('what the browser brings back', () => {
  it('to another login, with another state, or a second time is refused', async () => {
    const { location } = await toIssuer();
    const answer = foreign.agree(new URL(location ?? ''));
    const other = new Browser(rig.origin);
    await other.open('/login');
    // Login CSRF: the answer to the attacker's login, in the browser of a victim.
    expect((await other.get(`/login/callback?${answer.toString()}`)).status).toBe(403);
    expect((await new Browser(rig.origin).get(`/login/callback?${answer.toString()}`)).status).toBe(403);
    const forged = new URLSearchParams({ ...Object.fromEntries(answer), state: 'x'.repeat(43) });
    expect((await browser.get(`/login/callback?${forged.toString()}`)).status).toBe(401);
    expect((await browser.get(`/login/callback?${answer.toString()}`)).status).toBe(403);
  });

  it('from an issuer other than the one asked (mix-up) is refused', async () => {
    const { location } = await toIssuer();
    const answer = foreign.agree(new URL(location ?? ''));
    answer.set('iss', 'https://other.example');
    expect((await browser.get(`/login/callback?${answer.toString()}`)).status).toBe(401);
  });

  it('a login at an issuer begins on our own page alone', async () => {
    await browser.open('/login');
    const query = new URLSearchParams({ issuer: foreign.issuer, csrf: 'guessed' }).toString();
    expect((await browser.get(`/login/oidc?${query}`)).status).toBe(403);
  });
});
