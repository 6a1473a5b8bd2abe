import { createPrivateKey, createPublicKey, type JsonWebKey, randomBytes, sign, verify } from 'node:crypto';
import { base64, keyFingerprintText, type PublicKey } from '@tallystick/core';
import fc from 'fast-check';
import { type InnerList, parseDictionary, parseList } from 'structured-headers';
import { describe, expect, test } from 'vitest';
import {
  checkSignedRequest,
  componentValue,
  contentDigest,
  type HttpMessage,
  isDigestOf,
  readEvidence,
  type SignatureCheck,
  signatureBase,
} from '../src/http-signature/index.ts';
import { body, message, newSigningKey, nowMs, signed, system } from './support/request.ts';

const key = newSigningKey();
const keyOf = (keyid: string): PublicKey | undefined =>
  keyid === keyFingerprintText(key.publicKey) ? key.publicKey : undefined;
const check = (of: HttpMessage, content: Uint8Array | null = body, at = nowMs): Promise<SignatureCheck> =>
  checkSignedRequest(of, content, { keyOf, system, nowMs: at });

describe('the vectors of RFC 9421 and RFC 9530', () => {
  const exampleBody = Buffer.from('{"hello": "world"}');
  const request: HttpMessage = {
    method: 'POST',
    scheme: 'https',
    authority: 'example.com',
    target: '/foo?param=Value&Pet=dog',
    headers: {
      host: 'example.com',
      date: 'Tue, 20 Apr 2021 02:07:55 GMT',
      'content-type': 'application/json',
      'content-length': '18',
    },
  };
  const inner = (text: string): InnerList => parseList(text)[0] as InnerList;

  test('B.2.6: the base and the signature with Ed25519', () => {
    const parameters =
      '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"';
    const base = signatureBase(inner(parameters), request);
    expect(base).toBe(
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        `"@signature-params": ${parameters}`,
      ].join('\n'),
    );
    const jwk: JsonWebKey = {
      kty: 'OKP',
      crv: 'Ed25519',
      d: 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU',
      x: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs',
    };
    const signature = sign(null, Buffer.from(base as string), createPrivateKey({ key: jwk, format: 'jwk' }));
    expect(signature.toString('base64')).toBe(
      'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
    );
  });

  test('B.2.4: the signature with P-256, as two numbers of 32 bytes', () => {
    const base = [
      '"@status": 200',
      '"content-type": application/json',
      '"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:',
      '"content-length": 23',
      '"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"',
    ].join('\n');
    const jwk: JsonWebKey = {
      kty: 'EC',
      crv: 'P-256',
      x: 'qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA',
      y: 'Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0',
    };
    const signature = Buffer.from(
      'wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==',
      'base64',
    );
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    expect(
      verify('sha256', Buffer.from(base), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature),
    ).toBe(true);
  });

  test('2.2: derived components', () => {
    const of = (name: string, target: string, authority = 'www.example.com'): string | null =>
      componentValue(name, { ...request, target, authority });
    expect(of('@target-uri', '/path?param=value')).toBe('https://www.example.com/path?param=value');
    expect(of('@authority', '/', 'WWW.Example.com:443')).toBe('www.example.com');
    expect(of('@authority', '/', 'www.example.com:8443')).toBe('www.example.com:8443');
    expect(of('@request-target', '/path?param=value')).toBe('/path?param=value');
    expect(of('@path', '/path?param=value')).toBe('/path');
    expect(of('@query', '/path?param=value&foo=bar&baz=bat%2Dman')).toBe(
      '?param=value&foo=bar&baz=bat%2Dman',
    );
    expect(of('@query', '/path?queryString')).toBe('?queryString');
    expect(of('@query', '/path?')).toBe('?');
    expect(of('@query', '/path')).toBe('?');
    expect(of('@status', '/path')).toBeNull();
  });

  test('RFC 9530: the digest of a body', () => {
    expect(contentDigest(exampleBody)).toBe('sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:');
    const withOthers = `sha-512=:AAAA:, ${contentDigest(exampleBody)}`;
    expect(isDigestOf(withOthers, exampleBody)).toBe(true);
    expect(isDigestOf('sha-512=:AAAA:', exampleBody)).toBe(false);
    expect(isDigestOf('sha-256="X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="', exampleBody)).toBe(false);
    expect(isDigestOf('nonsense(', exampleBody)).toBe(false);
  });
});

