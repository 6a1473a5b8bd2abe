// long: one table of cases over one running system, which is dear to start.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { isProblemCode, problemMediaType, problems, problemTypePrefix } from '@tallystick/contract';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { walkLog } from './support/log-walk.ts';
import { type RawAnswer, type RawRequest, rawBytes, rawRequest } from './support/raw-http.ts';
import { RealSystem } from './support/real-system.ts';
import { sleep } from './support/waiting.ts';

let system: RealSystem;
let license: string;
let sizeBefore = 0;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  const sale = { plan: 'pro-yearly', licensee: 'Contoso' };
  license = (await system.must<{ document: { id: string } }>('POST', '/v1/licenses?wait=published', sale))
    .document.id;
  await system.published();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

beforeEach(async () => {
  sizeBefore = await system.size();
});

afterEach(async () => {
  expect(await system.size()).toBe(sizeBefore);
});

type Listener = 'admin' | 'public' | 'ops';

function ask(listener: Listener, request: RawRequest, agent?: Agent): Promise<RawAnswer> {
  return rawRequest(system.supervisor.urls[listener], request, agent);
}

function adminHeaders(): Record<string, string> {
  return { authorization: `Bearer ${system.client.token}`, 'content-type': 'application/json' };
}

/** A request of an administrator with this body, exactly as it stands. */
function post(
  path: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  return ask('admin', { method: 'POST', path, body, headers: { ...adminHeaders(), ...headers } });
}

/** Whatever goes wrong is answered in one way, with a code that the contract lists. */
function expectProblem(answer: RawAnswer, ...codes: string[]): void {
  expect({ text: answer.text, type: answer.headers['content-type'] }).toEqual({
    text: answer.text,
    type: expect.stringMatching(/^application\/problem\+json/),
  });
  const problem = JSON.parse(answer.text) as {
    code: string;
    status: number;
    type: string;
    detail: string;
    requestId: string;
  };
  if (!isProblemCode(problem.code)) throw new Error(`unknown code ${problem.code}`);
  expect(codes).toContain(problem.code);
  expect(problem).toMatchObject({
    status: answer.status,
    type: `${problemTypePrefix}${problem.code}`,
    title: problems[problem.code].title,
    requestId: expect.stringMatching(/./),
  });
  expect(answer.status).toBe(problems[problem.code].status);
  expect(problem.detail).not.toMatch(/\/packages\/|node_modules|at [A-Z]\w+\./);
}

