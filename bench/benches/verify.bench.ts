import { createPublicKey, type KeyObject, verify as verifySignature } from 'node:crypto';
import {
  type Bundle,
  cosignedMessage,
  noteSignatureType,
  type PublicKey,
  parseBundle,
  parseMapRoot,
  parseRecordEntry,
  parseTlogProof,
  parseTrustRoot,
  preAuthEncoding,
  signaturesBy,
  type TrustRoot,
  utf8,
} from '@tallystick/core';
import { openPin, type VerifyOptions, verify } from '@tallystick/sdk';
import type { SystemAlgorithms } from '@tallystick/server';
import { TestSystem } from '@tallystick/testkit';
import type { Bench, BenchContext } from '../bench.ts';
import {
  formatNumber,
  formatRatios,
  interleave,
  markdownTable,
  median,
  pairRatios,
  percentile,
} from '../report.ts';

const LICENSES = 10_000;
const CONCURRENT = 500;
/** Verifications per sample, so that a sample is long against the clock's resolution. */
const REPEATS = 4;

interface License {
  bundle: string;
  trustRoot: Uint8Array;
}

/** A log of real entries, and the license file of one subject in its middle. */
async function issueMany(algorithms: SystemAlgorithms, log: BenchContext['log']): Promise<License> {
  await using system = await TestSystem.start({ algorithms });
  await system.sellPro();
  const started = performance.now();
  let middle = '';
  for (let issued = 0; issued < LICENSES; issued += CONCURRENT) {
    const batch = Array.from({ length: CONCURRENT }, () =>
      system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso GmbH' }),
    );
    const [first] = await Promise.all(batch);
    if (issued <= LICENSES / 2) middle = first?.changes[0]?.change.subject.id ?? '';
  }
  const ratePerSecond = (LICENSES / (performance.now() - started)) * 1000;
  await system.ledger.whenPublished(system.ledger.size, 30_000);
  log(`${LICENSES} licenses issued, ${formatNumber(ratePerSecond)}/s`);
  return { bundle: await system.ledger.bundle(middle), trustRoot: system.world.identity.trustRoot };
}

interface SignatureCheck {
  key: KeyObject;
  message: Uint8Array;
  signature: Uint8Array;
}

const spki = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  'ml-dsa-44': Buffer.from('30820532300b06096086480165030403110382052100', 'hex'),
};

function checkBy(key: PublicKey, message: Uint8Array, signature: Uint8Array): SignatureCheck {
  if (key.alg === 'ecdsa-p256-sha256') throw new Error('no key of the file is one of P-256');
  const der = Buffer.concat([spki[key.alg], key.key]);
  return { key: createPublicKey({ key: der, format: 'der', type: 'spki' }), message, signature };
}

/** The signature checks that a bundle cannot do without, with keys imported and messages laid out beforehand. */
function bareChecks(bundle: Bundle, trust: TrustRoot, expected: number): SignatureCheck[] {
  const { checkpoint } = parseTlogProof(bundle.anchor.proof);
  const { text } = checkpoint.note;
  const vkeys = [...trust.log.vkeys, ...trust.quorum.witnesses.map(({ vkey }) => vkey)];
  const byCheckpoint = vkeys.flatMap((vkey) =>
    signaturesBy(checkpoint.note, vkey).map(({ signature }) => {
      if (vkey.type === noteSignatureType.ed25519) return checkBy(vkey, utf8(text), signature);
      const message = cosignedMessage(vkey, text, checkpoint, signature.subarray(0, 8));
      return checkBy(vkey, message, signature.subarray(8));
    }),
  );
  const authority = [...trust.namespaces.values()].flatMap((namespace) => namespace.authority.keys);
  const byIssuers = bundle.subjects.flatMap(({ state }) => {
    if (state === null) return [];
    const { payload, payloadType, signatures } = parseRecordEntry(state.entry).envelope;
    const message = preAuthEncoding(payloadType, payload);
    const made = signatures.flatMap(({ sig }) =>
      [...bundle.keys, ...authority].map((key) => checkBy(key, message, sig)),
    );
    return made.filter(isValid);
  });
  const checks = [...byCheckpoint, ...byIssuers];
  if (checks.length !== expected || !checks.every(isValid))
    throw new Error(`${checks.length} signatures, not ${expected} valid ones`);
  return checks;
}

function isValid({ key, message, signature }: SignatureCheck): boolean {
  return verifySignature(null, message, key, signature);
}

/** Microseconds of one run of `work`, from a few in a row. */
async function microseconds(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  for (let repeat = 0; repeat < REPEATS; repeat++) await work();
  return ((performance.now() - started) * 1000) / REPEATS;
}

interface Sampled {
  p50: number;
  p99: number;
  /** Microseconds of processor time of one run: what a busy machine does not change. */
  processor: number;
}

/** Samples two pieces of work in turn for a while, so that both meet the same machine. */
async function sampleInTurn(
  seconds: number,
  works: { whole: () => Promise<void>; bare: () => Promise<void> },
): Promise<{ whole: Sampled; bare: Sampled }> {
  const whole = new Samples();
  const bare = new Samples();
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    await whole.take(works.whole);
    await bare.take(works.bare);
  }
  return { whole: whole.summary, bare: bare.summary };
}

class Samples {
  readonly #wall: number[] = [];
  #processor = 0;

  async take(work: () => Promise<void>): Promise<void> {
    const before = process.cpuUsage();
    this.#wall.push(await microseconds(work));
    const { user, system } = process.cpuUsage(before);
    this.#processor += (user + system) / REPEATS;
  }

