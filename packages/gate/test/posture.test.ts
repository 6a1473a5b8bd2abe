import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Device, deviceOfClaims, deviceOfHeader, devicePostureText } from '../src/index.ts';

const secret = createSecretKey(Buffer.alloc(32, 3));
const nowMs = Date.UTC(2026, 10, 26, 12);
const nowSeconds = nowMs / 1000;
const request = { method: 'POST', target: '/v1/licenses?wait=durable', credential: 'Bearer tally_session_x' };
const laptop: Device = { id: 'laptop-7', managed: true, encrypted: true, attested: false };
const proxy = { isAuthenticated: false, secret };

function header(device: Device, at: number, key: KeyObject | null, of = request): string {
  const flag = (value: boolean): string => (value ? '?1' : '?0');
  const { id, managed, encrypted, attested } = device;
  const text = `id="${id}", managed=${flag(managed)}, encrypted=${flag(encrypted)}, attested=${flag(attested)}, at=${at}`;
  if (key === null) return text;
  const mac = createHmac('sha256', key)
    .update(devicePostureText(device, at, of))
    .digest('base64');
  return `${text}, mac=:${mac}:`;
}

describe('a header about the device', () => {
  const valid = header(laptop, nowSeconds, secret);

  test('counts with the MAC of a listed proxy', () => {
    expect(deviceOfHeader(valid, proxy, request, nowMs)).toEqual(laptop);
  });

  test('counts over TLS with the certificate of the proxy', () => {
    const bare = header(laptop, nowSeconds, null);
    expect(deviceOfHeader(bare, { isAuthenticated: true, secret: null }, request, nowMs)).toEqual(laptop);
  });

  test.each([
    ['from an address that is no proxy', valid, null, request, nowMs],
    ['bare, from a proxy', header(laptop, nowSeconds, null), proxy, request, nowMs],
    ['from a proxy without a secret', valid, { ...proxy, secret: null }, request, nowMs],
    [
      'under another secret',
      header(laptop, nowSeconds, createSecretKey(Buffer.alloc(32, 4))),
      proxy,
      request,
      nowMs,
    ],
    ['of a minute ago', valid, proxy, request, nowMs + 60_001],
    ['from the future', valid, proxy, request, nowMs - 60_001],
    ['moved to another route', valid, proxy, { ...request, target: '/v1/brake/tighten' }, nowMs],
    ['moved to another method', valid, proxy, { ...request, method: 'GET' }, nowMs],
    ['moved to another caller', valid, proxy, { ...request, credential: 'Bearer tally_session_y' }, nowMs],
    ['with another device in it', valid.replace('laptop-7', 'laptop-8'), proxy, request, nowMs],
    ['with another answer in it', valid.replace('attested=?0', 'attested=?1'), proxy, request, nowMs],
    ['with half a MAC', valid.replace(/mac=:.*:/, 'mac=:AAAA:'), proxy, request, nowMs],
    [
      'with text where a truth value belongs',
      valid.replace('managed=?1', 'managed="yes"'),
      proxy,
      request,
      nowMs,
    ],
    ['that is not structured', 'managed', { isAuthenticated: true, secret: null }, request, nowMs],
    ['without a time', 'managed=?1', { isAuthenticated: true, secret: null }, request, nowMs],
    ['that is missing', undefined, proxy, request, nowMs],
  ])('%s says nothing', (_, text, sender, of, at) => {
    expect(deviceOfHeader(text, sender, of, at)).toBeNull();
  });

  test('a header that lists nothing true makes nothing true', () => {
    const sender = { isAuthenticated: true, secret: null };
    const nothing = { id: null, managed: false, encrypted: false, attested: false };
    expect(deviceOfHeader(`at=${nowSeconds}`, sender, request, nowMs)).toEqual(nothing);
  });

  test('no text makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(deviceOfHeader(text, proxy, request, nowMs)).toBeNull();
      }),
    );
  });
});

describe('verified claims', () => {
  const names = { id: 'device_id', managed: 'mdm', encrypted: 'disk' };

  test.each([
    [{ device_id: 'd1', mdm: true, disk: true, attested: true }, ['d1', true, true, false]],
    [{ mdm: 'true', disk: 1 }, [null, false, false, false]],
    [{ device_id: ['d1'], mdm: true }, [null, true, false, false]],
  ])('%j', (claims, [id, managed, encrypted, attested]) => {
    expect(deviceOfClaims(claims, names)).toEqual({ id, managed, encrypted, attested });
  });

  test('without any of the claims nothing is known, whatever an object inherits', () => {
    expect(deviceOfClaims({ sub: 'x' }, names)).toBeNull();
    expect(deviceOfClaims({}, { managed: 'constructor', id: 'toString' })).toBeNull();
  });
});