const sale = '"plan":"pro-yearly"';
const deep = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('a body', () => {
  it.each<[string, string, string[]]>([
    ['that is empty', '', ['malformed_request']],
    ['of white space', '  ', ['malformed_request']],
    ['cut short', `{${sale}`, ['malformed_request']],
    ['with a comma too many', `{${sale},}`, ['malformed_request']],
    ['with something after it', `{${sale}} {}`, ['malformed_request']],
    ['with a byte order mark', `\uFEFF{${sale}}`, ['malformed_request']],
    ['in another notation', `{'plan':'pro-yearly'}`, ['malformed_request']],
    ['that is an array', `[{${sale}}]`, ['malformed_request']],
    ['that is null', 'null', ['malformed_request']],
    ['that is a number', '17', ['malformed_request']],
    ['that is a string', '"plan"', ['malformed_request']],
    ['with a member twice', `{${sale},"plan":"pro-yearly"}`, ['malformed_request']],
    ['with a member twice, once escaped', `{${sale},"pl\\u0061n":"pro-yearly"}`, ['malformed_request']],
    ['with a member twice further inside', `{${sale},"metadata":{"a":"1","a":"2"}}`, ['malformed_request']],
    ['with an unknown member', `{${sale},"plann":"x"}`, ['unknown_member']],
    ['with an unknown member further inside', `{${sale},"term":{"lenght":"P1Y"}}`, ['unknown_member']],
    ['with the prototype as a member', `{${sale},"__proto__":{"licensee":"x"}}`, ['unknown_member']],
    [
      'with the prototype in a map',
      `{${sale},"metadata":{"__proto__":"x"}}`,
      ['unknown_member', 'malformed_request'],
    ],
    ['without what it needs', '{"licensee":"x"}', ['malformed_request']],
    ['with a float', `{${sale},"seats":{"max":1.5}}`, ['malformed_request']],
    ['with a number above all', `{${sale},"seats":{"max":1e400}}`, ['malformed_request']],
    ['with 2^53', `{${sale},"companion":{"price":9007199254740992}}`, ['malformed_request']],
    ['with -2^53', `{${sale},"companion":{"price":-9007199254740992}}`, ['malformed_request']],
    ['with minus zero', `{${sale},"companion":{"price":-0}}`, ['malformed_request']],
    ['with a number as text', `{${sale},"seats":{"max":"5"}}`, ['malformed_request']],
    [
      'with text as a boolean',
      `{${sale},"entitlements":{"pdf":{"value":"true"}}}`,
      ['malformed_request', 'entitlement_type'],
    ],
    ['with a list as an object', `{${sale},"metadata":[]}`, ['malformed_request']],
    ['with null where there is no null', `{"plan":null}`, ['malformed_request']],
    ['with NUL', `{${sale},"licensee":"a\\u0000b"}`, ['malformed_request']],
    ['with a raw NUL', `{${sale},"licensee":"a\u0000b"}`, ['malformed_request']],
    ['with a raw tab', `{${sale},"licensee":"a\tb"}`, ['malformed_request']],
    ['with an escaped line feed', `{${sale},"licensee":"a\\nb"}`, ['malformed_request']],
    ['with a C1 control', `{${sale},"licensee":"a\\u0085b"}`, ['malformed_request']],
    ['with a lone surrogate', `{${sale},"licensee":"a\\ud800b"}`, ['malformed_request']],
    ['with the halves of a pair swapped', `{${sale},"licensee":"\\udc00\\ud800"}`, ['malformed_request']],
    ['with text that is not normalized', `{${sale},"licensee":"e\u0301"}`, ['malformed_request']],
    ['with a long text', `{${sale},"licensee":"${'x'.repeat(201)}"}`, ['malformed_request']],
    [
      'with a date of no calendar',
      `{${sale},"term":{"until":"2027-02-30T00:00:00.000Z"}}`,
      ['malformed_request'],
    ],
    ['with year 10000', `{${sale},"term":{"until":"+010000-01-01T00:00:00.000Z"}}`, ['malformed_request']],
    [
      'with a year before all',
      `{${sale},"term":{"until":"0000-01-01T00:00:00.000Z"}}`,
      ['malformed_request'],
    ],
    [
      'with a date in the past',
      `{${sale},"term":{"until":"2000-01-01T00:00:00.000Z"}}`,
      ['malformed_request', 'term_invalid', 'input_invalid'],
    ],
    [
      'with a date in another zone',
      `{${sale},"term":{"until":"2030-01-01T00:00:00.000+02:00"}}`,
      ['malformed_request'],
    ],
    ['with a leap second', `{${sale},"term":{"until":"2030-12-31T23:59:60.000Z"}}`, ['malformed_request']],
    ['with a term of a thousand years', `{${sale},"term":{"length":"P1000Y"}}`, ['malformed_request']],
    [
      'with a term beyond year 9999',
      `{${sale},"term":{"from":"9999-12-01T00:00:00.000Z","length":"P1Y"}}`,
      ['malformed_request', 'term_invalid', 'input_invalid', 'limit_exceeded'],
    ],
    ['nested deep', `{${sale},"metadata":${deep(31)}}`, ['malformed_request']],
    ['nested very deep', deep(30_000), ['malformed_request']],
    ['of arrays nested very deep', '['.repeat(100_000) + ']'.repeat(100_000), ['malformed_request']],
    [
      'with very many members',
      `{${Array.from({ length: 20_000 }, (_, n) => `"m${n}":1`).join(',')}}`,
      ['unknown_member', 'malformed_request'],
    ],
    [
      'with metadata of too many members',
      `{${sale},"metadata":{${Array.from({ length: 51 }, (_, n) => `"m${n}":"1"`).join(',')}}}`,
      ['malformed_request', 'input_invalid', 'limit_exceeded'],
    ],
    ['that is too large', `{${sale},"licensee":"${'x'.repeat(262_144)}"}`, ['body_too_large']],
  ])('%s is refused', async (_, body, codes) => {
    expectProblem(await post('/v1/licenses', body), ...codes);
    expectProblem(await post('/v1/licenses?dryRun=true', body), ...codes);
  });

  it('that is too large for a route of few lines is refused', async () => {
    expectProblem(
      await post(`/v1/licenses/${license}/revoke`, JSON.stringify({ reason: 'x'.repeat(20_000) })),
      'body_too_large',
    );
    const fetched = {
      method: 'POST',
      path: '/v1/bundles',
      body: `{"licenseKey":"${'x'.repeat(5000)}"}`,
      headers: { 'content-type': 'application/json' },
    };
    expectProblem(await ask('public', fetched), 'body_too_large');
  });

  it.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/json-patch+json',
    'application/x-www-form-urlencoded',
    'nonsense',
  ])('of type %s is refused', async (type) => {
    expectProblem(
      await post('/v1/licenses', `{${sale}}`, { 'content-type': type }),
      'unsupported_media_type',
    );
  });
});

