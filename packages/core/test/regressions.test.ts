import { describe, expect, it } from 'vitest';
import {
  type BrakeDocument,
  checkPublicKey,
  entitledKey,
  parseBrake,
  utf8,
  verifyTrustChain,
} from '../src/index.ts';
import { accepted, type BundleCase, memory, publicKeys, refused, story } from './support/bundle-case.ts';
import { runCase } from './support/run-case.ts';
import { b64, fingerprint, vkeyOf } from './support/signers.ts';
import {
  Cast,
  keyJson,
  licenseId,
  namespaceKeyJson,
  otherLicenseId,
  startSeconds,
  trustEnvelope,
  trustHash,
  trustJson,
  World,
} from './support/world.ts';

const cast = new Cast();

/** A log cut back to its first two licenses, signed again later. */
function rolledBack(seconds: number): BundleCase {
  const world = new World({ cast });
  world.record({ id: licenseId });
  world.record({ id: otherLicenseId });
  const anchor = world.anchor({ seconds });
  return accepted(
    'rolled back',
    world,
    anchor,
    world.bundle(otherLicenseId, anchor),
    {},
    { id: otherLicenseId },
  );
}

describe('what a client remembers', () => {
  it('does not let a rolled-back log creep forward in steps of less than an hour', async () => {
    const { world, second } = story(new World({ cast }));
    const first = await runCase({
      ...rolledBack(second.seconds + 3000),
      remembered: memory(world, second, []),
    });
    if (!('valid' in first) || first.valid.remembered === undefined)
      throw new Error('within the hour it is accepted');
    const next = await runCase({ ...rolledBack(second.seconds + 6000), remembered: first.valid.remembered });
    expect(next).toEqual({ code: 'ROLLED_BACK' });
  });
});

describe('trust steps', () => {
  it('that the pin already has are skipped, so that a saved file outlives an update of the software', async () => {
    const world = new World({ cast });
    world.record({ id: licenseId });
    const { index } = world.nextTrust({}, cast.roots.slice(0, 2));
    const step = world.trustStep(index, world.anchor());
    const after = world.anchor({ seconds: startSeconds + 60 });
    const bundle = world.bundle(licenseId, after, { trust: [step] });
    const options = { pin: world.trustEnvelopes };
    const vector = accepted('a known step', world, after, bundle, { trustVersion: 2 }, options);
    expect(await runCase(vector)).toEqual(vector.expect);
  });
});

describe('a client that has seen version 2 of the trust root', () => {
  it('is not led back to version 1 by a checkpoint from after version 2, whoever signs it', async () => {
    const world = new World({ cast });
    world.record({ id: licenseId });
    const { index } = world.nextTrust({}, cast.roots.slice(0, 2));
    const step = world.trustStep(index, world.anchor());
    const seen = world.anchor({ seconds: startSeconds + 60 });
    const pin = world.trustEnvelopes.slice(0, 1);
    const now = accepted('', world, seen, world.bundle(licenseId, seen, { trust: [step] }), {}, { pin });
    const found = await runCase(now);
    if (!('valid' in found)) throw new Error('version 2 is accepted');
    const back = world.anchor({ seconds: startSeconds + 120, trust: trustHash(pin[0] as Uint8Array) });
    const { remembered = null } = found.valid;
    const led = await runCase(
      refused('', 'TRUST_INVALID', world, world.bundle(licenseId, back), { pin, remembered }),
    );
    expect(led).toEqual({ code: 'TRUST_INVALID' });
  });
});

describe('checking a public key', () => {
  it('leaves the bytes of a Buffer alone: slice() of a Buffer is no copy', () => {
    const key = Buffer.alloc(32, 0xa5);
    checkPublicKey('ed25519', key);
    expect(key[31]).toBe(0xa5);
  });
});

describe('a pin', () => {
  it('may name a successor of the log, under a new origin and key', async () => {
    const first = trustEnvelope(trustJson(cast), cast.roots.slice(0, 2));
    const log = { ...new Cast('heirs').log, name: 'log.example/successor' };
    const next = trustJson(cast, {
      version: 2,
      genesis: b64(trustHash(first)),
      prev: b64(trustHash(first)),
      log: { origin: log.name, vkeys: [vkeyOf(log)] },
    });
    const chain = await verifyTrustChain([first, trustEnvelope(next, cast.roots.slice(0, 2))]);
    expect(chain.map((trust) => trust.log.origin)).toEqual([cast.log.name, log.name]);
  });
});

describe('algorithm requirements', () => {
  it('that are new do not reach back before the version that makes them', async () => {
    const world = new World({ cast });
    world.record({ id: licenseId });
    const require = { license: [{ from: 0, algs: ['ml-dsa-44'] }] };
    const namespaces = { acme: { authority: { threshold: 1, keys: [keyJson(cast.authority)] }, require } };
    const { index } = world.nextTrust({ namespaces }, cast.roots.slice(0, 2));
    const step = world.trustStep(index, world.anchor());
    const after = world.anchor({ seconds: startSeconds + 60 });
    const bundle = world.bundle(licenseId, after, { trust: [step] });
    expect(await runCase(refused('', 'TRUST_INVALID', world, bundle))).toEqual({ code: 'TRUST_INVALID' });
  });
});

describe('the type of a record', () => {
  it('belongs to its subject: a key for customers cannot sign a license', async () => {
    const world = new World({ cast });
    const document = { type: 'customer' };
    world.record({ id: licenseId, type: 'customer.created', document, signers: [cast.customer] });
    const bundle = world.bundle(licenseId, world.anchor());
    bundle.keys = publicKeys([cast.customer, cast.brake]);
    const found = await runCase(refused('', 'ALTERED', world, bundle));
    expect(found).toEqual({ code: 'ALTERED' });
  });

  it('belongs to its document: anything else is ALTERED', async () => {
    const world = new World({ cast });
    world.record({ id: licenseId, document: { type: 'plan' } });
    expect(await runCase(refused('', 'ALTERED', world, world.bundle(licenseId, world.anchor())))).toEqual({
      code: 'ALTERED',
    });
  });

  it.each([
    ['namespace', 'namespace.created'],
    ['namespace', 'namespace.revoked'],
    ['brake', 'brake.released'],
  ])('of a later %s is updated, not %s', async (id, type) => {
    const world = new World({ cast });
    world.record({ id, type });
    world.record({ id: licenseId });
    const bundle = world.bundle(licenseId, world.anchor());
    expect(await runCase(refused('', 'ALTERED', world, bundle))).toEqual({ code: 'ALTERED' });
  });
});

describe('a brake', () => {
  it('that stops a key twice is refused, or at least the lower index counts', () => {
    const id = b64(fingerprint(cast.license));
    const text = (until: BrakeDocument['until']): string =>
      JSON.stringify({
        v: 1,
        type: 'brake',
        ns: 'acme',
        id: 'brake',
        rev: 0,
        crit: [],
        epoch: 0,
        lock: 'open',
        minEpoch: 0,
        until,
      });
    const namespace = {
      epoch: 0,
      keys: [namespaceKeyJson({ signer: cast.license, usages: ['license'] })],
    } as unknown as Parameters<typeof entitledKey>[0];
    const isStopped = (): boolean => {
      const brake = parseBrake(
        utf8(
          text([
            { id, index: 100 },
            { id, index: 5 },
          ]),
        ),
      );
      return entitledKey(namespace, brake, cast.license, 'license', 50) === undefined;
    };
    let stopped = true;
    try {
      stopped = isStopped();
    } catch {
      // Refusing the document is the better answer.
    }
    expect(stopped).toBe(true);
  });
});