describe('a signed request', () => {
  test.each(['ed25519', 'ecdsa-p256-sha256'] as const)('verifies with %s, and is evidence', async (alg) => {
    const own = newSigningKey(alg);
    const keyid = keyFingerprintText(own.publicKey);
    const checked = await checkSignedRequest(signed(own), body, {
      keyOf: () => own.publicKey,
      system,
      nowMs,
    });
    if (!checked.ok) throw new Error(checked.why);
    expect(checked.signed).toMatchObject({ keyid, alg });
    const statement = await readEvidence(checked.signed, own.publicKey);
    expect(statement).toMatchObject({
      system,
      method: 'POST',
      authority: '127.0.0.1:4401',
      path: '/v1/licenses',
      query: '?wait=published',
      idempotencyKey: 'k-1',
      reason: 'TICKET-1',
      created: nowMs / 1000,
      expires: nowMs / 1000 + 300,
    });
    expect(Buffer.from(statement?.body ?? [])).toEqual(Buffer.from(body));
    for (const other of [null, '', '!', Buffer.from('{}').toString('base64')]) {
      expect(await readEvidence({ ...checked.signed, body: other }, own.publicKey)).toBeNull();
    }
    expect(await readEvidence(checked.signed, newSigningKey(alg).publicKey)).toBeNull();
  });

  test('needs no body where there is none', async () => {
    const { 'content-type': _, ...headers } = message.headers;
    const get = signed(key, { method: 'GET', headers }, null);
    expect((await check(get, null)).ok).toBe(true);
    expect((await check(get, body)).ok).toBe(false);
  });

  const altered: [string, (of: HttpMessage) => HttpMessage][] = [
    ['method', (of) => ({ ...of, method: 'PATCH' })],
    ['path', (of) => ({ ...of, target: of.target.replace('licenses', 'customers') })],
    ['query', (of) => ({ ...of, target: '/v1/licenses' })],
    ['authority', (of) => ({ ...of, authority: '127.0.0.1:4402' })],
    ['reason', (of) => ({ ...of, headers: { ...of.headers, 'tally-reason': 'TICKET-2' } })],
    ['idempotency key', (of) => ({ ...of, headers: { ...of.headers, 'idempotency-key': 'k-2' } })],
    ['content type', (of) => ({ ...of, headers: { ...of.headers, 'content-type': 'text/plain' } })],
    [
      'digest',
      (of) => ({ ...of, headers: { ...of.headers, 'content-digest': contentDigest(Buffer.from('{}')) } }),
    ],
    ['missing reason', (of) => ({ ...of, headers: { ...of.headers, 'tally-reason': undefined } })],
    ['added purpose', (of) => ({ ...of, headers: { ...of.headers, 'tally-purpose': 'support' } })],
  ];
  test.each(altered)('is refused with another %s', async (_, alter) => {
    expect((await check(signed(key))).ok).toBe(true);
    expect((await check(alter(signed(key)))).ok).toBe(false);
  });

  test('is refused with another body', async () => {
    const checked = await check(signed(key), Buffer.from('{"plan":"pln_x","customer":"cus_z"}'));
    expect(checked).toMatchObject({ ok: false, detail: 'Content-Digest is not the SHA-256 of the body' });
    expect((await check(signed(key), null)).ok).toBe(false);
  });

  test('is refused with one changed bit of the signature, and with none', async () => {
    const whole = signed(key);
    const [, text = ''] = /:(.*):/.exec(whole.headers['signature'] ?? '') ?? [];
    const bytes = Buffer.from(text, 'base64');
    for (const at of [0, 31, 32, 63]) {
      const other = Buffer.from(bytes);
      other[at] = (other[at] as number) ^ 1;
      const headers = { ...whole.headers, signature: `tally=:${other.toString('base64')}:` };
      expect((await check({ ...whole, headers })).ok).toBe(false);
    }
    expect((await check({ ...whole, headers: { ...whole.headers, signature: 'tally=::' } })).ok).toBe(false);
  });

  test('is refused before its time and after it', async () => {
    const whole = signed(key);
    expect((await check(whole, body, nowMs - 5_000)).ok).toBe(true);
    expect(await check(whole, body, nowMs - 6_000)).toMatchObject({
      detail: 'it was signed in the future: set the clock',
    });
    expect((await check(whole, body, nowMs + 299_000)).ok).toBe(true);
    expect(await check(whole, body, nowMs + 300_000)).toMatchObject({
      detail: 'the signature has expired: sign the request again',
    });
  });

  test('tells only who holds the key what is wrong', async () => {
    const stranger = newSigningKey();
    const checked = await check(
      signed(stranger, {}, body, { nowMs: nowMs - 3_600_000, nonce: 'x'.repeat(16) }),
    );
    expect(checked).toMatchObject({ ok: false, detail: null });
  });
});

