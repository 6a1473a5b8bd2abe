/** New versions of the trust root in a running log, and what clients that pin an older one make of them. */
import {
  encodeEnvelope,
  makeVerifierKey,
  noteSignatureType,
  parseTrustRoot,
  payloadTypes,
  preAuthEncoding,
  type TrustRoot,
  type TrustRootContent,
  utf8,
  verifyBundle,
} from '@tallystick/core';
import { MemoryStore } from '@tallystick/ledger';
import { generateKeySpec, type KeystoreKey, SigningKey } from '@tallystick/signer';
import { FaultyStore, LocalCosigner, nextTrustRoot, only, TestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let system: TestSystem;
let store: FaultyStore;
let first: TrustRoot;
let root: KeystoreKey;

beforeEach(async () => {
  store = new FaultyStore(new MemoryStore());
  system = await TestSystem.start({ store });
  await system.sellPro();
  first = system.world.trust;
  root = system.world.identity.keys.root[0] as KeystoreKey;
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

const namespacesUnder = (authority: KeystoreKey): TrustRootContent['namespaces'] =>
  new Map([['acme', { authority: { threshold: 1, keys: [authority.publicKey] }, require: new Map() }]]);

const person = (): SigningKey => new SigningKey(generateKeySpec(['root'], null));

function next(
  current: TrustRoot,
  signers: readonly KeystoreKey[],
  changes: Partial<TrustRootContent> = {},
): Promise<TrustRoot> {
  return nextTrustRoot(system, current, signers, changes);
}

async function issue(): Promise<string> {
  const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  await system.ledger.whenPublished((changes[0]?.index ?? 0) + 1, 5000);
  return changes[0]?.change.subject.id ?? '';
}

async function trustOf(file: string, pin: readonly TrustRoot[] = [first]): Promise<number> {
  return (await verifyBundle(utf8(file), { pin, namespace: 'acme' })).trust.version;
}

describe('a trust root that is published', () => {
  it('governs from there on, for clients of every pin, also after a restart', async () => {
    const id = await issue();
    const old = await system.ledger.bundle(id);
    const [alice, bob] = [person(), person()];
    const people = { threshold: 2, keys: [alice.publicKey, bob.publicKey] };
    const second = await next(first, [root, alice, bob], { root: people });
    expect(await system.ledger.publishTrust([first, second])).toBe(1);
    const third = await next(second, [alice, bob], { root: people, expires: '2040-01-01T00:00:00.000Z' });
    expect(await system.ledger.publishTrust([first, second, third])).toBe(1);
    const check = async (): Promise<void> => {
      const file = await system.ledger.bundle(await issue());
      expect(await trustOf(file)).toBe(3);
      expect(await trustOf(file, [first, second])).toBe(3);
      const short = await system.ledger.bundle(id, { trustVersion: 3 });
      expect(short.length).toBeLessThan(file.length);
      expect(await trustOf(short, [first, second, third])).toBe(3);
      await expect(trustOf(short)).rejects.toMatchObject({ code: 'TRUST_OUTDATED' });
    };
    await check();
    expect(await trustOf(old, [first, second, third])).toBe(1);
    await system.restart({ trust: [first, second, third] });
    await system.ready();
    await check();
  });

  it('is found again when it is published twice', async () => {
    const second = await next(first, [root]);
    expect(await system.ledger.publishTrust([first, second])).toBe(1);
    expect(await system.ledger.publishTrust([first, second])).toBe(0);
    expect(await system.ledger.publishTrust([first, second, await next(second, [root])])).toBe(1);
    await expect(system.ledger.publishTrust([first, second])).rejects.toThrow(/ends before version 3/);
  });

  it('is kept before it is logged: a file without it refuses to vouch for the log', async () => {
    const second = await next(first, [root]);
    await system.ledger.publishTrust([first, second]);
    await issue();
    await system.restart();
    expect(system.ledger.mutations).toMatchObject({
      problem: 'integrity',
      message: expect.stringMatching(/trust root file does not hold/) as string,
    });
  });

  it('is kept as the log holds it, whatever other signatures it is submitted with', async () => {
    let saved: readonly TrustRoot[] = [];
    await system.restart({
      saveTrust: async (chain) => {
        saved = chain;
      },
    });
    await system.ready();
    const message = preAuthEncoding(payloadTypes.trustRoot, first.envelope.payload);
    const stranger = person();
    const extra = { keyid: stranger.keyid, sig: stranger.sign(message) };
    const padded = { ...first.envelope, signatures: [...first.envelope.signatures, extra] };
    const again = parseTrustRoot(encodeEnvelope(padded));
    await system.ledger.publishTrust([again, await next(first, [root])]);
    await system.restart({ trust: saved });
    await system.ready();
    expect(await trustOf(await system.ledger.bundle(await issue()))).toBe(2);
  });

  it('that is in the file and not in the log does not govern', async () => {
    const second = await next(first, [root]);
    await system.restart({ trust: [first, second] });
    await system.ready();
    expect(await trustOf(await system.ledger.bundle(await issue()))).toBe(1);
  });

  it.each(['did nothing', 'did everything'] as const)(
    'on a disk that fails and %s is one truth',
    async (kind) => {
      const second = await next(first, [root]);
      store.fail('append', kind);
      const outcome = await system.ledger.publishTrust([first, second]).then(
        () => 'logged',
        () => 'failed',
      );
      expect(outcome).toBe(kind === 'did everything' ? 'logged' : 'failed');
      await system.ledger.publishTrust([first, second]);
      expect(await trustOf(await system.ledger.bundle(await issue()))).toBe(2);
    },
  );
});

describe('a trust root is refused, and nothing changes,', () => {
  const cases: [string, RegExp, () => Promise<TrustRoot>][] = [
    [
      'signed by others than the version before',
      /threshold of version 1/,
      () => {
        const stranger = person();
        return next(first, [stranger], { root: { threshold: 1, keys: [stranger.publicKey] } });
      },
    ],
    ['that skips a version', /out of order/, () => next(first, [root], { version: 3 })],
    ['that has expired', /expired/, () => next(first, [root], { expires: '2020-01-01T00:00:00.000Z' })],
    ['of another genesis', /genesis changed/, () => next(first, [root], { genesis: new Uint8Array(32) })],
    [
      'with other keys of the log',
      /changes the keys of the log/,
      () => {
        const { origin } = first.log;
        const vkey = makeVerifierKey(origin, noteSignatureType.ed25519, person().publicKey.key);
        return next(first, [root], { log: { origin, vkeys: [vkey] } });
      },
    ],
    [
      'with a quorum that does not come about now',
      /quorum of version 2 does not come about now \(.*example\/third.*try again/,
      () => {
        const { witnesses, replayers } = system.world.cosigners.quorum;
        const third = new LocalCosigner('witness.example/third');
        const members = [...witnesses.members, { name: third.name, vkeys: third.vkeys, url: null }];
        return next(first, [root], { quorum: { witnesses: { threshold: 3, members }, replayers } });
      },
    ],
    [
      'with another authority, and no namespace that it signed',
      /new authority has to sign the namespace anew/,
      () => next(first, [root], { namespaces: namespacesUnder(person()) }),
    ],
    [
      'with an algorithm that no listed key has',
      /asks for ml-dsa-44 on license records from log index 5000/,
      () => {
        const authority = { threshold: 1, keys: [only(system.world.identity.keys.authority).publicKey] };
        const require = new Map([['license', [{ from: 5000, algs: ['ml-dsa-44' as const] }]]]);
        return next(first, [root], { namespaces: new Map([['acme', { authority, require }]]) });
      },
    ],
    [
      'with another namespace',
      /changes the list of namespaces/,
      () => {
        const added = { authority: { threshold: 1, keys: [person().publicKey] }, require: new Map() };
        return next(first, [root], { namespaces: new Map([...first.namespaces, ['other', added]]) });
      },
    ],
  ];
  it.each(cases)('%s', async (_what, why, make) => {
    const bad = await make();
    await expect(system.ledger.publishTrust([first, bad])).rejects.toMatchObject({
      problem: 'trust_refused',
      message: expect.stringMatching(why) as string,
    });
    expect(await trustOf(await system.ledger.bundle(await issue()))).toBe(1);
  });

  it('of another history than the log', async () => {
    const second = await next(first, [root]);
    const other = await next(first, [root], { freshness: { offlineMax: 'P1D' } });
    await system.ledger.publishTrust([first, second]);
    await expect(system.ledger.publishTrust([first, other])).rejects.toThrow(
      /not the one that the log holds/,
    );
  });
});
