// long: one running system serves all of these, because starting one costs more than they do together.
/** Keys, signed requests and sessions against a running server, by who has them and by who would like to. */
import { createHmac, createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { base64, keyFingerprintText, readCauseStatement, signedRequestIn } from '@tallystick/core';
import {
  deriveGateSecrets,
  devicePostureText,
  GateFile,
  newSecretToken,
  publicKeyOf,
  Sessions,
  secretTokenHash,
} from '@tallystick/gate';
import { type RequestSigningKey, readEvidence } from '@tallystick/gate/http-signature';
import { readStore, type SystemDescription, storePlaceOf } from '@tallystick/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, Operator } from './support/operator.ts';
import type { RawAnswer } from './support/raw-http.ts';
import { RealSystem } from './support/real-system.ts';
import {
  credentialOf,
  newSigningKey,
  type Sent,
  send as sendTo,
  signedRequest,
} from './support/signed-request.ts';

let system: RealSystem;
let license: Record<string, unknown>;
/** Ids of what the tests have in common. */
const ids = { service: '', partner: '', key: '', partnerKey: '', signing: '' };
const service = newSigningKey();
const partner = newSigningKey();
const apiKey = newSecretToken('api', randomBytes);
const partnerKey = newSecretToken('partner', randomBytes);
const proxySecret = randomBytes(32);

beforeAll(async () => {
  system = await RealSystem.create({ algorithms: ['ed25519'] });
  const secretFile = join(system.directory, 'proxy.secret');
  writeFileSync(secretFile, proxySecret.toString('base64'));
  const server = {
    networks: { office: ['192.0.2.0/24'] },
    trustedProxies: [{ addresses: ['127.0.0.1'], secretFile }],
  };
  await system.up({ server });
  await system.ready();
  await system.sellPro();
  license = { plan: 'pro-yearly', licensee: 'Ada' };
  ids.service = await create('/v1/principals', {
    kind: 'service',
    name: 'Shop',
    roles: [{ role: 'issuer' }],
  });
  ids.partner = await create('/v1/principals', {
    kind: 'partner',
    name: 'Reseller',
    roles: [{ role: 'issuer' }],
  });
  ids.key = await addApiKey(ids.service, apiKey);
  ids.partnerKey = await addApiKey(ids.partner, partnerKey);
  ids.signing = await addSigningKey(ids.service, service);
  await addSigningKey(ids.partner, partner);
}, 60_000);

afterAll(() => system[Symbol.asyncDispose]());

async function create(path: string, body: object): Promise<string> {
  const { document } = await system.must<{ document: { id: string } }>('POST', path, body);
  return document.id;
}

function addApiKey(principal: string, key: string, more: object = {}): Promise<string> {
  const lookup = secretTokenHash(key);
  return create('/v1/credentials', { principal, kind: 'api_key', name: 'key', lookup, ...more });
}

function addSigningKey(principal: string, key: RequestSigningKey): Promise<string> {
  return create('/v1/credentials', { principal, name: 'signing', ...credentialOf(key) });
}

const send = (sent: Sent): Promise<RawAnswer> => sendTo(system, sent);

function withToken(token: string, path: string, headers: Record<string, string> = {}): Promise<RawAnswer> {
  return send({ method: 'GET', path, headers: { authorization: `Bearer ${token}`, ...headers } });
}

/** A signed request to issue a license, unsent. */
function signedIssue(
  key: RequestSigningKey,
  idempotencyKey: string = randomUUID(),
  nowMs = Date.now(),
): Sent {
  const headers = { 'idempotency-key': idempotencyKey };
  const issue = { method: 'POST', path: '/v1/licenses', headers, content: license };
  return signedRequest(system.client.adminUrl, key, issue, { system: system.system, nowMs });
}

const codeOf = ({ text }: RawAnswer): string => (JSON.parse(text) as { code: string }).code;
const jsonOf = <T>({ text }: RawAnswer): T => JSON.parse(text) as T;

describe('an API key', () => {
  it('lets its owner do what the roles allow, and its last use is shown', async () => {
    expect((await withToken(apiKey, '/v1/licenses')).status).toBe(200);
    expect(jsonOf(await withToken(apiKey, '/v1/sessions/current'))).toMatchObject({
      principal: ids.service,
      kind: 'service',
      name: 'Shop',
      credential: ids.key,
      session: null,
      strength: 1,
      signed: false,
      device: null,
    });
    const shown = await system.must<{ lastUse: object; document: object }>(
      'GET',
      `/v1/credentials/${ids.key}`,
    );
    expect(shown).toMatchObject({ lastUse: { address: '127.0.0.1' }, document: { lookup: null } });
    expect(JSON.stringify(shown)).not.toContain(secretTokenHash(apiKey));
  });

  it('is nowhere on the server: not as it is, and not as the hash that made it', async () => {
    const files = [
      system.layout.ledger.store,
      `${system.layout.ledger.store}-wal`,
      system.layout.ledger.projections,
    ];
    const bytes = files.map((file) => readFileSync(file).toString('latin1')).join('');
    expect(bytes).toContain(ids.key);
    expect(bytes).not.toContain(apiKey);
    expect(bytes).not.toContain(secretTokenHash(apiKey));
  });

  it('is refused as the hash of itself, and as what is stored of it', async () => {
    expect((await withToken(secretTokenHash(apiKey), '/v1/licenses')).status).toBe(401);
    const answer = await system.admin('POST', '/v1/credentials', {
      principal: ids.service,
      kind: 'api_key',
      name: 'in clear',
      lookup: apiKey,
    });
    expect(answer).toMatchObject({ status: 422, json: { code: 'input_invalid', path: '$.lookup' } });
  });

  it('ends at once when it is revoked, and goes on for a while when it is replaced', async () => {
    const [old, next] = [newSecretToken('api', randomBytes), newSecretToken('api', randomBytes)];
    const first = await addApiKey(ids.service, old);
    await addApiKey(ids.service, next, { replaces: first, overlap: 'PT1H' });
    expect([
      (await withToken(old, '/v1/licenses')).status,
      (await withToken(next, '/v1/licenses')).status,
    ]).toEqual([200, 200]);
    await system.must('POST', `/v1/credentials/${first}/revoke`, {});
    const [revoked, unknown] = [
      await withToken(old, '/v1/licenses'),
      await withToken(`${next}x`, '/v1/licenses'),
    ];
    expect(revoked.status).toBe(401);
    const shown = ({ text }: RawAnswer): string => text.replace(/"requestId":"[^"]*"/, '');
    expect(shown(revoked)).toBe(shown(unknown));
    expect((await withToken(next, '/v1/licenses')).status).toBe(200);
  });

  it('counts in its networks alone, and for what it is for', async () => {
    const key = newSecretToken('api', randomBytes);
    const scope = { networks: ['192.0.2.0/24'], actions: ['license.list', 'session.current'] };
    await addApiKey(ids.service, key, { scope });
    expect((await withToken(key, '/v1/licenses')).status).toBe(401);
    const forwarded = { 'x-forwarded-for': '192.0.2.7' };
    expect((await withToken(key, '/v1/licenses', forwarded)).status).toBe(200);
    expect(
      (await withToken(key, '/v1/licenses', { 'x-forwarded-for': '192.0.2.7, 203.0.113.9' })).status,
    ).toBe(401);
    expect((await withToken(key, '/v1/products', forwarded)).status).toBe(403);
    expect(jsonOf(await withToken(key, '/v1/sessions/current', forwarded))).toMatchObject({
      networks: ['office'],
    });
  });

  it.each([
    ['a range that is none', { scope: { networks: ['10.0.0.1/8'] } }, '$.scope.networks[0]'],
    [
      'a key that is none',
      { kind: 'http_signature', lookup: 'x', material: { alg: 'none', key: 'AAAA' } },
      '$.material',
    ],
    ['a SPIFFE id that is none', { kind: 'spiffe', lookup: 'spiffe://vendor.example' }, '$.lookup'],
  ])('cannot be made with %s', async (_, given, path) => {
    const lookup = secretTokenHash('x');
    const body = { principal: ids.service, kind: 'api_key', name: 'x', lookup, ...given };
    expect(await system.admin('POST', '/v1/credentials', body)).toMatchObject({
      status: 422,
      json: { path },
    });
  });
});

describe('a signed request', () => {
  it('is taken once; signed again under the same key it is answered the same, and changes nothing more', async () => {
    const key = randomUUID();
    const once = signedIssue(service, key);
    const first = await send(once);
    expect(first.status).toBe(201);
    const replayed = await send(once);
    expect([replayed.status, codeOf(replayed)]).toEqual([401, 'unauthorized']);
    const again = jsonOf<{ document: { id: string }; notes: { code: string }[] }>(
      await send(signedIssue(service, key)),
    );
    expect(again.document.id).toBe(jsonOf<{ document: { id: string } }>(first).document.id);
    expect(again.notes.map(({ code }) => code)).toContain('replayed');
  });

  it.each<[string, (sent: Sent) => Sent, number]>([
    ['another body', (sent) => ({ ...sent, body: sent.body?.replace('Ada', 'Eve') ?? '' }), 401],
    ['another path', (sent) => ({ ...sent, path: '/v1/licenses?dryRun=true' }), 401],
    ['another reason', (sent) => ({ ...sent, headers: { ...sent.headers, 'tally-reason': 'x' } }), 400],
    ['another key', (sent) => ({ ...sent, headers: { ...sent.headers, 'idempotency-key': 'x' } }), 401],
    [
      'a token beside it',
      (sent) => ({ ...sent, headers: { ...sent.headers, authorization: `Bearer ${apiKey}` } }),
      400,
    ],
    ['an empty signature', (sent) => ({ ...sent, headers: { ...sent.headers, signature: '' } }), 400],
    ['alg none', (sent) => changed(sent, 'alg="ed25519"', 'alg="none"'), 401],
    ['the HMAC of a public key', (sent) => changed(sent, 'alg="ed25519"', 'alg="hmac-sha256"'), 401],
    [
      'the key of the partner',
      (sent) => changed(sent, keyFingerprintText(service.publicKey), keyFingerprintText(partner.publicKey)),
      401,
    ],
  ])('with %s changes nothing', async (_, change, status) => {
    expect((await send(change(signedIssue(service)))).status).toBe(status);
  });

  const changed = ({ headers, ...sent }: Sent, from: string, to: string): Sent => ({
    ...sent,
    headers: { ...headers, 'signature-input': headers['signature-input']?.replace(from, to) ?? '' },
  });

  it('is what a partner needs to change something', async () => {
    expect((await withToken(partnerKey, '/v1/plans')).status).toBe(200);
    const body = JSON.stringify(license);
    const headers = { authorization: `Bearer ${partnerKey}`, 'content-type': 'application/json' };
    const unsigned = await send({ method: 'POST', path: '/v1/licenses', headers, body });
    expect([unsigned.status, codeOf(unsigned)]).toEqual([403, 'signature_required']);
    expect((await send(signedIssue(partner))).status).toBe(201);
  });

  it('of a key that ends is refused from then on', async () => {
    const key = newSigningKey();
    const id = await addSigningKey(ids.service, key);
    expect((await send(signedIssue(key))).status).toBe(201);
    await system.must('POST', `/v1/credentials/${id}/revoke`, {});
    expect((await send(signedIssue(key))).status).toBe(401);
  });

  it('of a disabled principal is refused from then on', async () => {
    const principal = await create('/v1/principals', {
      kind: 'service',
      name: 'Old',
      roles: [{ role: 'issuer' }],
    });
    const key = newSigningKey();
    await addSigningKey(principal, key);
    expect((await send(signedIssue(key))).status).toBe(201);
    await system.must('POST', `/v1/principals/${principal}/disable`, {});
    expect((await send(signedIssue(key))).status).toBe(401);
  });
});

describe('what is said of the device', () => {
  const device = { id: 'laptop-7', managed: true, encrypted: true, attested: false };
  const header = (at: number): string => `id="laptop-7", managed=?1, encrypted=?1, at=${at}`;
  const deviceAt = async (text: string): Promise<unknown> =>
    jsonOf<{ device: unknown }>(await withToken(apiKey, '/v1/sessions/current', { 'tally-device': text }))
      .device;

  it('counts with the MAC of the proxy, and not without', async () => {
    const at = Math.floor(Date.now() / 1000);
    const request = { method: 'GET', target: '/v1/sessions/current', credential: `Bearer ${apiKey}` };
    const mac = createHmac('sha256', proxySecret)
      .update(devicePostureText(device, at, request))
      .digest('base64');
    expect(await deviceAt(`${header(at)}, mac=:${mac}:`)).toEqual(device);
    expect(await deviceAt(header(at))).toBeNull();
    expect(await deviceAt(`${header(at)}, attested=?1, mac=:${mac}:`)).toBeNull();
  });
});

describe('at the command line', () => {
  const tally = async (...args: string[]): Promise<Ended> => {
    const ended = await new Operator(system).tally(...args);
    if (ended.code !== 0) throw new Error(`tally ${args.join(' ')}: ${ended.stderr}${ended.stdout}`);
    return ended;
  };
  const json = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await tally(...args, '--json')).stdout) as T;
  interface Made {
    document: { id: string; replaces: string | null };
    secret?: string;
  }
  const file = (name: string): string => join(system.directory, name);
  const shop = (): string[] => ['credential', 'create', '--principal', ids.service, '--name', 'shop'];

  it('an API key is made, shown once, used from a file, rotated and revoked', async () => {
    const made = await json<Made>(...shop());
    const key = made.secret ?? '';
    writeFileSync(file('key'), key);
    const whoami = await tally('whoami', '--token-file', file('key'));
    expect(whoami.stdout).toContain(`service ${ids.service}`);
    expect(whoami.stdout).toContain(made.document.id);
    const next = await json<Made>(
      'credential',
      'rotate',
      made.document.id,
      '--overlap',
      'PT1H',
      '--secret-out',
      file('next'),
    );
    expect(next.document.replaces).toBe(made.document.id);
    expect(next.secret).toBeUndefined();
    expect(statSync(file('next')).mode & 0o777).toBe(0o600);
    await tally('whoami', '--token-file', file('next'));
    await tally('credential', 'revoke', made.document.id);
    const refused = await new Operator(system).tally('whoami', '--token-file', file('key'));
    expect([refused.code, refused.stderr.includes('unauthorized')]).toEqual([1, true]);
    const list = await tally('credential', 'list', '--principal', ids.service);
    expect(list.stdout).toContain(next.document.id);
    expect(list.stdout + list.stderr).not.toContain(key);
  });

  it('a signing key is made on this machine, and signs every request', async () => {
    const made = await json<Made>(...shop(), '--kind', 'http_signature', '--secret-out', file('shop.pem'));
    expect(made).toMatchObject({ system: system.system });
    expect(made.secret).toBeUndefined();
    const who = await json<object>('whoami', '--signing-key', file('shop.pem'));
    expect(who).toMatchObject({ credential: made.document.id, strength: 2, signed: true });
    const issue = ['issue', '--plan', 'pro-yearly', '--licensee', 'Ada', '--reason', 'ä: 5 %'];
    const issued = await json<{ document: { id: string } }>(...issue, '--signing-key', file('shop.pem'));
    const history = await tally('history', issued.document.id);
    expect(history.stdout).toContain(`service:${ids.service}`);
    expect(history.stdout).toContain('ä: 5 %');
    const folder = mkdtempSync(file('client-'));
    const { adminUrl } = system.client;
    const described = { adminUrl, signingKeyFile: '../shop.pem' };
    writeFileSync(join(folder, 'client.json'), JSON.stringify(described));
    const unknown = await new Operator(system).tally('whoami', '--data', folder);
    expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('for which system')]);
    const pinned = ['--signed-for', system.layout.trustRoot];
    expect(await json<object>('whoami', '--data', folder, ...pinned)).toMatchObject({ signed: true });
    const trustRootFile = system.layout.trustRoot;
    writeFileSync(join(folder, 'client.json'), JSON.stringify({ ...described, trustRootFile }));
    expect(await json<object>('whoami', '--data', folder)).toMatchObject({ signed: true });
    const both = ['--signing-key', file('shop.pem'), '--token-file', file('key')];
    expect((await new Operator(system).tally('whoami', ...both)).code).toBe(3);
  });

  it('a secret is never written over a file, and not kept where nothing came of it', async () => {
    const again = await new Operator(system).tally(...shop(), '--secret-out', file('shop.pem'));
    expect(again.code).toBe(3);
    const refused = await new Operator(system).tally(
      'credential',
      'create',
      '--principal',
      ids.service,
      '--name',
      'x',
      '--networks',
      '10.0.0.1/8',
      '--secret-out',
      file('none'),
    );
    expect([refused.code, existsSync(file('none'))]).toEqual([1, false]);
    const dry = await json<Made>(...shop(), '--dry-run');
    expect(dry.secret).toBeUndefined();
  });

  it('principals are listed, and nobody is logged in', async () => {
    expect((await tally('principal', 'list')).stdout).toContain('Reseller');
    expect((await tally('principal', 'show', ids.partner)).stdout).toContain('"role":"issuer"');
    expect(await json('session', 'list', '--all')).toEqual({ items: [] });
  });
});

