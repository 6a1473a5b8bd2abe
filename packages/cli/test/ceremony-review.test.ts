import { formatVerifierKey, makeVerifierKey, noteSignatureType } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { newestOf } from '../src/ceremony/chain-file.ts';
import { progressOf } from '../src/ceremony/collect.ts';
import { parseHolders } from '../src/ceremony/key-line.ts';
import { type Review, reviewOf } from '../src/ceremony/review.ts';
import { type Change, firstChain, logKey, now, Person, people, proposed } from './support/ceremony.ts';

const [alice, bob, carol, dave] = people('alice', 'bob', 'carol', 'dave') as [Person, Person, Person, Person];
const three = [alice, bob, carol];
/** Their second keys. */
const more = ['alice', 'bob', 'carol'].map((name) => new Person(name, 'root', 'ml-dsa-44'));
const heir = new Person('heir', 'authority');
const witness = (name: string): string => {
  const key = new Person(name).key.publicKey.key;
  return `    - vkeys:\n        - ${formatVerifierKey(makeVerifierKey(name, noteSignatureType.ed25519Cosignature, key))}\n`;
};

async function review(change: Change, list = ''): Promise<Review> {
  const chain = await firstChain(three, 2);
  const { proposal, current, next } = proposed(chain, change);
  expect(current).toBe(newestOf(chain));
  const progress = progressOf(current, next, [alice.key.publicKey]);
  return reviewOf(current, next, { proposal, holders: parseHolders(list), progress, now });
}

const codes = ({ warnings }: Review): string[] => warnings.map(({ code }) => code);
const usual = ['single_key'];