describe('headers', () => {
  it.each([
    ['', 'of nothing'],
    ['a b', 'with a space'],
    ['x'.repeat(129), 'of 129 characters'],
    ['schl\u00fcssel', 'outside of ASCII'],
  ])('with an idempotency key %j, %s, are refused', async (key) => {
    expectProblem(
      await post('/v1/licenses', `{${sale}}`, { 'idempotency-key': key }),
      'idempotency_key_invalid',
    );
  });

  it('with two idempotency keys are refused', async () => {
    const headers = { ...adminHeaders(), 'idempotency-key': ['a', 'b'] };
    expectProblem(
      await ask('admin', { method: 'POST', path: '/v1/licenses', body: `{${sale}}`, headers }),
      'idempotency_key_invalid',
    );
  });

  it.each(['%', '%ff', '%00', 'x'.repeat(2401)])('with the reason %.20s are refused', async (reason) => {
    expectProblem(await post('/v1/licenses', `{${sale}}`, { 'tally-reason': reason }), 'malformed_request');
  });

  it.each(['-1', '1.5', 'x', '99999999999999999999', '0x10'])(
    'with Last-Event-ID %s are refused',
    async (id) => {
      const headers = { ...adminHeaders(), 'last-event-id': id };
      expectProblem(await ask('admin', { path: '/v1/events', headers }), 'malformed_request');
    },
  );

  it('with an idempotency key that was used for something else are refused', async () => {
    const key = randomUUID();
    const first = await post(`/v1/licenses/${license}/suspend`, '{"reason":"payment"}', {
      'idempotency-key': key,
    });
    expect(first.status).toBeLessThan(300);
    await system.published();
    sizeBefore = await system.size();
    for (const [path, body] of [
      [`/v1/licenses/${license}/suspend`, '{"reason":"dispute"}'],
      [`/v1/licenses/${license}/reinstate`, '{}'],
      ['/v1/licenses', `{${sale}}`],
    ] as const) {
      expectProblem(await post(path, body, { 'idempotency-key': key }), 'idempotency_key_reused');
    }
    const again = await post(`/v1/licenses/${license}/suspend`, '{"reason":"payment"}', {
      'idempotency-key': key,
    });
    expect(JSON.parse(again.text)).toMatchObject({
      changes: (JSON.parse(first.text) as { changes: object[] }).changes,
    });
  });
});

