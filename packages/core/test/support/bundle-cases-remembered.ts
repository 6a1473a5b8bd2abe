/** Bundles met by a client that remembers what it has seen. */
import type { Bundle, IntegrityCode, Remembered } from '../../src/index.ts';
import { accepted, type BundleCase, memory, refused, story } from './bundle-case.ts';
import { b64, fingerprint } from './signers.ts';
import { type Anchor, Cast, licenseId, otherLicenseId, startSeconds, World } from './world.ts';

export function rememberedCases(): BundleCase[] {
  return [...historyCases(), ...headCases(), ...publicDocumentCases(), ...epochCases()];
}

/** The log of `story` cut off at its first checkpoint, and signed again at another time. */
function earlier(seconds: number): { world: World; anchor: Anchor } {
  const world = new World();
  world.record({ id: licenseId });
  world.record({ id: otherLicenseId });
  return { world, anchor: world.anchor({ seconds }) };
}

function withoutMemory(vector: BundleCase): BundleCase {
  if ('valid' in vector.expect) delete vector.expect.valid.remembered;
  return vector;
}

function historyCases(): BundleCase[] {
  const { world, first, second } = story();
  const id = otherLicenseId;
  const seen = { remembered: memory(world, second, [id]), id };
  const again = (name: string, seconds: number, code?: IntegrityCode): BundleCase => {
    const cut = earlier(seconds);
    const bundle = cut.world.bundle(id, cut.anchor);
    return code === undefined
      ? withoutMemory(accepted(name, cut.world, cut.anchor, bundle, {}, seen))
      : refused(name, code, cut.world, bundle, seen);
  };
  const hour = second.seconds + 3600;
  const merged: Remembered = memory(world, second, [licenseId, id]);
  return [
    forkCase(),
    again('a smaller log within the hour', hour),
    again('a smaller log after more than an hour', hour + 1, 'ROLLED_BACK'),
    again('a smaller log from before', second.seconds - 300),
    accepted('the same checkpoint again', world, second, world.bundle(id, second), {}, seen),
    accepted(
      'a newer checkpoint and another license: both are remembered',
      world,
      second,
      world.bundle(licenseId, second),
      { remembered: merged },
      { remembered: memory(world, first, [id]) },
    ),
  ];
}

/** The same people sign two logs that differ in the order of two records. */
function forkCase(): BundleCase {
  const { world, first } = story();
  const fork = new World();
  fork.record({ id: otherLicenseId });
  fork.record({ id: licenseId });
  const anchor = fork.anchor();
  const options = { remembered: memory(world, first, []), id: otherLicenseId };
  return refused(
    'another history of the same size',
    'FORKED',
    fork,
    fork.bundle(otherLicenseId, anchor),
    options,
  );
}

function headCases(): BundleCase[] {
  const { world, first, second } = story();
  const early = new World();
  early.record({ id: otherLicenseId });
  const before = early.anchor({ seconds: startSeconds - 600 });
  return [
    refused('an older state of a license', 'SUPERSEDED', world, world.bundle(licenseId, first), {
      remembered: memory(world, second),
    }),
    refused('a license that was not issued yet', 'SUPERSEDED', early, early.bundle(licenseId, before), {
      remembered: memory(world, second),
    }),
    withoutMemory(
      accepted(
        'an older state that nobody has seen the newer of',
        world,
        first,
        world.bundle(licenseId, first),
        {},
        {
          remembered: memory(world, second, [otherLicenseId]),
        },
      ),
    ),
  ];
}

/** A license, then a namespace or brake that stops the key which signed it. */
function publicDocumentCases(): BundleCase[] {
  const cast = new Cast();
  const id = b64(fingerprint(cast.license));
  const stopped = (subject: 'namespace' | 'brake'): { world: World; first: Anchor; second: Anchor } => {
    const world = new World({ cast });
    world.record({ id: licenseId });
    const first = world.anchor();
    world.keys = world.keys.map((key) => (key.signer === cast.license ? { ...key, until: 3 } : key));
    world.record({ id: subject, document: subject === 'brake' ? { until: [{ id, index: 3 }] } : {} });
    return { world, first, second: world.anchor({ seconds: startSeconds + 60 }) };
  };
  const cases = (['namespace', 'brake'] as const).flatMap((subject) => {
    const { world, first, second } = stopped(subject);
    const bundle = world.bundle(licenseId, first);
    const name = (text: string): string => `${text} (${subject})`;
    return [
      accepted(name('a key before anybody stopped it'), world, first, bundle),
      refused(name('an older bundle judged by the newest that was seen'), 'KEY_NOT_VALID', world, bundle, {
        remembered: memory(world, second, []),
      }),
      refused(
        name('a newer bundle judged by its own'),
        'KEY_NOT_VALID',
        world,
        world.bundle(licenseId, second),
        {
          remembered: memory(world, first),
        },
      ),
    ];
  });
  return cases;
}

function epochCases(): BundleCase[] {
  const cast = new Cast();
  const id = b64(fingerprint(cast.license));
  const ahead = new World({ cast, brake: { epoch: 1 } });
  ahead.record({ id: licenseId });
  const behind = new World({ cast, namespace: { epoch: 1 }, brake: { until: [{ id, index: 0 }] } });
  behind.record({ id: licenseId });
  const anchor = behind.anchor();
  return [
    refused(
      'a brake of a later epoch than the namespace',
      'ALTERED',
      ahead,
      ahead.bundle(licenseId, ahead.anchor()),
    ),
    accepted('a brake of an earlier epoch is ignored', behind, anchor, behind.bundle(licenseId, anchor)),
    ...destroyedCases(cast),
  ];
}

/** The record of the license is at index 3. */
function destroyedCases(cast: Cast): BundleCase[] {
  const id = b64(fingerprint(cast.license));
  const destroyed = (index: number): { world: World; anchor: Anchor; bundle: Bundle } => {
    const brake = { until: [{ id, index }], destroyed: [{ id, index }] };
    const world = new World({ cast, namespace: { epoch: 1 }, brake });
    world.record({ id: licenseId });
    const anchor = world.anchor();
    return { world, anchor, bundle: world.bundle(licenseId, anchor) };
  };
  const [before, after] = [destroyed(4), destroyed(3)];
  return [
    accepted('a key before it was destroyed', before.world, before.anchor, before.bundle),
    refused(
      'a destroyed key, in an epoch that released the brake',
      'KEY_NOT_VALID',
      after.world,
      after.bundle,
    ),
  ];
}
