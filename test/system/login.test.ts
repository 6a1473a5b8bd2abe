/** People at a running server: from the token of `tally init` to an administrator, and what a thief makes of each piece. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { type Inviting, invite, inviteAgain, must, Person } from './support/person.ts';
import { type Answer, RealSystem } from './support/real-system.ts';

let system: RealSystem;
let ada: Person;
let token: string;

const as =
  (bearer: string): ((...request: Parameters<Inviting>) => Promise<Answer>) =>
  (method, path, body) =>
    system.admin(method, path, body, { authorization: `Bearer ${bearer}`, 'tally-reason': 'test' });
const codeOf = ({ json }: Answer): unknown => (json as { code?: string }).code;
const whoAmI = (bearer: string) => as(bearer)('GET', '/v1/sessions/current');

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  const invited = await invite((...request) => system.admin(...request), {
    name: 'Ada Byron',
    email: 'ada@example.com',
    roles: ['administrator'],
  });
  const enrolled = await Person.enroll(system, invited, 'correct horse battery');
  ada = enrolled.person;
  token = enrolled.session.token;
});
afterAll(() => system[Symbol.asyncDispose]());

describe('the first administrator', () => {
  it('is in, and the token of tally init is worth nothing from then on', async () => {
    const me = await must(whoAmI(token));
    expect(me.json).toMatchObject({
      principal: ada.principal,
      kind: 'person',
      strength: 2,
      session: expect.stringMatching(/^ses_/),
    });
    expect(await system.admin('GET', '/v1/products')).toMatchObject({ status: 401 });
  });

  it('administers by password and code while nobody else reaches the listener, and has to say why', async () => {
    const made = await as(token)('POST', '/v1/principals', {
      kind: 'person',
      name: 'Bob',
      email: 'bob@example.com',
    });
    expect(made.status).toBe(201);
    const silent = await system.admin(
      'POST',
      '/v1/principals',
      { kind: 'person', name: 'Eve' },
      { authorization: `Bearer ${token}` },
    );
    expect(codeOf(silent)).toBe('reason_required');
  });

  it('is on the record of the log with the invitation and the credential that it became', async () => {
    const page = (await must(as(token)('GET', '/v1/credentials'))).json as {
      items: { document: { id: string; kind: string; state: string; principal: string } }[];
    };
    const own = page.items
      .map(({ document }) => document)
      .filter(({ principal }) => principal === ada.principal);
    expect(own.map(({ kind, state }) => `${kind} ${state}`).toSorted()).toEqual([
      'invitation revoked',
      'password active',
    ]);
    const text = JSON.stringify(page);
    for (const secret of ['scrypt', 'seed', 'hash']) expect(text).not.toContain(`"${secret}"`);
    const password = own.find(({ kind }) => kind === 'password');
    const history = (await must(as(token)('GET', `/v1/credentials/${password?.id}/history`))).json as {
      items: { cause: { who: string; why: string } }[];
    };
    expect(history.items[0]?.cause).toMatchObject({
      who: `person:${ada.principal}`,
      why: expect.stringMatching(/^invitation crd_/),
    });
  });
});

describe('an invitation', () => {
  it('is good once, also for several at the same moment, and enrolls again', async () => {
    const invitation = await inviteAgain(as(token), ada.principal);
    const invited = { principal: ada.principal, invitation };
    const all = await Promise.allSettled(
      ['first long password', 'second long password', 'third long password'].map((password) =>
        Person.enroll(system, invited, password),
      ),
    );
    const [won, ...others] = all.filter((each) => each.status === 'fulfilled');
    expect(others).toEqual([]);
    // What it replaces has ended, and the sessions that were begun with it.
    expect(await whoAmI(token)).toMatchObject({ status: 401 });
    ada = won?.value.person ?? ada;
    token = won?.value.session.token ?? '';
    expect((await whoAmI(token)).status).toBe(200);
  });

  it('opens nothing else, is no credential of a request, and cannot be made of an API key', async () => {
    const invitation = await inviteAgain(as(token), ada.principal);
    expect((await as(invitation)('GET', '/v1/products')).status).toBe(401);
    const { status } = await system.admin('POST', '/v1/enrollment', { invitation: token });
    expect(status).toBe(401);
    expect((await system.admin('POST', '/v1/enrollment', { invitation })).status).toBe(200);
  });

  it('without an end, and a passkey or password for somebody else, are refused', async () => {
    const base = { principal: ada.principal, name: 'x', lookup: Buffer.alloc(32).toString('base64') };
    for (const kind of ['invitation', 'passkey', 'password', 'totp']) {
      const answer = await as(token)('POST', '/v1/credentials', { ...base, kind });
      expect([kind, codeOf(answer)]).toEqual([kind, 'input_invalid']);
    }
  });
});

it('the pages have their own headers, under the name that passkeys are for', async () => {
  const { page } = (await must(system.admin('GET', '/v1/login'))).json as { page: string };
  const shown = await fetch(page, { redirect: 'manual' });
  const cookie = shown.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const { headers, status } = await fetch(page, { headers: { cookie } });
  expect(status).toBe(200);
  expect(headers.get('referrer-policy')).toBe('same-origin');
  expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
  const elsewhere = await fetch(page.replace('localhost', '127.0.0.1'), { redirect: 'manual' });
  expect(elsewhere.headers.get('location')).toBe(page);
});

describe('a thief', () => {
  it('of a code that was used, or of a password alone, gets nothing', async () => {
    const code = await ada.code();
    const body = { account: ada.principal, password: ada.password, code };
    expect((await system.admin('POST', '/v1/login', body)).status).toBe(200);
    expect(codeOf(await system.admin('POST', '/v1/login', body))).toBe('unauthorized');
    expect(codeOf(await system.admin('POST', '/v1/login', { ...body, code: '000000' }))).toBe('unauthorized');
  });

  it('of a session whose step-up is old makes neither a credential nor an invitation', async () => {
    // Logged in by a terminal elsewhere, which proves nobody's presence.
    const invitation = await inviteAgain(as(token), ada.principal);
    const again = await Person.enroll(system, { principal: ada.principal, invitation }, 'one more password');
    ada = again.person;
    token = again.session.token;
    const { token: session } = await deviceSession(ada);
    expect((await whoAmI(session)).json).toMatchObject({ strength: 2, steppedUpAt: null });
    const base = { principal: ada.principal, name: 'x', lookup: Buffer.alloc(32, 1).toString('base64') };
    for (const more of [
      { kind: 'invitation', notAfter: new Date(Date.now() + 60_000).toISOString() },
      { kind: 'api_key' },
    ]) {
      const answer = await as(session)('POST', '/v1/credentials', { ...base, ...more });
      expect([more.kind, codeOf(answer)]).toEqual([more.kind, 'insufficient_user_authentication']);
      expect(answer.headers.get('www-authenticate')).toBe(
        'Bearer error="insufficient_user_authentication", max_age=300',
      );
    }
  });
});

describe('at the command line', () => {
  const operator = (): Operator => new Operator(system);
  let page = '';
  const complaints: unknown[] = [];
  let lastUsed: Person;

  it('somebody invites, somebody else enrolls at the terminal and is logged in, and out again', async () => {
    const administrator = operator();
    administrator.ask = async (question) => (question.startsWith('Code') ? ada.code() : ada.password);
    await administrator.must('login', '--password', '--account', ada.principal);
    const bob = await must(
      as(token)('POST', '/v1/principals', {
        kind: 'person',
        name: 'Bob Stone',
        email: 'bob.stone@example.com',
        roles: [{ role: 'product-owner' }],
      }),
    );
    const principal = (bob.json as { document: { id: string } }).document.id;
    const made = await administrator.must<{ invitation: string; page: string }>(
      'invite',
      principal,
      '--reason',
      'hired',
    );
    expect(made.page).toMatch(/^http:\/\/localhost:\d+\/login\/invitation#tally_invite_/);
    const bobs = operator();
    const offer = await must(system.admin('POST', '/v1/enrollment', { invitation: made.invitation }));
    const seed = (offer.json as { secret: string }).secret;
    lastUsed = Person.ofSeed(system, principal, 'bobs long password', seed);
    bobs.ask = async (question) => (question.startsWith('Code') ? lastUsed.code() : 'bobs long password');
    const enrolled = await bobs.must<{ principal: string }>('enroll', made.invitation);
    expect(enrolled).toMatchObject({ principal, name: 'Bob Stone', strength: 2 });
    const file = join(system.layout.root, 'session.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await bobs.must('product', 'create', '--code', 'editor', '--name', 'Editor', '--reason', 'new');
    await bobs.must('logout');
    expect(existsSync(file)).toBe(false);
    expect((await bobs.tally('product', 'list')).code).not.toBe(0);
  });

  it('the browser logs in, and comes back with a code', async () => {
    const bobs = operator();
    bobs.openBrowser = async (url) => {
      page = url;
      // Nobody waits for a browser.
      loggedInByBrowser(url, lastUsed).catch((error: unknown) => complaints.push(error));
      return true;
    };
    const me = await bobs.must<{ principal: string; strength: number }>('login');
    expect(complaints).toEqual([]);
    expect(me).toMatchObject({ principal: lastUsed.principal, strength: 2 });
    expect(new URL(page).searchParams.get('redirect_uri')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    expect((await bobs.tally('product', 'list')).code).toBe(0);
  });

  it('a command that needs a step-up asks for it, and goes on as it was', async () => {
    const bobs = operator();
    const file = join(system.layout.root, 'session.json');
    // Of a terminal elsewhere, and so without proof of presence.
    const { principal } = lastUsed;
    const invitation = await inviteAgain(as(token), principal);
    const { person } = await Person.enroll(system, { principal, invitation }, 'bobs longer password');
    const kept = await deviceSession(person, 'tally');
    const { origin: server } = new URL(system.client.adminUrl);
    writeFileSync(file, JSON.stringify({ server, principal, ...kept }), { mode: 0o600 });
    const command = ['invite', principal, '--reason', 'a passkey'];
    const nobody = await bobs.tally(...command);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('tally login --step-up') });
    bobs.isThere = true;
    bobs.ask = async (question) => {
      if (question.includes('passkey in the browser')) return 'code';
      return question.startsWith('Code') ? person.code() : person.password;
    };
    const { stdout, code } = await bobs.tally(...command, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      principal,
      invitation: expect.stringContaining('_'),
    });
    // The session that was not good enough has ended.
    const headers = { authorization: `Bearer ${kept.token}`, 'user-agent': 'tally' };
    const { status } = await system.admin('GET', '/v1/sessions/current', undefined, headers);
    expect(status).toBe(401);
  });
});

/** What a person does in a browser from an address on, with password and code. */
async function loggedInByBrowser(url: string, person: Person): Promise<void> {
  const { origin } = new URL(url);
  const begun = await fetch(url, { redirect: 'manual' });
  const cookie = begun.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const shown = await (await fetch(`${origin}/login`, { headers: { cookie } })).text();
  const csrf = /name="csrf" content="([^"]+)"/.exec(shown)?.[1] ?? '';
  const form = { csrf, account: person.principal, password: person.password, code: await person.code() };
  const body = new URLSearchParams(form);
  const headers = { cookie, origin };
  const answer = await fetch(`${origin}/login/password`, {
    method: 'POST',
    body,
    headers,
    redirect: 'manual',
  });
  await fetch(answer.headers.get('location') ?? '');
}