describe('a path', () => {
  it.each([
    '/v1/licenses?limit=0',
    '/v1/licenses?limit=1e3',
    '/v1/licenses?limit=-1',
    '/v1/licenses?limit=99999999999',
    '/v1/licenses?limit=1&limit=2',
    '/v1/licenses?cursor=AAAA',
    '/v1/licenses?cursor=%00',
    '/v1/licenses?state=nothing',
    '/v1/licenses?expiresBefore=tomorrow',
    '/v1/licenses?nothing=1',
    `/v1/licenses/lic_00000000000000000000000000/history?cursor=-1`,
    '/v1/licenses/%00',
    '/v1/licenses/a%0ab',
    '/v1/log/entries/-1',
    '/v1/log/entries/1e3',
    '/v1/log/entries/99999999999999999999',
    '/v1/log/entries/9007199254740992',
    '/v1/log/entries/9007199254740991',
    '/v1/products/%27%20OR%201%3D1',
    '/v1/products/..%2f..%2fetc%2fpasswd',
    '/v1/nothing',
    '/v1/',
    '/',
    '//v1/licenses',
    '/v1//licenses',
    '/v1/licenses/',
    '/V1/licenses',
    '/v1/licenses;x=1',
    '/v1/./licenses',
    '/v1/x/../licenses',
    '/v1/x/%2e%2e/licenses',
  ])('%s is refused', async (path) => {
    expectProblem(
      await ask('admin', { path, headers: adminHeaders() }),
      'malformed_request',
      'unknown_member',
      'not_found',
      'subject_unknown',
    );
  });

  it.each([
    '../0/000',
    '%2e%2e/secret',
    '0/../../checkpoint',
    '0/x000/../000',
    '0/x000/%2e%2e/000',
    '0/x000/000',
    '0//000',
    '/0/000',
    '//etc/passwd',
    '%2fetc%2fpasswd',
    'entries/..%2f..%2fledger.db',
    '0/000.p/0',
    '0/000.p/256',
    '0/000.p/257',
    '0/000.p/999',
    '0/000.p/01',
    '0/000.p/-1',
    '0/000.p/1/',
    '0/000.p/',
    '0/000.p',
    '0/0',
    '0/00',
    '0/0000',
    '0/001',
    '00/000',
    '64/000',
    '-1/000',
    '63/000',
    '0/x999/x999/x999/x999/x999/999',
    '0/x999/x999/x999/x999/x999/x999/999',
    'entries/x999/x999/x999/x999/x999/999',
    'entries/x009/x007/x199/x254/x740/992',
    'entries/000.p/255',
    'Entries/000',
    'entries/',
    'entries',
    'data/000',
    '',
    '0/000%00',
    '0/000?x=1',
    `0/${'x000/'.repeat(2000)}000`,
  ])('of a tile, %.60s, is refused, and no file is read', async (tile) => {
    for (const listener of ['public', 'admin'] as const) {
      const headers = { authorization: `Bearer ${system.mirrorToken}` };
      const answer = await ask(listener, { path: `/log/tile/${tile}`, headers });
      expectProblem(answer, 'malformed_request', 'unknown_member', 'not_found');
    }
  });
});

describe('a method', () => {
  it.each([
    ['DELETE', '/v1/licenses', 'GET, POST'],
    ['PUT', '/v1/licenses', 'GET, POST'],
    ['GET', '/v1/licenses/lic_x/suspend', 'POST'],
    ['POST', '/v1/log', 'GET'],
    ['OPTIONS', '/v1/licenses', 'GET, POST'],
    ['TRACE', '/v1/log', 'GET'],
    ['PROPFIND', '/v1/products', 'GET, POST'],
    ['DELETE', '/v1/products/pro', 'GET, PATCH'],
  ])('%s of %s is answered with Allow: %s', async (method, path, allow) => {
    const answer = await ask('admin', {
      method,
      path,
      headers: { authorization: `Bearer ${system.client.token}` },
    });
    expectProblem(answer, 'method_not_allowed');
    const sorted = (list: string): string[] => list.split(', ').sort();
    expect(sorted(String(answer.headers['allow']))).toEqual(sorted(allow));
  });

  it('of a wrong listener is answered with nothing here', async () => {
    const headers = adminHeaders();
    for (const path of [
      '/v1/licenses',
      '/v1/log',
      '/v1/events',
      '/v1/products/pro',
      `/v1/licenses/${license}`,
      '/metrics',
      '/healthz',
      '/v1/openapi.json',
    ]) {
      expectProblem(await ask('public', { path, headers }), 'not_found');
    }
    expectProblem(
      await ask('public', { method: 'POST', path: '/v1/licenses', body: `{${sale}}`, headers }),
      'not_found',
    );
    for (const path of ['/v1/licenses', '/log/checkpoint', '/v1/bundles'])
      expectProblem(await ask('ops', { path, headers }), 'not_found');
    for (const path of ['/metrics', '/readyz'])
      expectProblem(await ask('admin', { path, headers }), 'not_found');
  });
});