  get summary(): Sampled {
    const sorted = this.#wall.toSorted((a, b) => a - b);
    const processor = this.#processor / sorted.length;
    return { p50: percentile(sorted, 50), p99: percentile(sorted, 99), processor };
  }
}

/** Characters of each part of the file, with the quotes and names around it under "the rest". */
function sizesByPart(text: string): string[][] {
  const json = JSON.parse(text) as {
    anchor: { entry: string; proof: string };
    keys: unknown[];
    subjects: Record<'id' | 'document' | 'salt' | 'entry' | 'map' | 'path', unknown>[];
  };
  const length = (value: unknown): number => JSON.stringify(value).length;
  const parts: [string, number][] = [
    ['anchor: map root and tlog-proof', length(json.anchor)],
    ['keys', length(json.keys)],
    ...json.subjects.flatMap((subject): [string, number][] => {
      const name = String(subject.id).startsWith('lic_') ? 'license' : String(subject.id);
      return (['document', 'entry', 'path', 'map'] as const).map((part) => [
        `${name}: ${part}`,
        length(subject[part]),
      ]);
    }),
  ];
  const known = parts.reduce((sum, [, size]) => sum + size, 0);
  const all: [string, number][] = [...parts, ['the rest', text.length - known], ['whole file', text.length]];
  return all.map(([name, size]) => [
    name,
    formatNumber(size),
    `${((size / text.length) * 100).toFixed(1)} %`,
  ]);
}

interface Variant {
  name: string;
  algorithms: SystemAlgorithms;
  /** Signatures in a file: of log, three cosigners, namespace, brake and license. */
  signatures: number;
}

const variants: Variant[] = [
  { name: 'Ed25519', algorithms: ['ed25519'], signatures: 7 },
  { name: 'Ed25519 and ML-DSA-44', algorithms: ['ed25519', 'ml-dsa-44'], signatures: 11 },
];

async function run(context: BenchContext): Promise<string[]> {
  const rows: string[][] = [];
  const sizes: string[] = [];
  for (const variant of variants) {
    const license = await issueMany(variant.algorithms, context.log);
    rows.push(...(await measure(variant, license, context)));
    sizes.push(
      `Signed with ${variant.name}:`,
      markdownTable(['part of the file', 'bytes', 'share'], sizesByPart(license.bundle)),
    );
  }
  return [
    `A license file of a log of ${formatNumber(LICENSES)} licenses, verified offline by the SDK with an open pin; beside ` +
      'it the signature checks that it contains (log, three cosigners, namespace, brake, license) with keys imported ' +
      'beforehand: seven of Ed25519, and with both algorithms four of ML-DSA-44 besides. In turn in one process, ' +
      `${context.rounds} rounds of ${context.seconds} s.`,
    markdownTable(
      [
        'root, log and cosigners',
        'client',
        'verify p50 µs',
        'p99 µs',
        'processor µs',
        'bare checks p50 µs',
        'processor µs',
        'verify / bare',
      ],
      rows,
    ),
    ...sizes,
  ];
}

async function measure(variant: Variant, license: License, context: BenchContext): Promise<string[][]> {
  const bytes = utf8(license.bundle);
  const bundle = parseBundle(bytes);
  const checks = bareChecks(bundle, parseTrustRoot(license.trustRoot), variant.signatures);
  const options: VerifyOptions = {
    trustRoot: await openPin([license.trustRoot]),
    namespace: 'acme',
    products: ['pro'],
    now: Date.now(),
  };
  const first = await verify(bytes, options);
  if (!first.verdict.valid) throw new Error(`the license file is ${first.verdict.code}`);
  const bare = async (): Promise<void> => {
    if (!checks.every(isValid)) throw new Error('a signature became invalid');
  };
  const whole = (request: VerifyOptions) => async (): Promise<void> => {
    if (!(await verify(bytes, request)).verdict.valid) throw new Error('the license file became invalid');
  };
  const remembering = { ...options, remembered: first.remembered };
  await sampleInTurn(1, { whole: whole(remembering), bare });
  const results = await interleave(context.rounds, {
    fresh: () => sampleInTurn(context.seconds, { whole: whole(options), bare }),
    remembering: () => sampleInTurn(context.seconds, { whole: whole(remembering), bare }),
  });
  const { size } = parseTlogProof(bundle.anchor.proof).checkpoint;
  const { index } = parseMapRoot(utf8(bundle.anchor.entry));
  if (index !== size - 1) throw new Error('the map root is not the last entry');
  return [
    [variant.name, ...row('has seen nothing', results.fresh)],
    [variant.name, ...row('remembers this license', results.remembering)],
  ];
}

function row(name: string, rounds: readonly { whole: Sampled; bare: Sampled }[]): string[] {
  const wholes = rounds.map(({ whole }) => whole.p50);
  const bares = rounds.map(({ bare }) => bare.p50);
  return [
    name,
    formatNumber(median(wholes)),
    formatNumber(median(rounds.map(({ whole }) => whole.p99))),
    formatNumber(median(rounds.map(({ whole }) => whole.processor))),
    formatNumber(median(bares)),
    formatNumber(median(rounds.map(({ bare }) => bare.processor))),
    formatRatios(pairRatios(wholes, bares)),
  ];
}

export const bench: Bench = { name: 'verify', title: 'Verifying a license file offline', run };
