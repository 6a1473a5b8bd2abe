/** The real pages in a real browser, with the virtual authenticator that Chromium has for such tests. */
import { type Browser, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../../../scripts/lib/chromium.ts';
import { ada, LoginRig } from './support/login-rig.ts';

const executablePath = findChromium();

describe.skipIf(executablePath === undefined)('in Chromium', () => {
  let rig: LoginRig;
  let chrome: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    rig = await LoginRig.start([], { isTls: false });
    const args = [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
    ];
    chrome = await chromium.launch({ headless: true, args, ...(executablePath && { executablePath }) });
    page = await chrome.newPage();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
  });
  afterAll(async () => {
    await chrome.close();
    await rig[Symbol.asyncDispose]();
  });

  it('an invitation behind the # leads to a passkey, and the passkey back in, without a word from the content policy', async () => {
    await page.goto(`${rig.origin}/login#${rig.invite(ada)}`);
    await page.waitForURL('**/login/invitation');
    expect(page.url()).not.toContain('#');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.waitForURL('**/login/done');
    expect(rig.directory.credentialsOf(ada.id)).toMatchObject([
      { kind: 'invitation', state: 'revoked' },
      { kind: 'passkey', state: 'active' },
    ]);
    await page.goto(`${rig.origin}/login?return=%2Flogin%2Fdone&passkey`);
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.waitForURL('**/login/done');
    const newest = [...rig.sessions.values()].at(-1);
    expect(newest).toMatchObject({ principal: ada.id, strength: 3, steppedUpAt: newest?.authenticatedAt });
    const cookies = await page.context().cookies();
    expect(cookies.find(({ name }) => name === '__Host-tally-session')).toMatchObject({
      value: newest?.token,
      httpOnly: true,
      secure: true,
      sameSite: 'Strict',
    });
    expect(complaints).toEqual([]);
  });

  it('a form leads a client of the loopback its code, as far as the content policy is concerned', async () => {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'tally-cli',
      redirect_uri: 'http://127.0.0.1:9/callback',
      scope: 'openid',
      state: 's'.repeat(32),
      nonce: 'n'.repeat(32),
      code_challenge: 'c'.repeat(43),
      code_challenge_method: 'S256',
    });
    const { code } = await rig.enroll(ada, 'correct horse battery');
    rig.nextPeriod();
    await page.goto(`${rig.origin}/issuer/authorize?${query.toString()}`);
    await page.getByLabel('Email').fill(ada.email ?? '');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByLabel('Code').fill(code());
    const answered = page.waitForRequest((request) =>
      request.url().startsWith('http://127.0.0.1:9/callback?'),
    );
    await page.getByRole('button', { name: 'Log in with password' }).click();
    expect(new URL((await answered).url()).searchParams.get('code')).toMatch(/^[\w-]{43}$/);
  });
});
