/** Bundles that somebody tampered with, alone or with some of the keys, and the codes that say so. */
import { encodeBundle, type IntegrityCode } from '../../src/index.ts';
import { type BundleCase, cosigning, edited, publicKeys, refused, stateOf, story } from './bundle-case.ts';
import { b64, bytesOf, digest, dsse, noteLine } from './signers.ts';
import {
  Cast,
  keyJson,
  licenseId,
  otherLicenseId,
  payloadOf,
  recordType,
  strangerId,
  trustHash,
  World,
} from './world.ts';

export function tamperedCases(): BundleCase[] {
  return [
    ...shapeCases(),
    ...trustCases(),
    ...checkpointCases(),
    ...anchorCases(),
    ...mapCases(),
    ...documentCases(),
    ...keyCases(),
  ];
}

function shapeCases(): BundleCase[] {
  const { world, first } = story();
  const text = encodeBundle(world.bundle(licenseId, first));
  const text2 = (name: string, code: IntegrityCode, from: string | RegExp, to: string): BundleCase =>
    refused(name, code, world, text.replace(from, to));
  const bundle = () => world.bundle(licenseId, first);
  return [
    refused('nothing', 'MALFORMED', world, ''),
    text2('white space', 'MALFORMED', '{"v":1,', '{"v":1, '),
    text2('a duplicate member', 'MALFORMED', '{"v":1,', '{"v":1,"v":1,'),
    text2('members in another order', 'MALFORMED', /^\{"v":1,"trust":\[\],/, '{"trust":[],"v":1,'),
    text2('version 2', 'TOO_NEW', '{"v":1,', '{"v":2,'),
    text2('an unknown member', 'TOO_NEW', '{"v":1,', '{"v":1,"extra":0,'),
    text2('an unknown key algorithm', 'TOO_NEW', '"alg":"ed25519"', '"alg":"ed448"'),
    text2('url-safe base64', 'MALFORMED', /("map":"[^"]{20})[^"]/, '$1-'),
    text2('an extra line in the proof', 'MALFORMED', 'proof@v1\\nindex', 'proof@v1\\nextra AAAA\\nindex'),
    refused('more than 1 MiB', 'MALFORMED', world, `${text.slice(0, -1)}${' '.repeat(1_048_577)}}`),
    refused(
      'no license',
      'MALFORMED',
      world,
      edited(bundle(), (b) => b.subjects.splice(0, 1)),
    ),
    refused(
      'no brake',
      'MALFORMED',
      world,
      edited(bundle(), (b) => b.subjects.splice(2, 1)),
    ),
    refused(
      'two licenses',
      'MALFORMED',
      world,
      edited(bundle(), (b) => b.subjects.push(world.subject(otherLicenseId, first))),
    ),
    refused(
      'the license twice',
      'MALFORMED',
      world,
      edited(bundle(), (b) => b.subjects.push(world.subject(licenseId, first))),
    ),
    refused(
      'a subject of an unknown kind',
      'TOO_NEW',
      world,
      edited(bundle(), (b) => b.subjects.push({ ...world.subject(strangerId, first), id: 'journal' })),
    ),
    refused(
      'a key that nobody used',
      'MALFORMED',
      world,
      edited(bundle(), (b) => b.keys.push(...publicKeys([world.cast.customer]))),
    ),
    refused(
      'a key twice',
      'MALFORMED',
      world,
      edited(bundle(), (b) => b.keys.push(...publicKeys([world.cast.brake]))),
    ),
    refused(
      'a namespace without a state',
      'MALFORMED',
      world,
      edited(bundle(), (b) => {
        (b.subjects[1] as { state: null }).state = null;
      }),
    ),
  ];
}

function trustCases(): BundleCase[] {
  const honest = story().world;
  const mallory = new World({ cast: new Cast('mallory') });
  mallory.record({ id: licenseId });
  const own = mallory.anchor();
  const borrowed = mallory.anchor({ trust: honest.trustEnvelopes.map(trustHash)[0] as Uint8Array });

  const expired = new World({ trust: { expires: '2026-01-01T00:00:00.000Z' } });
  expired.record({ id: licenseId });
  const late = expired.anchor();

  const { world, first } = story();
  return [
    refused('a private trust root', 'TRUST_OUTDATED', honest, mallory.bundle(licenseId, own)),
    refused(
      'a private world that names the pinned trust root',
      'LOG_SIGNATURE_INVALID',
      honest,
      mallory.bundle(licenseId, borrowed),
    ),
    refused('a trust root that had expired', 'TRUST_OUTDATED', expired, expired.bundle(licenseId, late)),
    refused(
      'another namespace than the pinned one',
      'NAMESPACE_MISMATCH',
      world,
      world.bundle(licenseId, first),
      { namespace: 'other' },
    ),
  ];
}

function checkpointCases(): BundleCase[] {
  const cast = new Cast();
  const { witnesses, replayer, log } = cast;
  const mallory = new Cast('mallory');
  const make = (
    name: string,
    code: IntegrityCode,
    plan: Parameters<World['anchor']>[0],
    lines?: (text: string) => string,
  ): BundleCase => {
    const world = new World({ cast });
    world.record({ id: licenseId });
    const anchor = world.anchor(plan);
    const text = anchor.note.slice(0, anchor.note.indexOf('\n\n') + 1);
    return refused(
      name,
      code,
      world,
      world.bundle(licenseId, { ...anchor, note: anchor.note + (lines?.(text) ?? '') }),
    );
  };
  const unsigned = new World({ cast });
  unsigned.record({ id: licenseId });
  const anchor = unsigned.anchor();
  const otherRoot = anchor.note.replace(/\n[^\n]{44}\n/, `\n${b64(digest('other'))}\n`);
  const everybody = [...witnesses, replayer];
  return [
    make('not signed by the log', 'LOG_SIGNATURE_INVALID', { logSigners: [] }),
    make('signed by another log of the same name', 'LOG_SIGNATURE_INVALID', { logSigners: [mallory.log] }),
    make('another origin', 'LOG_SIGNATURE_INVALID', { origin: 'log.example/other' }),
    make('a good and a bad log signature', 'LOG_SIGNATURE_INVALID', {}, (text) => noteLine(log, `${text}x`)),
    refused(
      'another root under good signatures',
      'LOG_SIGNATURE_INVALID',
      unsigned,
      unsigned.bundle(licenseId, { ...anchor, note: otherRoot }),
    ),
    make('no cosignature', 'QUORUM_UNMET', { cosigners: [] }),
    make('one witness too few', 'QUORUM_UNMET', {
      cosigners: cosigning([witnesses[0] as Cast['log'], replayer]),
    }),
    make('no replayer', 'QUORUM_UNMET', { cosigners: cosigning(witnesses) }),
    make('a replayer that says no time', 'QUORUM_UNMET', {
      cosigners: [...cosigning(witnesses), { party: replayer, seconds: 0 }],
    }),
    make('cosigners of another family', 'QUORUM_UNMET', {
      cosigners: cosigning([...mallory.witnesses, mallory.replayer]),
    }),
    make('a log signature in place of a cosignature', 'QUORUM_UNMET', {
      cosigners: cosigning([...witnesses, { ...replayer, type: 1 }]),
    }),
    make(
      'a good and a bad cosignature of one cosigner',
      'QUORUM_UNMET',
      { cosigners: cosigning(everybody) },
      (text) => noteLine(replayer, `${text}x`, 5),
    ),
    make('65 signature lines', 'MALFORMED', {}, () => noteLine(mallory.log, 'x').repeat(61)),
    make('an extension line', 'MALFORMED', { origin: 'log.example/acme\n1' }),
  ];
}

function anchorCases(): BundleCase[] {
  const { world, first, second } = story();
  const later = world.sign(first.entry, { seconds: second.seconds + 60 });
  const notLast = world.bundle(licenseId, first);
  notLast.anchor = { entry: first.entry, proof: world.tlogProof(first.size - 1, later) };

  const misnumbered = story();
  const anchor = misnumbered.world.anchor({ index: 3 });
  const edit = (name: string, code: IntegrityCode, change: Parameters<typeof edited>[1]): BundleCase =>
    refused(name, code, world, edited(world.bundle(licenseId, second), change));
  return [
    refused('a map root that is not the last entry', 'NOT_LOGGED', world, notLast),
    refused(
      'a map root that names another index',
      'NOT_LOGGED',
      misnumbered.world,
      misnumbered.world.bundle(licenseId, anchor),
    ),
    edit('the map root of another checkpoint', 'NOT_LOGGED', (b) => {
      b.anchor.entry = first.entry.replace('\n5\n', `\n${second.size - 1}\n`);
    }),
    edit('an entry at another index', 'NOT_LOGGED', (b) => {
      stateOf(b).index = 4;
    }),
    edit('an inclusion path cut short', 'NOT_LOGGED', (b) => {
      stateOf(b).path.pop();
    }),
    edit('a signature stripped from the entry', 'NOT_LOGGED', (b) => {
      stateOf(b).entry = dsse(recordType, payloadOf(stateOf(b).entry), []);
    }),
    edit('a record that was never logged', 'NOT_LOGGED', (b) => {
      const payload = bytesOf(
        Buffer.from(payloadOf(stateOf(b).entry))
          .toString()
          .replace('123Z', '124Z'),
      );
      stateOf(b).entry = dsse(recordType, payload, [world.cast.license]);
    }),
  ];
}

function mapCases(): BundleCase[] {
  const { world, first, second } = story();
  const stale = world.bundle(licenseId, second);
  stale.subjects[0] = world.subject(licenseId, second, 0);
  const swapped = world.bundle(licenseId, second);
  (swapped.subjects[0] as { map: Uint8Array }).map = world.subject(otherLicenseId, second).map;
  const hidden = world.bundle(licenseId, second);
  hidden.subjects[0] = { ...world.subject(licenseId, second), state: null };
  hidden.keys = publicKeys([world.cast.brake]);

  const replayed = story().world;
  const old = replayed.history(licenseId)[0] as ReturnType<World['history']>[number];
  const index = replayed.append(old.entry);
  const anchor = replayed.anchor({ seconds: second.seconds + 60 });
  const again = replayed.bundle(licenseId, anchor);
  Object.assign(stateOf(again), { ...old, index, path: replayed.tree.inclusionProof(index, anchor.size) });

  const wrong = story().world;
  const wrongRoot = wrong.anchor({ mapRoot: digest('another map') });
  const past = story().world;
  const pastRoot = past.anchor({ mapRoot: past.map.at(first.size - 1).root() });
  const outdated = past.bundle(licenseId, pastRoot);
  return [
    refused('an entry that is no longer the newest', 'NOT_CURRENT', world, stale),
    refused('an old entry that was appended again', 'NOT_CURRENT', replayed, again),
    refused('a map proof of another subject', 'NOT_CURRENT', world, swapped),
    refused('a license that is said never to have been issued', 'NOT_CURRENT', world, hidden),
    refused('a wrong map root', 'NOT_CURRENT', wrong, wrong.bundle(licenseId, wrongRoot)),
    refused('the map root of an earlier log', 'NOT_CURRENT', past, outdated),
  ];
}

function documentCases(): BundleCase[] {
  const { world, first } = story();
  const edit = (name: string, code: IntegrityCode, change: Parameters<typeof edited>[1]): BundleCase =>
    refused(name, code, world, edited(world.bundle(licenseId, first), change));
  const make = (
    name: string,
    code: IntegrityCode,
    plan: Partial<Parameters<World['record']>[0]>,
  ): BundleCase => {
    const own = new World();
    own.record({ id: licenseId, ...plan });
    return refused(name, code, own, own.bundle(licenseId, own.anchor()));
  };
  const neighbor = new World();
  neighbor.record({ id: 'namespace', ns: 'other' });
  neighbor.record({ id: licenseId });
  const anchor = neighbor.anchor();
  const foreign = neighbor.bundle(licenseId, anchor);
  foreign.subjects[1] = neighbor.subject('namespace', anchor, undefined, 'other');
  const salted = new World();
  salted.record({ id: 'brake', salt: digest('salt') });
  salted.record({ id: licenseId });
  return [
    edit('a document with one byte changed', 'ALTERED', (b) => {
      stateOf(b).document[40] = (stateOf(b).document[40] as number) ^ 1;
    }),
    edit('another salt', 'ALTERED', (b) => {
      stateOf(b).salt = digest('another salt');
    }),
    edit('the document of another license', 'ALTERED', (b) => {
      Object.assign(stateOf(b), { document: stateOf(world.bundle(otherLicenseId, first)).document });
    }),
    edit('another license under the id', 'ALTERED', (b) => {
      b.subjects[0] = { ...world.subject(otherLicenseId, first), id: licenseId };
    }),
    make('a document that names another id', 'ALTERED', { document: { id: otherLicenseId } }),
    make('a document that names another revision', 'ALTERED', { document: { rev: 1 } }),
    make('a document that names another namespace', 'ALTERED', { document: { ns: 'other' } }),
    make('a document that needs a newer reader', 'TOO_NEW', { document: { crit: ['hue'], hue: 1 } }),
    make('a document of version 2', 'TOO_NEW', { document: { v: 2 } }),
    make('a record of version 2', 'TOO_NEW', { record: { v: 2 } }),
    make('a record with an unknown member', 'TOO_NEW', { record: { extra: 1 } }),
    make('a record about another subject', 'ALTERED', { record: { subject: b64(digest('another')) } }),
    make('a record of another namespace', 'NAMESPACE_MISMATCH', { record: { ns: 'other' } }),
    make('a record of rev 0 with a prev', 'MALFORMED', { record: { prev: b64(digest('prev')) } }),
    refused('a salt on a public document', 'ALTERED', salted, salted.bundle(licenseId, salted.anchor())),
    refused("another namespace's namespace document", 'NAMESPACE_MISMATCH', neighbor, foreign),
  ];
}

function keyCases(): BundleCase[] {
  const cast = new Cast();
  const brakeKey = { signer: cast.brake, usages: ['brake'] };
  type Plan = Partial<Parameters<World['record']>[0]>;
  const make = (
    name: string,
    options: ConstructorParameters<typeof World>[0],
    plan: Plan = {},
  ): BundleCase => {
    const world = new World({ cast, ...options });
    world.record({ id: licenseId, ...plan });
    const bundle = world.bundle(licenseId, world.anchor());
    bundle.keys = publicKeys([...(plan.signers ?? [cast.license]), cast.brake]);
    return refused(name, 'KEY_NOT_VALID', world, bundle);
  };
  const license = { signer: cast.license, usages: ['license'] };
  const cut = { until: [{ id: b64(digest('ed25519', '\0', cast.license.key)), index: 3 }] };
  const require = { license: [{ from: 3, algs: ['ed25519', 'ml-dsa-44'] }] };
  const hybrid = {
    namespaces: { acme: { authority: { threshold: 1, keys: [keyJson(cast.authority)] }, require } },
  };
  const licensePq = { signer: cast.licensePq, usages: ['license'] };
  const twoAuthorities = {
    acme: { authority: { threshold: 2, keys: [cast.authority, cast.stranger].map(keyJson) }, require: {} },
  };
  return [
    make('a key before its range', { keys: [{ ...license, from: 4 }, brakeKey] }),
    make('a key at the end of its range', { keys: [{ ...license, until: 3 }, brakeKey] }),
    make('a key that the brake has stopped', { brake: cut }),
    make('a key of another usage', {}, { signers: [cast.customer] }),
    make('a key that the namespace does not list', {}, { signers: [cast.stranger] }),
    make('a record that nobody signed', {}, { signers: [] }),
    make('only one of two required algorithms', { trust: hybrid, keys: [license, licensePq, brakeKey] }),
    make(
      'only the other of two required algorithms',
      { trust: hybrid, keys: [license, licensePq, brakeKey] },
      { signers: [cast.licensePq] },
    ),
    make('a namespace signed by one of two authorities', { trust: { namespaces: twoAuthorities } }),
    make('a brake key outside its range', { keys: [license, { ...brakeKey, from: 3 }] }),
    make('a namespace that the trust root does not list', { trust: { namespaces: {} } }),
    make('an authority that signed a license itself', {}, { signers: [cast.authority] }),
  ];
}