/** A request that is signed, properly, over whatever the attacker likes. */
function signedOver(components: string, parameters: string, of: HttpMessage = message): HttpMessage {
  const input = parseDictionary(`tally=${components}${parameters}`).get('tally') as InnerList;
  const headers = { ...of.headers, 'content-digest': contentDigest(body), 'tally-system': system };
  const base = signatureBase(input, { ...of, headers });
  const signature = sign(null, Buffer.from(base ?? ''), key.privateKey).toString('base64');
  const added = { 'signature-input': `tally=${components}${parameters}`, signature: `tally=:${signature}:` };
  return { ...of, headers: { ...headers, ...added } };
}

describe('a signature that covers too little, or says too much', () => {
  const at = nowMs / 1000;
  const all =
    '("@method" "@authority" "@path" "@query" "tally-system" "content-type" "content-digest" "idempotency-key" "tally-reason")';
  const once = `nonce="${'n'.repeat(22)}"`;
  const keyid = `keyid="${keyFingerprintText(key.publicKey)}"`;
  const standard = `;created=${at};expires=${at + 60};${once};${keyid};tag="tallystick"`;

  test('the whole of it verifies, so that what follows fails for its own reason', async () => {
    expect((await check(signedOver(all, standard))).ok).toBe(true);
  });

  test.each(all.slice(1, -1).split(' '))('without %s', async (component) => {
    const checked = await check(signedOver(all.replace(component, '').replace('( ', '('), standard));
    expect(checked).toMatchObject({
      ok: false,
      kind: 'malformed',
      why: `the signature must cover ${component}`,
    });
  });

  test.each([
    ['no expiry', `;created=${at};${once};${keyid};tag="tallystick"`],
    ['no beginning', `;expires=${at};${once};${keyid};tag="tallystick"`],
    ['a window of more than five minutes', standard.replace(`${at + 60}`, `${at + 301}`)],
    ['an expiry before its beginning', standard.replace(`${at + 60}`, `${at}`)],
    ['no nonce', standard.replace(`;${once}`, '')],
    ['a nonce that repeats soon', standard.replace(once, 'nonce="short"')],
    ['no key', standard.replace(`;${keyid}`, '')],
    ['no tag', standard.replace(';tag="tallystick"', '')],
    ['another tag', standard.replace('tallystick', 'other')],
    ['a parameter of unknown meaning', `${standard};context="x"`],
    ['a truth value for a time', standard.replace(`created=${at}`, 'created=?1')],
    ['a fraction of a second', standard.replace(`created=${at}`, `created=${at}.5`)],
  ])('with %s', async (_, parameters) => {
    expect((await check(signedOver(all, parameters))).ok).toBe(false);
  });

  test.each(['none', 'hmac-sha256', 'ecdsa-p256-sha256', 'rsa-v1_5-sha256', 'ED25519', ''])(
    'with alg="%s"',
    async (alg) => {
      const checked = await check(signedOver(all, `${standard};alg="${alg}"`));
      expect(checked).toMatchObject({
        ok: false,
        kind: 'refused',
        why: 'alg is not the algorithm of the key',
      });
    },
  );

  test('with an HMAC under the public key, whatever alg says', async () => {
    const { createHmac } = await import('node:crypto');
    const whole = signedOver(all, standard);
    const input = parseDictionary(whole.headers['signature-input'] ?? '').get('tally') as InnerList;
    const base = signatureBase(input, whole) as string;
    const mac = createHmac('sha256', Buffer.from(key.publicKey.key)).update(base).digest('base64');
    const headers = { ...whole.headers, signature: `tally=:${mac}:` };
    expect((await check({ ...whole, headers })).ok).toBe(false);
  });

  test('with a component twice, or one that is read in another way', async () => {
    expect((await check(signedOver(all.replace('"@path"', '"@path" "@path"'), standard))).ok).toBe(false);
    expect((await check(signedOver(all.replace('"@path"', '"@path";req'), standard))).ok).toBe(false);
    expect((await check(signedOver(all.replace('"tally-reason"', '"tally-reason";bs'), standard))).ok).toBe(
      false,
    );
  });

  test('with a second signature of our tag', async () => {
    const whole = signedOver(all, standard);
    const { 'signature-input': input = '', signature = '' } = whole.headers;
    const twice = {
      ...whole.headers,
      'signature-input': `${input}, ${input.replace('tally=', 'other=')}`,
      signature: `${signature}, ${signature.replace('tally=', 'other=')}`,
    };
    expect((await check({ ...whole, headers: twice })).ok).toBe(false);
    const proxied = {
      ...whole.headers,
      'signature-input': `${input}, proxy=("@method");created=1`,
      signature: `${signature}, proxy=:AAAA:`,
    };
    expect((await check({ ...whole, headers: proxied })).ok).toBe(true);
  });

  test('a line feed cannot make one component look like two', async () => {
    const input = parseList(`("@method" "tally-reason")${standard}`)[0] as InnerList;
    const headers = { 'tally-reason': 'x\n"@path": /v1/other' };
    expect(signatureBase(input, { ...message, headers })).toBeNull();
  });

  test('no text of the two headers makes it throw', async () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('tally=', '(', ')', ':AAAA:', ';tag="tallystick"', '"@method"'),
    );
    const text = fc.array(piece).map((pieces) => pieces.join(''));
    await fc.assert(
      fc.asyncProperty(text, text, async (input, signature) => {
        const headers = { ...message.headers, 'signature-input': input, signature };
        expect((await check({ ...message, headers })).ok).toBe(false);
      }),
    );
  });
});

