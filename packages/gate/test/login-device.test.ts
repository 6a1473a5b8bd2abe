/** Logging a terminal in from a browser elsewhere, and what a phisher makes of that. */
import { type Configuration, discovery, initiateDeviceAuthorization, None } from 'openid-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cliClient } from '../src/login/index.ts';
import { Browser } from './support/browser.ts';
import { ada, LoginRig } from './support/login-rig.ts';

const password = 'correct horse battery';
let rig: LoginRig;
let codes: { code: () => string };
let client: Configuration;
let browser: Browser;

beforeAll(async () => {
  rig = await LoginRig.start();
  codes = await rig.enroll(ada, password);
  client = await discovery(new URL(`${rig.origin}/issuer`), cliClient, {}, None());
});
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach(() => {
  rig.nextPeriod();
  browser = new Browser(rig.origin);
});

const logIn = (with_: Browser = browser) =>
  with_.submit('/login/password', { account: ada.email ?? '', password, code: codes.code() });
const token = (form: Record<string, string>): Promise<Response> =>
  fetch(`${rig.origin}/issuer/token`, { method: 'POST', body: new URLSearchParams(form) });
const errorOf = async (response: Response): Promise<unknown> => {
  const { error } = (await response.json()) as { error?: string };
  return error;
};

describe('the device flow', () => {
  const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
  const poll = (device_code: string): Promise<Response> =>
    token({ grant_type: deviceGrant, client_id: cliClient, device_code });
  const begin = () => initiateDeviceAuthorization(client, {});

  async function confirmed(userCode: string, answer: 'agree' | 'refuse', with_: Browser = browser) {
    await with_.open('/login/device');
    expect((await logIn(with_)).location).toBe('/login/device');
    await with_.open('/login/device');
    const shown = await with_.submit('/login/device', { user_code: userCode.toLowerCase() });
    expect(shown.text).toContain('Is this your terminal?');
    return with_.submit('/login/device/confirm', { answer });
  }

  it('logs a terminal in once a person has typed its code and agreed, and only once', async () => {
    const { device_code, user_code, verification_uri, ...rest } = await begin();
    expect(user_code).toMatch(/^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/);
    // A link that has the code in it is a phisher's best friend.
    expect('verification_uri_complete' in rest).toBe(false);
    expect(verification_uri).toBe(`${rig.origin}/login/device`);
    expect(await errorOf(await poll(device_code))).toBe('authorization_pending');
    await confirmed(user_code, 'agree');
    rig.aheadMs += 5000;
    const answer = (await (await poll(device_code)).json()) as { access_token: string };
    expect(answer.access_token).toMatch(/^tally_session_/);
    rig.aheadMs += 5000;
    expect(await errorOf(await poll(device_code))).toBe('expired_token');
  });

  it('whoever is tricked into agreeing with a passkey gives away neither its strength nor a step-up', () => {
    const { devices } = rig.issuer;
    const { deviceCode, userCode } = devices.begin({
      clientId: cliClient,
      address: '192.0.2.7',
      userAgent: '',
    });
    const at = '2026-11-26T06:00:00Z';
    const proven = {
      principal: ada.id,
      credential: 'crd_1',
      strength: 3,
      authenticatedAt: at,
      steppedUpAt: at,
    } as const;
    expect(devices.answer(userCode, { ...proven, device: null })).toBe(true);
    expect(devices.take(deviceCode, cliClient)).toMatchObject({ strength: 2, steppedUpAt: null });
  });

  it('a refusal ends it, and nobody is asked a second time', async () => {
    const { device_code, user_code } = await begin();
    await confirmed(user_code, 'refuse');
    rig.aheadMs += 5000;
    expect(await errorOf(await poll(device_code))).toBe('access_denied');
    expect(rig.issuer.devices.answer(user_code, 'denied')).toBe(false);
  });

  it('an impatient terminal is slowed down, and a code lives five minutes', async () => {
    const { device_code, user_code } = await begin();
    expect(await errorOf(await poll(device_code))).toBe('authorization_pending');
    expect(await errorOf(await poll(device_code))).toBe('slow_down');
    rig.aheadMs += 5000;
    expect(await errorOf(await poll(device_code))).toBe('slow_down');
    rig.aheadMs += 300_000;
    expect(await errorOf(await poll(device_code))).toBe('expired_token');
    expect(rig.issuer.devices.waiting(user_code)).toBeUndefined();
  });

  it('codes are guessed by nobody: one logs in first, and then has five tries', async () => {
    await begin();
    await browser.open('/login/device');
    expect((await browser.submit('/login/device', { user_code: 'BBBB-BBBB' })).status).toBe(403);
    await browser.open('/login/device');
    await logIn();
    await browser.open('/login/device');
    const statuses: number[] = [];
    for (let at = 0; at < 6; at++)
      statuses.push((await browser.submit('/login/device', { user_code: 'BBBB-BBBB' })).status);
    expect(statuses).toEqual([404, 404, 404, 404, 404, 429]);
  });

  it('a login that an attacker began is nothing that it can confirm with', async () => {
    rig.aheadMs += 16 * 60_000;
    const attacker = new Browser(rig.origin);
    await attacker.open('/login/device');
    browser.cookies.set('__Secure-tally_login', attacker.cookies.get('__Secure-tally_login') ?? '');
    await browser.open('/login');
    await logIn();
    const { user_code } = await begin();
    expect((await attacker.submit('/login/device', { user_code })).status).toBe(403);
  });

  it('one address has ten codes open at most', async () => {
    rig.aheadMs += 300_000;
    for (let at = 0; at < 10; at++) await begin();
    const response = await fetch(`${rig.origin}/issuer/device`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: cliClient }),
    });
    expect(response.status).toBe(503);
  });
});
