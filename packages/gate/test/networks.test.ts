import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalAddress } from '../src/authenticate/address.ts';
import { AddressError, isInRanges, Networks, parseRange } from '../src/index.ts';

const proxy = (addresses: string[]) => ({ addresses, spiffeId: null, secret: null });

describe('ranges', () => {
  test.each([
    ['10.0.0.0/8', '10.255.1.2', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['192.0.2.64/26', '192.0.2.127', true],
    ['192.0.2.64/26', '192.0.2.128', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '::1', false],
    ['2001:db8::/32', '2001:DB8:0:0::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::/0', '10.1.2.3', false],
    ['10.0.0.0/8', 'localhost', false],
    ['999.1/8', '10.1.2.3', false],
  ])('%s and %s: %s', (range, address, expected) => {
    expect(isInRanges(address, [range])).toBe(expected);
  });

  test.each([
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '2001:db8::1/32',
    '::/129',
    'fe80::%eth0/64',
    '10.0.0.0/',
    'office',
    '',
  ])('%s is refused with a sentence', (text) => {
    expect(() => parseRange(text)).toThrow(AddressError);
  });

  test('an address is in its own range of every length, and in that of its neighbor only where they agree', () => {
    const octet = fc.nat(255);
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), fc.nat(32), fc.nat(31), (address, prefix, bit) => {
        const number = address.reduce((sum, part) => sum * 256 + part, 0);
        const network = prefix === 0 ? 0 : number - (number % 2 ** (32 - prefix));
        const text = (value: number): string => [24, 16, 8, 0].map((by) => (value >>> by) & 255).join('.');
        const range = `${text(network)}/${prefix}`;
        expect(isInRanges(text(number), [range])).toBe(true);
        // Bit 0 is the leftmost one.
        expect(isInRanges(text((number ^ (1 << (31 - bit))) >>> 0), [range])).toBe(bit >= prefix);
      }),
    );
  });

  test('an address of any length of groups keeps its meaning', () => {
    const group = fc.nat(0xffff);
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        fc.pre(groups.slice(0, 5).some((each) => each !== 0));
        const text = groups.map((each) => each.toString(16)).join(':');
        expect(isInRanges(canonicalAddress(text) as string, [text])).toBe(true);
      }),
    );
  });
});

describe('the address of a request', () => {
  const networks = new Networks({
    networks: { office: ['192.0.2.0/24'], all: ['0.0.0.0/0'], lab: ['2001:db8::/32'] },
    trustedProxies: [proxy(['10.0.0.0/24']), proxy(['::1'])],
  });

  test.each([
    ['nobody is between', '203.0.113.5', undefined, '203.0.113.5'],
    ['a stranger writes the header', '203.0.113.5', '192.0.2.1', '203.0.113.5'],
    ['a proxy writes it', '10.0.0.1', '203.0.113.5', '203.0.113.5'],
    ['a stranger wrote it before the proxy did', '10.0.0.1', '192.0.2.1, 203.0.113.5', '203.0.113.5'],
    ['two proxies', '10.0.0.1', '203.0.113.5, 10.0.0.2', '203.0.113.5'],
    ['two proxies and a stranger', '10.0.0.1', '192.0.2.1, 203.0.113.5, 10.0.0.2', '203.0.113.5'],
    ['a stranger claims to be a proxy', '10.0.0.1', '192.0.2.1, 10.0.0.9, 203.0.113.5', '203.0.113.5'],
    ['garbage that no proxy wrote', '10.0.0.1', 'office, 203.0.113.5', '203.0.113.5'],
    ['garbage that a proxy wrote', '10.0.0.1', '203.0.113.5, office', null],
    ['a proxy with a port', '10.0.0.1', '203.0.113.5:99', null],
    ['a proxy that calls itself', '10.0.0.1', undefined, '10.0.0.1'],
    ['proxies alone', '10.0.0.1', '10.0.0.2', '10.0.0.2'],
    ['a proxy on a socket for both', '::ffff:10.0.0.1', '203.0.113.5', '203.0.113.5'],
    ['an address with a zone', '::1', 'fe80::1%eth0', 'fe80::1'],
    ['empty', '10.0.0.1', '', null],
  ])('%s', (_, peer, header, expected) => {
    expect(networks.addressOf(peer, header)).toBe(expected);
  });

  test('what a stranger puts in front never changes the answer', () => {
    const hop = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('10.0.0.3'), fc.string());
    fc.assert(
      fc.property(fc.array(hop), (forged) => {
        const header = [...forged, '203.0.113.5', '10.0.0.2'].join(', ');
        expect(networks.addressOf('10.0.0.1', header)).toBe('203.0.113.5');
      }),
    );
  });

  test('networks are named in order', () => {
    expect(networks.namesOf('192.0.2.9')).toEqual(['all', 'office']);
    expect(networks.namesOf('2001:db8::9')).toEqual(['lab']);
    expect(networks.namesOf('::9')).toEqual([]);
  });
});