describe('after the server was killed', () => {
  it('nothing that was taken before is taken again; sessions go on, and can be ended', async () => {
    const nearlyAhead = signedIssue(service, randomUUID(), Date.now() + 4_000);
    expect((await send(nearlyAhead)).status).toBe(201);
    system.kill('server');
    await system.down();
    const [token = '', other = ''] = beginSessions();
    await system.up();
    await system.ready();
    const replayed = await send(nearlyAhead);
    expect([401, 503]).toContain(replayed.status);

    expect(jsonOf(await withToken(token, '/v1/sessions/current'))).toMatchObject({
      principal: ids.service,
      strength: 2,
    });
    const { items } = jsonOf<{ items: { id: string; current: boolean }[] }>(
      await withToken(token, '/v1/sessions'),
    );
    expect(items.map(({ current }) => current)).toEqual([true]);
    const id = items[0]?.id ?? '';
    const end = (who: string, of = id): Promise<RawAnswer> =>
      send({ method: 'POST', path: `/v1/sessions/${of}/end`, headers: { authorization: `Bearer ${who}` } });
    // Somebody else's session is to a stranger like one that is none.
    const stranger = newSecretToken('api', randomBytes);
    const viewer = { kind: 'service', name: 'Reports', roles: [{ role: 'viewer' }] };
    await addApiKey(await create('/v1/principals', viewer), stranger);
    const seen = ({ status, text }: RawAnswer): unknown => [
      status,
      text.replace(/"requestId":"[^"]*"/, '').replaceAll(/ses_\w+/g, 'ses_'),
    ];
    expect(seen(await end(stranger))).toEqual(seen(await end(stranger, 'ses_0')));
    expect(codeOf(await end(stranger))).toBe('subject_unknown');
    expect((await withToken(stranger, '/v1/sessions?all=true')).status).toBe(403);
    expect((await end(token)).status).toBe(200);
    expect((await withToken(token, '/v1/sessions/current')).status).toBe(401);
    // An administrator ends anybody's.
    const listed = await system.must<{ items: { id: string }[] }>('GET', '/v1/sessions?all=true');
    expect(listed.items.map((session) => session.id)).toEqual(['ses_02']);
    await system.must('POST', '/v1/sessions/ses_02/end');
    expect((await withToken(other, '/v1/sessions/current')).status).toBe(401);
  });

  /** As logins do, of the service and of the partner, while the server is down. Their tokens. */
  function beginSessions(): string[] {
    const root = Buffer.from(readFileSync(system.layout.secrets.licenseKeySecret, 'utf8').trim(), 'base64');
    const secrets = deriveGateSecrets(createSecretKey(root), 'acme');
    const file = new GateFile(join(system.layout.root, 'ledger', 'gate.db'), secrets.rows);
    let count = 0;
    const sessions = new Sessions({
      file,
      key: secrets.sessions,
      limits: () => ({ idleMs: 60_000, maxMs: 60_000 }),
      now: () => Date.now(),
      random: randomBytes,
      newId: () => `ses_0${++count}`,
    });
    const owners = [
      { principal: ids.service, credential: ids.signing },
      { principal: ids.partner, credential: ids.partnerKey },
    ];
    const tokens = owners.map((owner) => {
      const start = {
        ...owner,
        strength: 2,
        authenticatedAt: new Date().toISOString(),
        steppedUpAt: null,
      } as const;
      return sessions.begin({ ...start, address: '127.0.0.1', userAgent: '', device: null }).token;
    });
    file.close();
    return tokens;
  }
});

describe('the record', () => {
  it('keeps what was signed, so that anybody can check who asked for exactly what', async () => {
    await system.down();
    const described = JSON.parse(readFileSync(system.layout.system, 'utf8')) as SystemDescription;
    await using store = await readStore(storePlaceOf(system.layout, described));
    const causes = await store.causes(0, await store.size());
    const signed = causes.flatMap((stored) => {
      const statement = readCauseStatement(stored.document);
      const evidence = signedRequestIn(statement.signed, stored.signed);
      return evidence === null ? [] : [{ ...statement, evidence }];
    });
    expect(signed.length).toBeGreaterThanOrEqual(4);
    const own = signed.filter(({ who }) => who.credential === ids.signing);
    for (const { evidence, request, command } of own) {
      const key = publicKeyOf({ alg: 'ed25519', key: base64(service.publicKey.key) });
      const statement = key && (await readEvidence(evidence, key));
      expect(statement).toMatchObject({ method: 'POST', path: '/v1/licenses', idempotencyKey: request?.key });
      expect(command).toBe('license.issue');
      expect(JSON.parse(Buffer.from(statement?.body ?? []).toString())).toEqual(license);
    }
  });
});
