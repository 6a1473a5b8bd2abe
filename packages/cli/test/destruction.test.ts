import { type BrakeDocument, keyFingerprintText, type NamespaceKey } from '@tallystick/core';
import { generateKeySpec, SigningKey, type SigningUsage } from '@tallystick/signer';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CurrentTrust } from '../src/governing/current.ts';
import { type KeysAtHand, type Target, targetOf } from '../src/governing/destruction.ts';

const issuing: SigningUsage[] = ['product', 'plan', 'customer', 'license'];
const limits = { offlineMax: null, termMax: null, seatsMax: null, perMinute: null };
const made = (usages: SigningUsage[], ns: string | null = 'acme'): SigningKey =>
  new SigningKey(generateKeySpec(usages, ns));
const idOf = ({ publicKey }: SigningKey): string => keyFingerprintText(publicKey);
const listed = (key: SigningKey, changes: Partial<NamespaceKey> = {}): NamespaceKey => {
  return {
    id: idOf(key),
    alg: 'ed25519',
    usages: [...key.usages] as never,
    from: 1,
    until: null,
    limits,
    ...changes,
  };
};

let first: SigningKey;
let second: SigningKey;
let brakeKey: SigningKey;
let log: SigningKey;
let hand: KeysAtHand;

beforeEach(() => {
  [first, second, brakeKey, log] = [made(issuing), made(issuing), made(['brake']), made(['log'], null)];
  hand = { held: [log, first, second, brakeKey], destroyed: [] };
});

/** As it is at log index 100. */
function trust(
  brake: Partial<BrakeDocument> = {},
  keys = [first, second, brakeKey].map((key) => listed(key)),
): CurrentTrust {
  const head = {
    v: 1,
    ns: 'acme',
    rev: 0,
    crit: [] as string[],
    epoch: 0,
    lock: 'open',
    minEpoch: 0,
  } as const;
  const support = { name: null, email: null, url: null };
  return {
    size: 100,
    brake: { index: 2, document: { ...head, type: 'brake', id: 'brake', until: [], ...brake } },
    namespace: {
      index: 1,
      document: { ...head, type: 'namespace', id: 'namespace', name: 'Acme', mode: 'test', support, keys },
    },
  };
}

const target = (key: SigningKey, current = trust(), mayStopIssuing = false): Target =>
  targetOf(key.keyid, current, hand, { mayStopIssuing });

describe('what is left to do about a key', () => {
  it('is everything for one that signs, by its key id or its fingerprint', () => {
    const steps = ['end', 'remove', 'release', 'state'];
    expect(target(first)).toMatchObject({ id: idOf(first), steps, since: null });
    expect(targetOf(idOf(first), trust(), hand, { mayStopIssuing: false })).toEqual(target(first));
  });

  it('goes from step to step', () => {
    const until = [{ id: idOf(first), index: 90 }];
    expect(target(first, trust({ until })).steps).toEqual(['remove', 'release', 'state']);
    hand = { held: [log, second, brakeKey], destroyed: [first] };
    expect(target(first, trust({ until })).steps).toEqual(['release', 'state']);
    const destroyed = [{ id: idOf(first), index: 95 }];
    expect(target(first, trust({ until, destroyed }))).toMatchObject({ steps: ['release'], since: 95 });
    hand = { held: [log, first, second, brakeKey], destroyed: [] };
    expect(target(first, trust({ epoch: 7, destroyed })).steps).toEqual(['remove', 'release']);
  });

  it('is only to remove one that no namespace lists', () => {
    const spare = made(issuing);
    hand = { ...hand, held: [...hand.held, spare] };
    expect(target(spare)).toMatchObject({ listed: null, steps: ['remove', 'release'] });
  });
});

describe('a key is not destroyed', () => {
  it.each(['log', 'root'] as const)('that signs %s', (usage) => {
    const key = made([usage], null);
    hand = { ...hand, held: [...hand.held, key] };
    expect(() => target(key, trust(), true)).toThrow(new RegExp(`signs ${usage}`));
  });

  it('that is not here, and never was', () => {
    const other = made(issuing);
    expect(() => target(other)).toThrow(/There is no key/);
    expect(() => target(other, trust({}, [listed(other)]))).toThrow(/does not hold/);
  });

  it('that signs the brake, before the authority has ended it', () => {
    expect(() => target(brakeKey, trust(), true)).toThrow(/cannot end its own key/);
    const keys = [listed(first), listed(second), listed(brakeKey, { until: 100 })];
    expect(target(brakeKey, trust({}, keys), true).steps).toEqual(['remove', 'release', 'state']);
  });

  it('that is the only one left for something, unless that is meant', () => {
    const until = [{ id: idOf(second), index: 50 }];
    expect(() => target(first, trust({ until }))).toThrow(/only one here that is left for product/);
    expect(target(first, trust({ until }), true).steps).toHaveLength(4);
    expect(() => target(brakeKey, trust({}, [listed(brakeKey, { until: 9 })]))).toThrow(/left for brake/);
  });

  it('where the other one is not here, or ended before it began', () => {
    hand = { ...hand, held: [log, first, brakeKey] };
    expect(() => target(first)).toThrow(/only one here/);
    hand = { ...hand, held: [log, first, second, brakeKey] };
    const ended = listed(second, { from: 200, until: 150 });
    expect(() => target(first, trust({}, [listed(first), ended]))).toThrow(/only one here/);
    expect(target(first, trust({}, [listed(first), { ...ended, until: null }])).steps).toHaveLength(4);
  });
});
