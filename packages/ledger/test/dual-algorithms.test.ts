/** A ledger whose root, log and cosigners sign with both algorithms, and what is left of it when one is stripped. */
import { utf8, verifyBundle, verifyTrustChain } from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let system: TestSystem;
/** A license file as JSON. */
let file: { anchor: { entry: string; proof: string } };

beforeAll(async () => {
  system = await TestSystem.start({ algorithms: ['ed25519', 'ml-dsa-44'] });
  await system.sellPro();
  const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  const [change] = changes;
  await system.ledger.whenPublished((change?.index ?? 0) + 1, 5000);
  file = JSON.parse(await system.ledger.bundle(change?.change.subject.id ?? '')) as typeof file;
});

afterAll(() => system[Symbol.asyncDispose]());

const verify = async (proof: string): Promise<number> => {
  const text = JSON.stringify({ ...file, anchor: { ...file.anchor, proof } });
  const proven = await verifyBundle(utf8(text), { pin: [system.world.trust], namespace: 'acme' });
  return proven.trust.version;
};

/** Signature lines of the checkpoint; those of ML-DSA-44 are the long ones. */
const lines = (name: string, kind: 'ed25519' | 'ml-dsa-44'): string[] =>
  file.anchor.proof
    .split('\n')
    .filter((line) => line.startsWith(`— ${name} `) && line.length > 1000 === (kind === 'ml-dsa-44'));

describe('a license file of a system with both algorithms', () => {
  it('carries a line of each for the log and for every cosigner, and verifies', async () => {
    for (const name of ['tally.example/log', 'witness.example/one', 'witness.example/replayer'])
      expect([lines(name, 'ed25519').length, lines(name, 'ml-dsa-44').length]).toEqual([1, 1]);
    expect(await verify(file.anchor.proof)).toBe(1);
  });

  it.each([
    ['tally.example/log', 'ed25519', 'LOG_SIGNATURE_INVALID'],
    ['tally.example/log', 'ml-dsa-44', 'LOG_SIGNATURE_INVALID'],
    ['witness.example/replayer', 'ed25519', 'QUORUM_UNMET'],
    ['witness.example/replayer', 'ml-dsa-44', 'QUORUM_UNMET'],
  ] as const)('without the line of %s in %s does not', async (name, kind, code) => {
    const [line] = lines(name, kind);
    await expect(verify(file.anchor.proof.replace(`${line}\n`, ''))).rejects.toMatchObject({ code });
  });

  it.each(['ed25519', 'ml-dsa-44'] as const)(
    'counts a witness of two without its %s for nothing',
    async (kind) => {
      const strip = (names: string[]): string =>
        names.reduce((proof, name) => proof.replace(`${lines(name, kind)[0]}\n`, ''), file.anchor.proof);
      expect(await verify(strip(['witness.example/one']))).toBe(1);
      const both = verify(strip(['witness.example/one', 'witness.example/two']));
      await expect(both).rejects.toMatchObject({ code: 'QUORUM_UNMET' });
    },
  );

  it('stands on a trust root that is none with one signature', async () => {
    const envelope = Buffer.from(system.world.identity.trustRoot).toString();
    const json = JSON.parse(envelope) as { signatures: unknown[] };
    expect(json.signatures).toHaveLength(2);
    for (const stripped of json.signatures) {
      const signatures = json.signatures.filter((each) => each !== stripped);
      const chain = verifyTrustChain([utf8(JSON.stringify({ ...json, signatures }))]);
      await expect(chain).rejects.toMatchObject({ code: 'TRUST_INVALID' });
    }
  });

  it('goes on after a restart', async () => {
    await system.restart();
    await system.ready();
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  });
});

describe('a namespace whose perpetual licenses need both algorithms', () => {
  it('signs those with both and the others with one, rotates each by itself, and clients take all', async () => {
    await using perpetual = await TestSystem.start({ perpetual: ['ed25519', 'ml-dsa-44'] });
    await perpetual.sellPro();
    const plan = { code: 'pro-forever', name: 'Pro, for ever', term: { length: null } } as const;
    await perpetual.run({
      type: 'plan.create',
      product: 'pro',
      ...plan,
      entitlements: { pdf: { value: true } },
    });
    const algorithms = async (code: string): Promise<string[]> => {
      const { changes } = await perpetual.run({ type: 'license.issue', plan: code });
      const [change] = changes;
      await perpetual.ledger.whenPublished((change?.index ?? 0) + 1, 5000);
      const text = await perpetual.ledger.bundle(change?.change.subject.id ?? '');
      await verifyBundle(utf8(text), { pin: [perpetual.world.trust], namespace: 'acme' });
      // The brake key is the last of them.
      return (JSON.parse(text) as { keys: { alg: string }[] }).keys.map(({ alg }) => alg).slice(0, -1);
    };
    const check = async (): Promise<void> => {
      expect(await algorithms('pro-yearly')).toEqual(['ed25519']);
      expect(await algorithms('pro-forever')).toEqual(['ed25519', 'ml-dsa-44']);
    };
    await check();
    const { keys } = perpetual.ledger.governing.namespace;
    const [first, second] = keys.filter(({ alg }) => alg === 'ml-dsa-44');
    await perpetual.run({ type: 'brake.tighten', until: [{ key: first?.id ?? '' }] });
    await check();
    // The Ed25519 keys that are left cannot do its work.
    const last = perpetual.run({ type: 'brake.tighten', until: [{ key: second?.id ?? '' }] });
    await expect(last).rejects.toThrow(/No key would be left/);
  });
});
