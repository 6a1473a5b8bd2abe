import { readFileSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Authentication,
  agentClass,
  type BegunSession,
  csrfTokenOf,
  endedSessionCookies,
  readSessionCookie,
  secretTokenKind,
  sessionCookies,
} from '../src/index.ts';
import { GateFile } from '../src/sessions/gate-file.ts';
import { limits, newWorld, removeWorlds, requestOf, secrets, type World } from './support/people.ts';

afterAll(removeWorlds);

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const chrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36';
const host = 'licenses.example';
let world: World;

beforeEach(() => {
  world = newWorld();
  world.people.addPrincipal('prn_person', 'person');
  world.people.addPrincipal('prn_other', 'person');
  world.people.add('crd_password', 'prn_person', { kind: 'password', lookup: 'prn_person' });
  world.people.add('crd_passkey', 'prn_person', { kind: 'passkey', lookup: 'pk' });
  world.people.add('crd_other', 'prn_other', { kind: 'passkey', lookup: 'other' });
});

const instant = (): string => new Date(world.clock.ms).toISOString();
const begin = (principal = 'prn_person', credential = 'crd_password'): BegunSession =>
  world.sessions.begin({
    principal,
    credential,
    strength: 2,
    authenticatedAt: instant(),
    steppedUpAt: null,
    address: '192.0.2.7',
    userAgent: firefox,
    device: null,
  });
const use = (token: string, userAgent = firefox): Promise<Authentication> =>
  world.authenticator.authenticate(
    requestOf({ headers: { host, authorization: `Bearer ${token}`, 'user-agent': userAgent } }),
  );
const isIn = async (token: string, userAgent = firefox): Promise<boolean> => (await use(token, userAgent)).ok;

describe('a session', () => {
  test('carries who logged in, how and when', async () => {
    const { token, session } = begin();
    expect(secretTokenKind(token)).toBe('session');
    world.clock.ms += 60_000;
    expect(await use(token)).toMatchObject({
      caller: {
        principal: 'prn_person',
        credential: 'crd_password',
        session: session.id,
        strength: 2,
        authenticatedAt: session.authenticatedAt,
        steppedUpAt: null,
      },
    });
  });

  test('has another token at each login', () => {
    expect(begin().token).not.toBe(begin().token);
  });

  test('cannot be brought along: a token that the server did not make is none', async () => {
    const planted = newWorld().sessions.begin({ ...begin().session, userAgent: firefox }).token;
    begin();
    expect(await isIn(planted)).toBe(false);
  });

  test('ends without requests, and after its time in any case', async () => {
    const { token } = begin();
    world.clock.ms += limits.idleMs - 1;
    expect(await isIn(token)).toBe(true);
    world.clock.ms += limits.idleMs;
    expect(await isIn(token)).toBe(false);
    const busy = begin();
    for (let spent = 0; spent + 600_000 < limits.maxMs; spent += 600_000) {
      world.clock.ms += 600_000;
      expect(await isIn(busy.token)).toBe(true);
    }
    world.clock.ms += 600_000;
    expect(await isIn(busy.token)).toBe(false);
  });

  test.each<[string, () => void]>([
    ['its credential is revoked', () => world.people.change('crd_password', { state: 'revoked' })],
    ['its credential expires', () => world.people.change('crd_password', { notAfter: instant() })],
    ['its owner is disabled', () => world.people.disable('prn_person')],
    ['its credential goes to another', () => world.people.change('crd_password', { principal: 'prn_other' })],
  ])('ends at once when %s, and for good', async (_, change) => {
    const { token } = begin();
    expect(await isIn(token)).toBe(true);
    change();
    expect(await isIn(token)).toBe(false);
    world.people.enable('prn_person');
    const whole = { state: 'active', notAfter: null, principal: 'prn_person' } as const;
    world.people.change('crd_password', whole);
    expect(await isIn(token)).toBe(false);
  });

  test('ends when it turns up in another browser', async () => {
    const { token } = begin();
    expect(await isIn(token, firefox.replaceAll('140', '141'))).toBe(true);
    expect(await isIn(token, chrome)).toBe(false);
    expect(await isIn(token)).toBe(false);
  });

  test('is listed and ended, by itself, by credential and by principal', async () => {
    const [a, b, c] = [begin(), begin('prn_person', 'crd_passkey'), begin('prn_other', 'crd_other')];
    expect(world.sessions.list().map(({ id }) => id)).toEqual([c, b, a].map(({ session }) => session.id));
    expect(world.sessions.end(a.session.id)).toBe(true);
    expect(world.sessions.end(a.session.id)).toBe(false);
    expect(await isIn(a.token)).toBe(false);
    expect(world.sessions.endOfCredential('crd_passkey')).toBe(1);
    expect(world.sessions.endOfPrincipal('prn_other')).toBe(1);
    expect([await isIn(b.token), await isIn(c.token)]).toEqual([false, false]);
  });

  test('makes room when one principal has too many, and takes none of another', async () => {
    const other = begin('prn_other', 'crd_other');
    const first = begin();
    const rest = Array.from({ length: 32 }, () => {
      world.clock.ms += 1000;
      return begin();
    });
    expect(await isIn(first.token)).toBe(false);
    expect(await isIn(rest[0]?.token ?? '')).toBe(true);
    expect(await isIn(other.token)).toBe(true);
    expect(world.sessions.list()).toHaveLength(33);
  });
});

