/** Bundles that must be accepted, with what they prove. */
import { accepted, type BundleCase, cosigning, memory, publicKeys, story } from './bundle-case.ts';
import { b64, noteLine, vkeyOf } from './signers.ts';
import {
  Cast,
  keyJson,
  licenseId,
  otherLicenseId,
  quorumText,
  startSeconds,
  strangerId,
  World,
} from './world.ts';

export function validCases(): BundleCase[] {
  return [...plainCases(), ...absentCases(), ...cosignatureCases(), ...keyCases(), hybridCase()];
}

function plainCases(): BundleCase[] {
  const { world, first, second } = story();
  const open = new World();
  open.record({ id: licenseId, document: { hue: { deep: ['unknown', 1, null, true, { a: 'b' }] } } });
  const anchor = open.anchor();
  return [
    accepted('the first revision', world, first, world.bundle(licenseId, first)),
    accepted('a later revision', world, second, world.bundle(licenseId, second)),
    accepted(
      'another license',
      world,
      second,
      world.bundle(otherLicenseId, second),
      {},
      { id: otherLicenseId },
    ),
    accepted('unknown members in the document', open, anchor, open.bundle(licenseId, anchor)),
  ];
}

/** The last characters of a type id are enough to find one whose proof has the wanted type. */
function absentId(world: World, type: number): string {
  for (const last of '0123456789abcdefghjkmnpqrstvwxyz') {
    for (const next of '0123456789abcdefghjkmnpqrstvwxyz') {
      const id = `${strangerId.slice(0, -2)}${next}${last}`;
      if (world.map.prove(world.subjectKey(id))[0] === type) return id;
    }
  }
  throw new Error(`no id with a proof of type ${type}`);
}

function absentCases(): BundleCase[] {
  const { world, second } = story();
  // Few subjects leave no empty places in the tree; namespaces beside ours make some.
  for (let at = 0; at < 6; at++) world.map.set({ ...filler(at), index: 0, rev: 0 });
  const anchor = world.anchor({ seconds: second.seconds + 60 });
  return [2, 3].map((type) => {
    const id = absentId(world, type);
    const bundle = world.bundle(id, anchor);
    return accepted(`never issued, proof of type ${type}`, world, anchor, bundle, {}, { id });
  });
}

function filler(at: number): { key: Uint8Array; leaf: Uint8Array } {
  const key = new Uint8Array(32).fill(0xe0);
  key[1] = at;
  return { key, leaf: new Uint8Array(32).fill(at) };
}

function cosignatureCases(): BundleCase[] {
  const cast = new Cast();
  const [first, second] = cast.witnesses as [Cast['log'], Cast['log']];
  const world = new World({ cast, trust: { quorum: quorumText(cast.witnesses, [cast.replayer], 'any') } });
  world.record({ id: licenseId });
  const times = (a: number, b: number, c: number) => [
    { party: first, seconds: startSeconds + a },
    { party: second, seconds: startSeconds + b },
    { party: cast.replayer, seconds: startSeconds + c },
  ];
  const make = (name: string, asOf: number, cosigners: ReturnType<typeof times>, extra = ''): BundleCase => {
    const anchor = world.anchor({ cosigners });
    const text = anchor.note.slice(0, anchor.note.indexOf('\n\n') + 1);
    const lines = extra === '' ? '' : noteLine(first, text, startSeconds + 900);
    const signed = { ...anchor, note: anchor.note + lines, seconds: startSeconds + asOf };
    return accepted(name, world, signed, world.bundle(licenseId, signed));
  };
  const stranger = new Cast('mallory').witnesses[0] as Cast['log'];
  return [
    make('asOf is the newest time at which the quorum is whole', 20, times(10, 30, 20)),
    make('one cosigner far in the future does not move asOf', 20, times(10, 1e9, 20)),
    make('one cosigner backdated by years does not hold asOf back', 30, times(-1e8, 30, 40)),
    make('two lines of one cosigner count as the newer', 800, times(10, 5, 800), 'first'),
    make('lines of unknown keys are ignored', 20, [
      ...times(10, 30, 20),
      { party: { ...stranger, name: first.name }, seconds: 5 },
    ]),
    make('a cosignature without a time is not needed', 20, [
      { party: first, seconds: 0 },
      ...times(0, 30, 20).slice(1),
    ]),
  ];
}

function keyCases(): BundleCase[] {
  const cast = new Cast();
  const brakeKey = { signer: cast.brake, usages: ['brake'] };
  const limited = new World({
    cast,
    keys: [{ signer: cast.license, usages: ['license'], limits: { offlineMax: 'PT36H' } }, brakeKey],
  });
  limited.record({ id: licenseId });
  const anchor = limited.anchor();

  const ended = new World({
    cast,
    keys: [{ signer: cast.license, usages: ['license'], from: 3, until: 4 }, brakeKey],
  });
  ended.record({ id: licenseId });
  const endedAnchor = ended.anchor();

  const { world, second } = story();
  const genesis = b64(new World({ cast: new Cast('mallory') }).genesis);
  const elsewhere = { ...memory(world, second), genesis };
  return [
    accepted('the limit of the signing key', limited, anchor, limited.bundle(licenseId, anchor), {
      keyOfflineMaxMs: 129_600_000,
    }),
    accepted('a key at the one index of its range', ended, endedAnchor, ended.bundle(licenseId, endedAnchor)),
    accepted(
      'memories of another genesis are ignored',
      world,
      second,
      world.bundle(licenseId, second),
      {},
      { remembered: { ...elsewhere, size: 1_000_000, heads: { [b64Key(world)]: 999_999 } } },
    ),
    accepted(
      'memories of another namespace are ignored',
      world,
      second,
      world.bundle(licenseId, second),
      {},
      { remembered: { ...memory(world, second), ns: 'other', size: 8, root: b64Key(world) } },
    ),
  ];
}

const b64Key = (world: World): string => b64(world.subjectKey(licenseId));

/** Ed25519 and ML-DSA-44 side by side: log, cosigner and record. */
function hybridCase(): BundleCase {
  const cast = new Cast();
  const witnessPq = { name: 'pq.example', type: 6, signer: new Cast('pq').licensePq } as const;
  const require = { license: [{ from: 0, algs: ['ed25519', 'ml-dsa-44'] }] };
  const world = new World({
    cast,
    trust: {
      log: { origin: cast.log.name, vkeys: [vkeyOf(cast.log), vkeyOf(cast.logPq)] },
      quorum: quorumText([witnessPq], [cast.replayer]),
      namespaces: { acme: { authority: { threshold: 1, keys: [keyJson(cast.authority)] }, require } },
    },
    keys: [
      { signer: cast.license, usages: ['license'] },
      { signer: cast.licensePq, usages: ['license'] },
      { signer: cast.brake, usages: ['brake'] },
    ],
  });
  world.record({ id: licenseId, signers: [cast.license, cast.licensePq] });
  const anchor = world.anchor({
    logSigners: [cast.log, cast.logPq],
    cosigners: cosigning([witnessPq, cast.replayer]),
  });
  const bundle = world.bundle(licenseId, anchor);
  bundle.keys = publicKeys([cast.license, cast.licensePq, cast.brake]);
  return accepted('Ed25519 and ML-DSA-44 side by side', world, anchor, bundle);
}