describe('a credential', () => {
  const routes: [string, string][] = [
    ['GET', '/v1/licenses'],
    ['GET', '/v1/log'],
    ['GET', '/v1/events'],
    ['GET', '/v1/log/entries/1'],
    ['POST', '/v1/licenses'],
    ['POST', '/v1/customers'],
  ];

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Basic YTpi',
    `Bearer ${'x'.repeat(4000)}`,
    'Bearer a b',
    'Bearer \u00e4',
  ])('that is %.20s is no credential', async (authorization) => {
    for (const [method, path] of routes) {
      const headers = {
        'content-type': 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
      };
      const body = method === 'POST' ? { body: `{${sale}}` } : {};
      const answer = await ask('admin', { method, path, headers, ...body });
      expectProblem(answer, 'unauthorized');
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
    expectProblem(
      await ask('public', {
        path: '/log/tile/0/000.p/1',
        headers: authorization === undefined ? {} : { authorization },
      }),
      'unauthorized',
    );
  });

  it('of a mirror reads the log only', async () => {
    const headers = { authorization: `Bearer ${system.mirrorToken}`, 'content-type': 'application/json' };
    for (const [method, path] of routes) {
      expectProblem(
        await ask('admin', { method, path, headers, ...(method === 'POST' ? { body: `{${sale}}` } : {}) }),
        'forbidden',
      );
    }
    expect((await ask('public', { path: '/log/tile/0/000.p/1', headers })).status).toBe(200);
  });

  it('is not told in any answer or line', () => {
    const secrets = [system.client.token, system.mirrorToken];
    expect(system.lines.filter((line) => secrets.some((secret) => line.includes(secret)))).toEqual([]);
  });
});

