/** Bundles of a system whose root, log and cosigners sign with Ed25519 and ML-DSA-44 side by side. */
import type { Bundle, IntegrityCode } from '../../src/index.ts';
import { accepted, type BundleCase, cosigning, refused } from './bundle-case.ts';
import { mlDsaSigner, type NoteSigner, type Signer, vkeyOf } from './signers.ts';
import { type Anchor, Cast, keyJson, licenseId, quorumText, startSeconds, World } from './world.ts';

const instant = '2026-11-23T10:15:30.000Z';
const seconds = startSeconds;
const later = startSeconds + 600;

/** One person, one witness and one replayer, each with a key of either algorithm. */
class DualCast extends Cast {
  readonly person: readonly [Signer, Signer];
  readonly witness: readonly [NoteSigner, NoteSigner];
  readonly replayers: readonly [NoteSigner, NoteSigner];

  constructor() {
    super();
    const [root] = this.roots as [Signer];
    const [witness] = this.witnesses as [NoteSigner];
    const second = (first: NoteSigner): NoteSigner => {
      return { name: first.name, type: 6, signer: mlDsaSigner(`second key of ${first.name}`) };
    };
    this.person = [root, mlDsaSigner('second root key')];
    this.witness = [witness, second(witness)];
    this.replayers = [this.replayer, second(this.replayer)];
  }

  get logs(): NoteSigner[] {
    return [this.log, this.logPq];
  }

  /** What a dual trust root has in place of the members of a classical one. */
  get trust(): Record<string, unknown> {
    return {
      root: { threshold: 2, keys: this.person.map(keyJson) },
      log: { origin: this.log.name, vkeys: this.logs.map(vkeyOf) },
      quorum: [...operator('w0', this.witness), ...operator('r0', this.replayers), ...ending].join('\n'),
    };
  }
}

/** A cosigner that counts only with both of its keys. */
function operator(name: string, [first, second]: readonly [NoteSigner, NoteSigner]): string[] {
  return [
    `witness ${name}/ed25519 ${vkeyOf(first)}`,
    `witness ${name}/ml-dsa-44 ${vkeyOf(second)}`,
    `group ${name} all ${name}/ed25519 ${name}/ml-dsa-44`,
  ];
}

const ending = [
  'group witnesses 1 w0',
  'group replayers 1 r0',
  'group quorum all witnesses replayers',
  'quorum quorum',
  '',
];

export function dualCases(): BundleCase[] {
  return [...fromTheStart(), ...afterASwitch(), ...perpetualCases()];
}

function fromTheStart(): BundleCase[] {
  const cast = new DualCast();
  cast.roots.splice(0, cast.roots.length, ...cast.person);
  const world = new World({ cast, trust: cast.trust });
  world.record({ id: licenseId });
  const everybody = [...cast.witness, ...cast.replayers];
  const honest = world.anchor({ logSigners: cast.logs, cosigners: cosigning(everybody) });
  const signed = (logSigners: NoteSigner[], cosigners: { party: NoteSigner; seconds: number }[]): Anchor =>
    ({ ...world.sign(honest.entry, { logSigners, cosigners }), seconds }) satisfies Anchor;
  const without = (name: string, code: IntegrityCode, stripped: readonly NoteSigner[]): BundleCase => {
    const kept = (parties: readonly NoteSigner[]) => parties.filter((party) => !stripped.includes(party));
    const anchor = signed(kept(cast.logs), cosigning(kept(everybody)));
    return refused(name, code, world, world.bundle(licenseId, anchor));
  };
  const [ed, pq] = [0, 1].map((at) => [cast.witness, cast.replayers].map((keys) => keys[at] as NoteSigner));
  const mixed = signed(cast.logs, [...cosigning(ed ?? [], later), ...cosigning(pq ?? [])]);
  return [
    accepted('both algorithms', world, honest, world.bundle(licenseId, honest)),
    accepted('both algorithms, of which one cosigned earlier', world, mixed, world.bundle(licenseId, mixed)),
    without('no ML-DSA-44 signature of the log', 'LOG_SIGNATURE_INVALID', [cast.logPq]),
    without('no Ed25519 signature of the log', 'LOG_SIGNATURE_INVALID', [cast.log]),
    without('no ML-DSA-44 cosignatures', 'QUORUM_UNMET', pq ?? []),
    without('no Ed25519 cosignatures', 'QUORUM_UNMET', ed ?? []),
    without('no ML-DSA-44 cosignature of the witness', 'QUORUM_UNMET', [cast.witness[1]]),
    without('no Ed25519 cosignature of the replayer', 'QUORUM_UNMET', [cast.replayers[0]]),
    without('one algorithm of the witness and the other one of the replayer', 'QUORUM_UNMET', [
      cast.witness[0],
      cast.replayers[1],
    ]),
  ];
}