describe('the review of a proposal', () => {
  it('says who comes, goes and stays, by the names of the reader alone', async () => {
    const change = { add: [dave], remove: [carol], expires: '2028-06-01' };
    const { root, expires, signatures } = await review(change, `${dave.line}\n\n# mine\n${alice.line}\n`);
    expect(root).toMatchObject({
      threshold: { before: 2, after: 2 },
      count: { before: 3, after: 3 },
      added: [{ id: dave.id, holder: 'dave' }],
      removed: [{ id: carol.id, holder: null }],
      kept: [
        { id: alice.id, holder: 'alice' },
        { id: bob.id, holder: null },
      ],
      canBeLost: 1,
      mustCollude: 2,
    });
    expect(expires).toMatchObject({ after: '2028-06-01T00:00:00.000Z', daysLeft: 517 });
    expect(signatures.map(({ signed, missing, met }) => [signed.length, missing.length, met])).toEqual([
      [1, 2, false],
      [1, 2, false],
    ]);
  });

  it('counts a cosigner of several keys once, and shows all of them', async () => {
    const key = new Person('w3', 'root', 'ml-dsa-44').key.publicKey.key;
    const second = formatVerifierKey(makeVerifierKey('w3', noteSignatureType.mlDsa44Cosignature, key));
    const { witnesses } = await review({ more: `witnesses:\n  add:\n${witness('w3')}        - ${second}\n` });
    expect(witnesses).toMatchObject({ threshold: { before: 2, after: 2 }, count: { before: 3, after: 4 } });
    expect(witnesses.added.map(({ name, vkeys }) => [name, vkeys.length, vkeys[1]])).toEqual([
      ['w3', 2, second],
    ]);
    const other = witness('w4').replace('    - vkeys:\n', '');
    const mixed = review({ more: `witnesses:\n  add:\n${witness('w3')}${other}` });
    await expect(mixed).rejects.toThrow(/have different names: list each cosigner by itself/);
  });

  it('says how many cosigners may collude and how many may be absent', async () => {
    const add = ['w3', 'w4'].map(witness).join('');
    const { witnesses, replayers } = await review({ more: `witnesses:\n  threshold: 4\n  add:\n${add}` });
    expect(witnesses).toMatchObject({ threshold: { before: 2, after: 4 }, count: { before: 3, after: 5 } });
    expect([witnesses.colluding, witnesses.absent, witnesses.added.length]).toEqual([2, 1, 2]);
    expect([replayers.colluding, replayers.absent, replayers.kept.length]).toEqual([0, 0, 1]);
  });

  it('says which algorithms records need from where on, behind what they needed before', async () => {
    const required = 'require:\n  acme:\n    license:\n      - { from: 5000, algs: [ed25519, ml-dsa-44] }\n';
    const { newRequirements } = await review({ more: required });
    expect(newRequirements).toHaveLength(1);
    expect(newRequirements[0]).toMatch(/acme.*license.*5000.*ed25519.*ml-dsa-44/);
    for (const [wrong, why] of [
      ['acme:\n    leaflet:\n      - { from: 1, algs: [ed25519] }', /leaflet is not known/],
      ['acme:\n    license:\n      - { from: 1, algs: [rsa] }', /rsa is not an algorithm/],
      ['acme:\n    license:\n      - { algs: [ed25519] }', /from which log index on/],
      ['other:\n    license:\n      - { from: 1, algs: [ed25519] }', /no namespace other/],
    ] as const) {
      await expect(review({ more: `require:\n  ${wrong}\n` })).rejects.toThrow(why);
    }
  });

  it.each<[string, Change, string[]]>([
    ['a year ahead', { expires: '2028-01-02' }, []],
    ['both algorithms, and neither enough alone', { add: more, threshold: 4 }, []],
    ['both algorithms, and either enough alone', { add: more, threshold: 3 }, ['one_algorithm_suffices']],
    [
      'a second key for one person alone',
      { add: more.slice(0, 1), threshold: 3 },
      ['one_algorithm_suffices'],
    ],
    ['an expiry far away', { expires: '2031-01-01' }, ['expires_late']],
    ['an expiry that is near', { expires: '2027-03-01' }, ['expires_soon']],
    ['a threshold of one', { threshold: 1 }, ['threshold_one']],
    ['one key', { remove: [bob, carol], threshold: 1 }, ['single_key']],
    ['no key to lose', { threshold: 3 }, ['no_key_to_lose']],
    [
      'nobody who stays',
      { add: [dave, new Person('erin')], remove: three },
      ['no_key_to_lose', 'nobody_stays'],
    ],
    ['witnesses who all have to answer', { more: 'witnesses: { threshold: 3 }\n' }, ['quorum_nobody_absent']],
    ['witnesses of whom few are enough', { more: 'witnesses: { threshold: 1 }\n' }, ['quorum_splits']],
    [
      'another authority',
      { more: `authority:\n  acme:\n    threshold: 2\n    add: [${heir.line}]\n` },
      ['no_key_to_lose', 'authority_changes'],
    ],
  ])('warns of what is allowed and unwise: %s', async (_, change, expected) => {
    const found = codes(await review(change));
    const ofAuthority = 'more' in change && change.more?.startsWith('authority') === true ? [] : usual;
    expect(found.toSorted()).toEqual([...expected, ...ofAuthority].toSorted());
  });

  it('says what perpetual licenses are to need', async () => {
    const { proposal, current, next } = proposed(await firstChain(three, 2), { expires: '2028-01-02' });
    const both = ['ed25519', 'ml-dsa-44'] as const;
    const namespaces = new Map(
      [...next.namespaces].map(([ns, trust]) => {
        const known = trust.require.get('license') ?? [];
        const added = { from: 9, algs: [both[0]], perpetual: [...both] };
        return [ns, { ...trust, require: new Map([['license', [...known, added]]]) }];
      }),
    );
    const context = { proposal, holders: parseHolders(''), progress: [], now };
    expect(reviewOf(current, { ...next, namespaces }, context).newRequirements).toEqual([
      'acme: license records from entry 9 on need ed25519, and perpetual ones ed25519 and ml-dsa-44',
    ]);
  });

  it('warns of new log keys', async () => {
    const vkey = formatVerifierKey(logKey('tally.example/log'));
    const { log, warnings } = await review({ more: `log:\n  add:\n    - ${vkey}\n` });
    expect([log.added, log.kept.length]).toEqual([[vkey], 1]);
    expect(warnings.map(({ code }) => code)).toContain('log_key_changes');
  });
});