/** As a terminal without a browser gets one, with a person who agrees in a browser. */
async function deviceSession(
  person: Person,
  userAgent: string = 'node',
): Promise<{ token: string; session: string }> {
  const { issuer } = (await must(system.admin('GET', '/v1/login'))).json as { issuer: string };
  const post = async (path: string, form: Record<string, string>, headers: Record<string, string> = {}) => {
    const body = new URLSearchParams(form);
    return fetch(`${issuer.replace(/\/issuer$/, '')}${path}`, {
      method: 'POST',
      body,
      headers,
      redirect: 'manual',
    });
  };
  const begun = (await (await post('/issuer/device', { client_id: 'tally-cli' })).json()) as Record<
    string,
    string
  >;
  const origin = new URL(issuer).origin;
  let cookie = '';
  const visit = async (path: string, form?: Record<string, string>): Promise<string> => {
    const headers = { cookie, origin };
    const answer =
      form === undefined
        ? await fetch(`${origin}${path}`, { headers, redirect: 'manual' })
        : await post(path, form, headers);
    cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
    return answer.text();
  };
  const csrfOf = (page: string): string => /name="csrf" content="([^"]+)"/.exec(page)?.[1] ?? '';
  await visit('/login/device');
  const csrf = csrfOf(await visit('/login'));
  await visit('/login/password', {
    csrf,
    account: person.principal,
    password: person.password,
    code: await person.code(),
  });
  const typed = csrfOf(await visit('/login/device'));
  const confirm = csrfOf(await visit('/login/device', { csrf: typed, user_code: begun['user_code'] ?? '' }));
  await visit('/login/device/confirm', { csrf: confirm, answer: 'agree' });
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
  const form = { grant_type, client_id: 'tally-cli', device_code: begun['device_code'] ?? '' };
  const answer = (await (await post('/issuer/token', form, { 'user-agent': userAgent })).json()) as {
    access_token: string;
    id_token: string;
  };
  const claims = Buffer.from(answer.id_token.split('.')[1] ?? '', 'base64url').toString();
  return { token: answer.access_token, session: (JSON.parse(claims) as { sid: string }).sid };
}