describe('the file', () => {
  test('that ended while the disk was full has ended after a restart as well', async () => {
    const { token, session } = begin();
    const full = new Error('database or disk is full');
    const removing = vi.spyOn(GateFile.prototype, 'delete').mockImplementationOnce(() => {
      throw full;
    });
    expect(() => world.sessions.end(session.id)).toThrow(full);
    removing.mockRestore();
    expect(await isIn(token)).toBe(false);
    world.sessions.flush();
    world = world.restart();
    expect(await isIn(token)).toBe(false);
  });

  test('keeps sessions over a restart, and what ended stays ended', async () => {
    const [kept, ended] = [begin(), begin()];
    world.sessions.end(ended.session.id);
    world = world.restart();
    expect(await isIn(kept.token)).toBe(true);
    expect(await isIn(ended.token)).toBe(false);
  });

  test('remembers when sessions were seen and credentials used, once it was flushed', async () => {
    const { token } = begin();
    world.clock.ms += limits.idleMs - 1000;
    expect(await isIn(token)).toBe(true);
    world.sessions.flush();
    world = world.restart();
    world.clock.ms += limits.idleMs - 1000;
    expect(await isIn(token)).toBe(true);
    expect(world.sessions.lastUseOf('crd_password')?.address).toBe('192.0.2.7');
  });

  test('is for its owner alone and holds no token', () => {
    const { token } = begin();
    expect(statSync(world.file).mode & 0o777).toBe(0o600);
    const bytes = [world.file, `${world.file}-wal`]
      .map((path) => readFileSync(path).toString('latin1'))
      .join('');
    expect(bytes).toContain('crd_password');
    expect(bytes).not.toContain(token);
    expect(bytes).not.toContain(token.slice(15, 40));
  });

  test.each([
    ['another principal', `UPDATE session SET content = replace(content, 'prn_person', 'prn_other')`],
    ['another strength', `UPDATE session SET content = replace(content, '"strength":2', '"strength":3')`],
    ['another token', `UPDATE session SET lookup = 'AAAA'`],
    ['no MAC', `UPDATE session SET mac = x''`],
  ])('a row with %s is no session', async (_, statement) => {
    const { token } = begin();
    world = alter(world, statement);
    expect(await isIn(token)).toBe(false);
    expect(world.sessions.list()).toEqual([]);
    expect(world.sessions.rejected).toBe(1);
  });

  test('a row that is left alone stays a session', async () => {
    const { token } = begin();
    world = alter(world, 'SELECT 1');
    expect(await isIn(token)).toBe(true);
    expect(world.sessions.rejected).toBe(0);
  });

  test('the row of a session that ended, put back under another id, is none', async () => {
    const { token, session } = begin();
    world = alter(world, 'CREATE TABLE kept AS SELECT * FROM session');
    world.sessions.end(session.id);
    world = alter(world, `INSERT INTO session SELECT 'ses_copy', lookup, content, mac FROM kept`);
    expect(await isIn(token)).toBe(false);
    expect(world.sessions.rejected).toBe(1);
  });
});

