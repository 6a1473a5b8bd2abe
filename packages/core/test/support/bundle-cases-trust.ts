/** Bundles that carry the trust root onward from the pinned version. */
import type { Bundle, IntegrityCode } from '../../src/index.ts';
import { accepted, type BundleCase, cosigning, publicKeys, refused } from './bundle-case.ts';
import type { NoteSigner, Signer } from './signers.ts';
import {
  type Anchor,
  Cast,
  keyJson,
  licenseId,
  quorumText,
  startSeconds,
  trustHash,
  World,
} from './world.ts';

const cast = new Cast();
const heirs = new Cast('heirs');
const oldCosigners = [...cast.witnesses, cast.replayer];
const newCosigners = [...heirs.witnesses, heirs.replayer];
const newQuorum = { quorum: quorumText(heirs.witnesses, [heirs.replayer]) };
const pair = (people: Cast): Signer[] => people.roots.slice(0, 2);

interface StepPlan {
  changes?: Record<string, unknown>;
  signers?: Signer[];
  /** Who cosigns the checkpoint that proves the leaf, and the one that the bundle stands on. */
  stepCosigners?: NoteSigner[];
  cosigners?: NoteSigner[];
}

/** A license, then version 2 of the trust root, then two checkpoints: the step's and the bundle's. */
function succession(plan: StepPlan = {}): {
  world: World;
  before: Anchor;
  step: Bundle['trust'][number];
  after: Anchor;
} {
  const world = new World({ cast });
  world.record({ id: licenseId });
  const before = world.anchor();
  const { index } = world.nextTrust(plan.changes ?? newQuorum, plan.signers ?? pair(cast));
  const seconds = startSeconds + 60;
  const proving = world.anchor({
    cosigners: cosigning(plan.stepCosigners ?? [...oldCosigners, ...newCosigners], seconds),
  });
  const cosigners = cosigning(plan.cosigners ?? newCosigners, seconds + 60);
  const after = world.anchor({ seconds: seconds + 60, cosigners });
  return { world, before, step: world.trustStep(index, proving), after };
}

export function trustCases(): BundleCase[] {
  return [...acceptedCases(), ...refusedCases(), ...authorityCases()];
}

function acceptedCases(): BundleCase[] {
  const { world, before, step, after } = succession();
  const rekeyed = succession({
    changes: { ...newQuorum, root: { threshold: 2, keys: heirs.roots.map(keyJson) } },
    signers: [...pair(cast), ...pair(heirs)],
  });
  const third = succession();
  const { index } = third.world.nextTrust({}, pair(cast));
  const proving = third.world.anchor({
    cosigners: cosigning([...oldCosigners, ...newCosigners], startSeconds + 180),
  });
  const thirdAnchor = third.world.anchor({ seconds: startSeconds + 240 });
  const steps = [third.step, third.world.trustStep(index, proving)];
  const v2 = { trustVersion: 2 };
  const pin = world.trustEnvelopes;
  return [
    accepted('version 2 by a step', world, after, world.bundle(licenseId, after, { trust: [step] }), v2),
    accepted('version 2 by the pin', world, after, world.bundle(licenseId, after), v2, { pin }),
    accepted(
      'an older checkpoint under the version of its time',
      world,
      before,
      world.bundle(licenseId, before),
      {},
      { pin },
    ),
    accepted(
      'a step that comes after the checkpoint',
      world,
      before,
      world.bundle(licenseId, before, { trust: [step] }),
    ),
    accepted(
      'other root keys in version 2',
      rekeyed.world,
      rekeyed.after,
      rekeyed.world.bundle(licenseId, rekeyed.after, { trust: [rekeyed.step] }),
      v2,
    ),
    accepted(
      'version 3 by two steps',
      third.world,
      thirdAnchor,
      third.world.bundle(licenseId, thirdAnchor, { trust: steps }),
      { trustVersion: 3 },
    ),
  ];
}