describe('evidence', () => {
  test('is no evidence with any one character changed', async () => {
    const checked = await check(signed(key));
    if (!checked.ok) throw new Error(checked.why);
    const { signed: evidence } = checked;
    for (let at = 0; at < evidence.base.length; at += 7) {
      const other = evidence.base[at] === 'x' ? 'y' : 'x';
      const base = evidence.base.slice(0, at) + other + evidence.base.slice(at + 1);
      expect(await readEvidence({ ...evidence, base }, key.publicKey)).toBeNull();
    }
    expect(await readEvidence({ ...evidence, alg: 'ecdsa-p256-sha256' }, key.publicKey)).toBeNull();
    expect(await readEvidence({ ...evidence, keyid: 'other' }, key.publicKey)).toBeNull();
    expect(await readEvidence({ ...evidence, signature: '!' }, key.publicKey)).toBeNull();
  });

  test('a text that the key signed for something else is no request', async () => {
    const of = async (base: string): Promise<unknown> => {
      const signature = sign(null, Buffer.from(base), key.privateKey).toString('base64');
      const keyid = keyFingerprintText(key.publicKey);
      return readEvidence({ base, signature, keyid, alg: 'ed25519', body: base64(body) }, key.publicKey);
    };
    const checked = await check(signed(key, {}, body, { nowMs, nonce: randomBytes(16).toString('hex') }));
    if (!checked.ok) throw new Error(checked.why);
    const { base } = checked.signed;
    expect(await of(base)).not.toBeNull();
    expect(await of('hello')).toBeNull();
    expect(await of(base.replace('tag="tallystick"', 'tag="other"'))).toBeNull();
    expect(await of(base.replace('"@path" "@query"', '"@query" "@path"'))).toBeNull();
    expect(await of(base.replace('"@path": /v1/licenses\n', ''))).toBeNull();
    expect(await of(base.replace('\n"@path"', '\n"@path": /v1/other\n"@path"'))).toBeNull();
  });
});