/** What somebody does to the file while the server is down. */
function alter(of: World, statement: string): World {
  of.stop();
  const database = new DatabaseSync(of.file);
  database.exec(statement);
  database.close();
  return newWorld(of);
}

describe('the cookie of a browser', () => {
  const origin = `https://${host}`;
  const cookieOf = (token: string): string => `theme=dark; __Host-tally-session=${token}; x=1`;
  const send = (token: string, headers: Record<string, string>, method = 'POST'): Promise<Authentication> =>
    world.authenticator.authenticate(
      requestOf({
        method,
        scheme: 'https',
        headers: { host, cookie: cookieOf(token), 'user-agent': firefox, ...headers },
        isMutation: method !== 'GET',
      }),
    );

  test('is out of reach of scripts, other sites and plain HTTP', () => {
    const [session = '', csrf = ''] = sessionCookies('t', secrets.sessions, 3600);
    expect(session).toBe('__Host-tally-session=t; Path=/; Secure; SameSite=Strict; Max-Age=3600; HttpOnly');
    expect(csrf).toMatch(/^__Host-tally-csrf=[\w-]{43}; Path=\/; Secure; SameSite=Strict; Max-Age=3600$/);
    for (const ended of endedSessionCookies()) expect(ended).toContain('Max-Age=0');
  });

  test('reads by itself, and writes with the token and the origin of its own page', async () => {
    const { token } = begin();
    const csrf = csrfTokenOf(token, secrets.sessions);
    expect(await send(token, {}, 'GET')).toMatchObject({ caller: { principal: 'prn_person' } });
    expect((await send(token, { origin, 'tally-csrf': csrf, 'sec-fetch-site': 'same-origin' })).ok).toBe(
      true,
    );
  });

  test.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['no CSRF token', { origin }],
    ['no origin', { 'tally-csrf': 'own' }],
    ['the origin of another site', { origin: 'https://evil.example', 'tally-csrf': 'own' }],
    ['the origin of another port', { origin: `${origin}:8443`, 'tally-csrf': 'own' }],
    ['the origin without TLS', { origin: `http://${host}`, 'tally-csrf': 'own' }],
    ['no origin to speak of', { origin: 'null', 'tally-csrf': 'own' }],
    ['the CSRF token of another session', { origin, 'tally-csrf': 'other' }],
    ['an empty CSRF token', { origin, 'tally-csrf': '' }],
    [
      'the word of the browser that another site asked',
      {
        origin,
        'tally-csrf': 'own',
        'sec-fetch-site': 'cross-site',
      },
    ],
  ])('with %s is refused to write', async (_, headers) => {
    const [own, other] = [begin().token, begin().token];
    const csrf = { own: csrfTokenOf(own, secrets.sessions), other: csrfTokenOf(other, secrets.sessions) };
    const named = headers['tally-csrf'];
    const token = named === 'own' || named === 'other' ? { 'tally-csrf': csrf[named] } : {};
    expect(await send(own, { ...headers, ...token })).toMatchObject({ refusal: { code: 'unauthorized' } });
    // The session is not ended by it: that would be the attack.
    expect(await isIn(own)).toBe(true);
  });

  test('is not read by pages of other sites either', async () => {
    const { token } = begin();
    expect((await send(token, { 'sec-fetch-site': 'cross-site' }, 'GET')).ok).toBe(false);
    expect((await send(token, { 'sec-fetch-site': 'same-site' }, 'GET')).ok).toBe(false);
  });

  test('of a session alone counts: an API key in it does not', async () => {
    const key = world.people.addApiKey('crd_key', 'prn_person');
    expect((await send(key, {}, 'GET')).ok).toBe(false);
  });

  test('is found among others, once', () => {
    expect(readSessionCookie(cookieOf('t'))).toEqual({ token: 't' });
    expect(readSessionCookie(`${cookieOf('t')}; __Host-tally-session=u`)).toBe('twice');
    expect(readSessionCookie('x__Host-tally-session=t')).toBeNull();
    expect(readSessionCookie('')).toBeNull();
  });
});

test('browsers are told apart roughly', () => {
  expect(agentClass(firefox)).toBe('Firefox/Linux');
  expect(agentClass(chrome)).toBe('Chrome/Windows');
  expect(agentClass('tally')).toBe('tally/other');
  expect(agentClass('')).toBe('other/other');
});
