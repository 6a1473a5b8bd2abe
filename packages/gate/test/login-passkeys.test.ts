/** Passkeys, with an authenticator in software that does what no honest one would do. */
import { type CeremonyOptions, SoftwareAuthenticator } from '@tallystick/testkit/software-authenticator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from './support/browser.ts';
import { ada, bob, LoginRig } from './support/login-rig.ts';

let rig: LoginRig;
beforeAll(async () => {
  rig = await LoginRig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

type Ceremony = Partial<CeremonyOptions>;

/** In a browser, from the invitation to the session. */
async function enroll(authenticator: SoftwareAuthenticator, person = ada, ceremony: Ceremony = {}) {
  const browser = new Browser(rig.origin);
  await browser.open('/login/invitation');
  await browser.submit('/login/invitation', { invitation: rig.invite(person) });
  const options = await browser.script('/login/enroll/passkey/options', {});
  const { challenge, user } = JSON.parse(options.text) as { challenge: string; user: { id: string } };
  expect(Buffer.from(user.id, 'base64url').toString()).toBe(person.id);
  const response = authenticator.register({ origin: rig.origin, rpId: 'localhost', challenge, ...ceremony });
  return { browser, answer: await browser.script('/login/enroll/passkey', response) };
}

async function logIn(authenticator: SoftwareAuthenticator, ceremony: Ceremony = {}, path = '/login') {
  const browser = new Browser(rig.origin);
  await browser.open(path);
  const options = await browser.script('/login/passkey/options', {});
  const { challenge } = JSON.parse(options.text) as { challenge: string };
  const given = { origin: rig.origin, rpId: 'localhost', challenge, userHandle: ada.id, ...ceremony };
  const response = authenticator.assert(given);
  return { browser, response, answer: await browser.script('/login/passkey', response) };
}

describe.each(['es256', 'ed25519'] as const)('a passkey (%s)', (algorithm) => {
  const authenticator = new SoftwareAuthenticator(algorithm);

  it('is made with an invitation, logs in, and counts as a step-up from the assertion on', async () => {
    const enrolled = await enroll(authenticator);
    expect(enrolled.answer).toMatchObject({ status: 200, text: '{"location":"/login/done"}' });
    expect([...rig.sessions.values()].at(-1)).toMatchObject({ strength: 3, steppedUpAt: null });
    const { answer, browser } = await logIn(authenticator, {}, '/login?return=%2F&passkey');
    expect(answer).toMatchObject({ status: 200, text: '{"location":"/"}' });
    expect(browser.cookies.has('__Host-tally-session')).toBe(true);
    const session = [...rig.sessions.values()].at(-1);
    expect(session).toMatchObject({ principal: ada.id, strength: 3 });
    expect(session?.steppedUpAt).toBe(session?.authenticatedAt);
  });

  it.each<[string, Ceremony]>([
    ['of a page elsewhere', { origin: 'https://evil.example' }],
    ['for another domain', { rpId: 'evil.example' }],
    ['without user verification', { userVerified: false }],
    ['for another challenge', { challenge: Buffer.alloc(32).toString('base64url') }],
    ['that registers', { type: 'webauthn.create' }],
    ['whose owner is another person', { userHandle: bob.id }],
    ['that counts no further, as a copy would', { counter: 2 }],
  ])('an assertion %s is refused', async (_, ceremony) => {
    const { answer, browser } = await logIn(authenticator, ceremony);
    expect(answer.status).toBe(401);
    expect(browser.cookies.has('__Host-tally-session')).toBe(false);
  });

  it('an assertion counts once, and only in the login that asked for it', async () => {
    const { response, browser } = await logIn(authenticator, { counter: 1000 });
    expect((await browser.script('/login/passkey', response)).status).toBe(403);
    const other = new Browser(rig.origin);
    await other.open('/login');
    expect((await other.script('/login/passkey', response)).status).toBe(403);
    await other.script('/login/passkey/options', {});
    expect((await other.script('/login/passkey', response)).status).toBe(401);
  });

  it('a wrong answer uses the challenge up', async () => {
    const browser = new Browser(rig.origin);
    await browser.open('/login');
    const { challenge } = JSON.parse((await browser.script('/login/passkey/options', {})).text) as {
      challenge: string;
    };
    const given = { origin: rig.origin, rpId: 'localhost', challenge, userHandle: ada.id, counter: 2000 };
    expect(
      (await browser.script('/login/passkey', authenticator.assert({ ...given, userVerified: false })))
        .status,
    ).toBe(401);
    expect(
      (await browser.script('/login/passkey', authenticator.assert({ ...given, counter: 2001 }))).status,
    ).toBe(403);
  });
});

describe('registering', () => {
  it.each<[string, Ceremony]>([
    ['on a page elsewhere', { origin: 'https://evil.example' }],
    ['for another domain', { rpId: 'evil.example' }],
    ['without user verification', { userVerified: false }],
    ['for another challenge', { challenge: Buffer.alloc(32).toString('base64url') }],
    ['with an assertion', { type: 'webauthn.get' }],
  ])('%s is refused, and the invitation is still good', async (_, ceremony) => {
    const before = [rig.count('passkey'), rig.count('invitation')] as const;
    const { answer } = await enroll(new SoftwareAuthenticator(), bob, ceremony);
    expect(answer.status).toBe(401);
    expect([rig.count('passkey'), rig.count('invitation')]).toEqual([before[0], before[1] + 1]);
  });

  it('a passkey of somebody else a second time is refused', async () => {
    const authenticator = new SoftwareAuthenticator();
    expect((await enroll(authenticator, ada)).answer.status).toBe(200);
    const { answer } = await enroll(authenticator, bob);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('registered already');
  });

  it('needs an invitation, and answers what is no passkey at all with a sentence', async () => {
    const browser = new Browser(rig.origin);
    await browser.open('/login');
    expect((await browser.script('/login/enroll/passkey/options', {})).status).toBe(403);
    await browser.script('/login/passkey/options', {});
    const { status, text } = await browser.script('/login/passkey', { id: 7 });
    expect({ status, text: JSON.parse(text) as unknown }).toMatchObject({
      status: 401,
      text: { code: 'unauthorized', detail: expect.stringContaining('try again') },
    });
  });
});

it('requests of the script from elsewhere, or without its token, are refused', async () => {
  const browser = new Browser(rig.origin);
  await browser.open('/login');
  const path = '/login/passkey/options';
  const wrong = [
    await browser.script(path, {}, { origin: 'https://evil.example' }),
    await browser.script(path, {}, { 'x-tally-csrf': '' }),
    await new Browser(rig.origin).script(path, {}, { 'x-tally-csrf': browser.csrf }),
  ];
  expect(wrong.map(({ status }) => status)).toEqual([403, 403, 403]);
  expect((await browser.script(path, {})).status).toBe(200);
});