function refusedCases(): BundleCase[] {
  const make = (name: string, code: IntegrityCode, plan: StepPlan): BundleCase => {
    const { world, step, after } = succession(plan);
    return refused(name, code, world, world.bundle(licenseId, after, { trust: [step] }));
  };
  const { world, step, after } = succession();
  const [first] = world.trustEnvelopes as [Uint8Array];
  const named = succession();
  const older = named.world.anchor({ trust: trustHash(first), cosigners: cosigning(oldCosigners) });
  const moved = { ...step, proof: step.proof.replace(/index \d+/, 'index 1') };
  const [root] = cast.roots as [Signer];
  return [
    make('version 2 without the old threshold', 'TRUST_INVALID', { signers: [root] }),
    make('version 2 signed twice by one old key', 'TRUST_INVALID', { signers: [root, root] }),
    make('version 2 signed by strangers', 'TRUST_INVALID', { signers: pair(heirs) }),
    make('version 2 without its own threshold', 'TRUST_INVALID', {
      changes: { root: { threshold: 2, keys: heirs.roots.map(keyJson) } },
      cosigners: oldCosigners,
    }),
    make('version 2 that was logged before the new quorum alone', 'QUORUM_UNMET', {
      stepCosigners: newCosigners,
    }),
    make('version 3 after version 1', 'TRUST_INVALID', { changes: { ...newQuorum, version: 3 } }),
    make('version 2 with another prev', 'TRUST_INVALID', {
      changes: { ...newQuorum, prev: Buffer.alloc(32).toString('base64') },
    }),
    make('version 2 with another genesis', 'TRUST_INVALID', {
      changes: { ...newQuorum, genesis: Buffer.alloc(32).toString('base64') },
    }),
    make('version 2 of another quorum shape', 'TRUST_INVALID', {
      changes: { quorum: `${newQuorum.quorum}#\n` },
    }),
    make('version 2 that drops the namespace', 'TRUST_INVALID', {
      changes: { ...newQuorum, namespaces: {} },
    }),
    make('version 2 with an unknown member', 'TOO_NEW', { changes: { ...newQuorum, extra: 1 } }),
    refused(
      'a step that is not logged where it says',
      'NOT_LOGGED',
      world,
      world.bundle(licenseId, after, { trust: [moved] }),
    ),
    refused(
      'version 2 that the client does not know',
      'TRUST_OUTDATED',
      world,
      world.bundle(licenseId, after),
    ),
    refused(
      'version 1 named after version 2 was logged',
      'TRUST_INVALID',
      named.world,
      named.world.bundle(licenseId, older, { trust: [named.step] }),
    ),
    refused(
      'the same step twice',
      'TRUST_INVALID',
      world,
      world.bundle(licenseId, after, { trust: [step, step] }),
    ),
  ];
}

/** The authority is the one of the version that governs the anchor. */
function authorityCases(): BundleCase[] {
  const changes = {
    namespaces: { acme: { authority: { threshold: 1, keys: [keyJson(heirs.authority)] }, require: {} } },
  };
  const plan = { changes, cosigners: oldCosigners };
  const unsigned = succession(plan);
  const signed = succession(plan);
  signed.world.record({ id: 'namespace', type: 'namespace.updated', signers: [heirs.authority] });
  const anchor = signed.world.anchor({ seconds: startSeconds + 600 });
  const bundle = signed.world.bundle(licenseId, anchor, { trust: [signed.step] });
  bundle.keys = publicKeys([cast.license, cast.brake]);
  const before = unsigned.world.bundle(licenseId, unsigned.before, { trust: [unsigned.step] });
  return [
    refused(
      'a namespace by an authority that was replaced',
      'KEY_NOT_VALID',
      unsigned.world,
      unsigned.world.bundle(licenseId, unsigned.after, { trust: [unsigned.step] }),
    ),
    accepted('a namespace signed anew by the new authority', signed.world, anchor, bundle, {
      trustVersion: 2,
    }),
    accepted('a checkpoint from before the authority was replaced', unsigned.world, unsigned.before, before),
  ];
}