/** A client that pins a trust root of Ed25519 alone, and a log that has moved on. */
function afterASwitch(): BundleCase[] {
  const cast = new DualCast();
  const world = new World({ cast, trust: { quorum: quorumText([cast.witness[0]], [cast.replayer]) } });
  world.record({ id: licenseId });
  const signers = [...cast.roots.slice(0, 2), cast.person[1]];
  const { index } = world.nextTrust(cast.trust, signers);
  const plan = { logSigners: cast.logs, cosigners: cosigning([...cast.witness, ...cast.replayers], later) };
  const anchor = world.anchor({ ...plan, seconds: later });
  const step = world.trustStep(index, anchor);
  const pin = world.trustEnvelopes;
  const v2 = { trustVersion: 2 };
  const half = (name: string, by: Signer[]): BundleCase => {
    const other = new World({ cast, trust: { quorum: quorumText([cast.witness[0]], [cast.replayer]) } });
    other.record({ id: licenseId });
    const next = other.nextTrust(cast.trust, by);
    const end = other.anchor({ ...plan, seconds: later });
    return refused(
      name,
      'TRUST_INVALID',
      other,
      other.bundle(licenseId, end, { trust: [other.trustStep(next.index, end)] }),
    );
  };
  const classical = world.sign(anchor.entry, {
    logSigners: [cast.log],
    cosigners: cosigning([cast.witness[0], cast.replayers[0]], later),
  });
  return [
    accepted(
      'a step to both algorithms',
      world,
      anchor,
      world.bundle(licenseId, anchor, { trust: [step] }),
      v2,
    ),
    accepted('a pin that knows both algorithms', world, anchor, world.bundle(licenseId, anchor), v2, { pin }),
    refused(
      'both algorithms without the step to them',
      'TRUST_OUTDATED',
      world,
      world.bundle(licenseId, anchor),
    ),
    refused(
      'a step to both algorithms, and a checkpoint of one',
      'LOG_SIGNATURE_INVALID',
      world,
      world.bundle(licenseId, classical, { trust: [step] }),
    ),
    half('a step without the ML-DSA-44 signature of its root', cast.roots.slice(0, 2)),
    half('a step without the Ed25519 signature of its root', [...cast.roots.slice(1, 3), cast.person[1]]),
  ];
}

/** A namespace whose perpetual licenses need both algorithms from index 3 on, and the others one. */
function perpetualCases(): BundleCase[] {
  const cast = new Cast();
  const require = { license: [{ from: 3, algs: ['ed25519'], perpetual: ['ed25519', 'ml-dsa-44'] }] };
  const issue = (document: Record<string, unknown>, signers: Signer[], from = 3): [World, Bundle] => {
    const [rule] = require.license;
    const namespaces = {
      acme: {
        authority: { threshold: 1, keys: [keyJson(cast.authority)] },
        require: { license: [{ ...rule, from }] },
      },
    };
    const keys = [cast.license, cast.licensePq].map((signer) => ({ signer, usages: ['license'] }));
    const world = new World({
      cast,
      trust: { namespaces },
      keys: [...keys, { signer: cast.brake, usages: ['brake'] }],
    });
    world.record({ id: licenseId, document, signers });
    return [world, world.bundle(licenseId, world.anchor(), { keys: [...signers, cast.brake] })];
  };
  const term = (until: string | null): Record<string, unknown> => ({ from: instant, until, grace: 'P0D' });
  const updates = (fallback: string | null): Record<string, unknown> => ({
    until: null,
    fallback,
    maxMajor: null,
  });
  const ends = { term: term('2027-11-23T10:15:30.000Z'), updates: updates(null) };
  const goesOn = { term: term(null), updates: updates(null) };
  const fallsBack = { ...ends, updates: updates('2027-11-23T10:15:30.000Z') };
  const valid = (name: string, [world, bundle]: [World, Bundle]): BundleCase => {
    const anchor = { size: world.tree.size, seconds, entry: bundle.anchor.entry, note: '' };
    return accepted(name, world, anchor, bundle);
  };
  const invalid = (name: string, [world, bundle]: [World, Bundle]): BundleCase =>
    refused(name, 'KEY_NOT_VALID', world, bundle);
  const [one, other] = [[cast.license], [cast.licensePq]];
  const both = [...one, ...other];
  return [
    valid('a perpetual license signed by both', issue(goesOn, both)),
    valid('a license with an end signed by one', issue(ends, one)),
    valid('a perpetual license from before both were needed', issue(goesOn, one, 4)),
    invalid('a perpetual license signed by Ed25519 alone', issue(goesOn, one)),
    invalid('a perpetual license signed by ML-DSA-44 alone', issue(goesOn, other)),
    invalid('a license with an end and a fallback signed by one', issue(fallsBack, one)),
    invalid('a license that does not say when it ends signed by one', issue({}, one)),
  ];
}