/** Resident memory in MiB. */
function residentMb(): number {
  const status = readFileSync(`/proc/${system.pid('server')}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

const requestsPerBurst = 10_000;
const connections = 500;

/** Valid and invalid requests in turn; none of them changes anything. */
function mixedRequest(nth: number): { listener: Listener; request: RawRequest; statuses: number[] } {
  const headers = adminHeaders();
  const dryRun = { method: 'POST', path: '/v1/licenses?dryRun=true', headers };
  const mix: { listener: Listener; request: RawRequest; statuses: number[] }[] = [
    { listener: 'admin', request: { ...dryRun, body: `{${sale}}` }, statuses: [200, 503] },
    { listener: 'admin', request: { ...dryRun, body: `{${sale},"nothing":${nth}}` }, statuses: [400] },
    { listener: 'admin', request: { path: `/v1/licenses/${license}`, headers }, statuses: [200, 503] },
    { listener: 'admin', request: { path: `/v1/licenses/lic_${nth}`, headers }, statuses: [404, 400, 503] },
    { listener: 'public', request: { path: '/log/checkpoint' }, statuses: [200, 503] },
    { listener: 'public', request: { path: `/log/tile/0/../${nth}` }, statuses: [400, 401, 404] },
    { listener: 'admin', request: { ...dryRun, body: '{'.repeat(nth % 100) }, statuses: [400] },
    {
      listener: 'admin',
      request: { path: '/v1/licenses', headers: { authorization: `Bearer ${nth}` } },
      statuses: [401],
    },
    {
      listener: 'public',
      request: {
        method: 'POST',
        path: '/v1/bundles',
        body: `{"licenseKey":"AAAA-${nth}-BBBB"}`,
        headers: { 'content-type': 'application/json' },
      },
      statuses: [404, 503],
    },
    {
      listener: 'admin',
      request: { ...dryRun, body: `{${sale},"licensee":"${'x'.repeat(5000)}"}` },
      statuses: [400],
    },
  ];
  return mix[nth % mix.length] as (typeof mix)[number];
}

async function burst(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections / 2 });
  const asked = Array.from({ length: requestsPerBurst }, async (_, nth) => {
    const { listener, request, statuses } = mixedRequest(nth);
    const answer = await ask(listener, request, agent);
    if (!statuses.includes(answer.status))
      throw new Error(`${JSON.stringify(request.path)}: ${answer.status} ${answer.text.slice(0, 300)}`);
    if (answer.status >= 400 && !answer.headers['content-type']?.includes(problemMediaType))
      throw new Error(answer.text);
  });
  const failed = (await Promise.allSettled(asked)).filter((each) => each.status === 'rejected');
  agent.destroy();
  expect(failed.slice(0, 3)).toEqual([]);
}

describe('what no route ever sees is answered with a problem as well', () => {
  const head =
    'POST /v1/bundles HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n';
  it.each<[string, string, RegExp]>([
    ['headers of 20 KB', `${head}X: ${'x'.repeat(20_000)}\r\n\r\n`, /headers are longer than 16 KiB/],
    ['a request line of 20 KB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, /request line/],
    ['a handshake of TLS', '\u0016\u0003\u0001\u0002\u0000', /no request of HTTP\/1\.1/],
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, /no request of HTTP\/1\.1/],
    ['a length and chunks', `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`, /no request/],
    ['no Host', `${head.replace('Host: x\r\n', '')}Content-Length: 2\r\n\r\n{}`, /header Host is missing/],
    ['an unknown Expect', `${head}Expect: wonders\r\nContent-Length: 2\r\n\r\n{}`, /licenseKey: is missing/],
  ])('%s', async (_, bytes, detail) => {
    const answer = await rawBytes(system.supervisor.urls.public, bytes, 500);
    const status = answer.slice('HTTP/1.1 '.length, 'HTTP/1.1 400'.length);
    const text = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    const headers = { 'content-type': /content-type: (\S+)/i.exec(answer)?.[1] };
    expectProblem({ status: Number(status), headers, text }, 'malformed_request', 'not_found');
    expect((JSON.parse(text) as { detail: string }).detail).toMatch(detail);
  });

  it('a body that says it is compressed, also where it is not', async () => {
    const coded = (coding: string) =>
      post('/v1/licenses?dryRun=true', `{${sale}}`, { 'content-encoding': coding });
    for (const coding of ['gzip', 'br', 'nonsense'])
      expectProblem(await coded(coding), 'unsupported_media_type');
    expect((await coded('Identity')).status).toBe(200);
  });

  it('a path that is too long', async () => {
    const answer = await ask('admin', { path: `/v1/licenses/${'a'.repeat(8000)}`, headers: adminHeaders() });
    expectProblem(answer, 'malformed_request');
    expect((JSON.parse(answer.text) as { detail: string }).detail).toMatch(/the path is too long/);
  });
});

describe('ten thousand requests at once', () => {
  it('are all answered in the terms of the contract, and leave nothing behind', async () => {
    const pid = system.pid('server');
    const residents: number[] = [];
    // The first two bursts warm up: heaps grow to the size that such a load needs.
    for (let nth = 0; nth < 4; nth++) {
      await burst();
      await sleep(500);
      residents.push(Math.round(residentMb()));
    }
    process.stdout.write(`resident memory after each burst: ${residents.join(', ')} MiB\n`);
    const [, second = 0, , last = 0] = residents;
    expect(last).toBeLessThan(second * 1.25 + 50);
    expect(system.pid('server')).toBe(pid);
    expect((await system.ops('/readyz')).status).toBe(200);
  }, 120_000);
});

describe('after all of this', () => {
  it('the log is whole and takes changes', async () => {
    await system.must('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Contoso' });
    await system.published();
    const { tree } = await walkLog(system);
    sizeBefore = await system.size();
    expect(tree.size).toBe(sizeBefore);
    expect(system.restarts).toEqual([]);
  });
});
