/** Signatures per second by keystore and algorithm. A token in software says what the way to it costs. */
import { join } from 'node:path';
import { systemAlgorithms } from '@tallystick/server';
import {
  createSealedKeystore,
  generateKeySpec,
  type KeystoreKey,
  noLimits,
  openSealedKeystore,
  Pkcs11Keystore,
  type TokenAlgorithm,
} from '@tallystick/signer';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import type { Bench, BenchContext } from '../bench.ts';
import { formatRate, type Rate, rateOf } from '../rate.ts';
import { formatNumber, interleave, markdownTable } from '../report.ts';

/** Bytes: about what stands in a promise or under a line of a checkpoint. */
const MESSAGE_LENGTH = 200;

interface Variant {
  keystore: string;
  key: KeystoreKey;
  /** Signatures that are asked for at the same time. */
  inFlight: number;
}

function sealedVariants(directory: string): Variant[] {
  const file = join(directory, 'keys.sealed');
  const passphrase = 'correct horse battery staple';
  const specs = systemAlgorithms.map((alg) => generateKeySpec(['log'], null, noLimits, alg));
  createSealedKeystore(file, passphrase, specs);
  const keys = openSealedKeystore(file, passphrase);
  return keys.map((key) => ({ keystore: 'sealed file', key, inFlight: 1 }));
}

function openToken(directory: string): Promise<Pkcs11Keystore> {
  const hsm = SoftHsm.create(directory);
  return Pkcs11Keystore.open({ module: hsm.module, token: hsm.label, keys: [] }, hsm.pin);
}

async function tokenVariants(keystore: Pkcs11Keystore): Promise<Variant[]> {
  const variants: Variant[] = [];
  const algorithms: TokenAlgorithm[] = ['ed25519', 'ecdsa-p256-sha256'];
  for (const alg of algorithms) {
    const key = await keystore.generateKey({ label: alg, alg, usages: ['log'], ns: null });
    for (const inFlight of [1, 16]) variants.push({ keystore: 'PKCS#11 (SoftHSM)', key, inFlight });
  }
  return variants;
}

function measure({ key, inFlight }: Variant, seconds: number): Promise<Rate> {
  const message = new Uint8Array(MESSAGE_LENGTH).fill(1);
  const until = performance.now() + seconds * 1000;
  return rateOf(async () => {
    let count = 0;
    const work = async (): Promise<void> => {
      while (performance.now() < until) {
        const signature = await key.sign(message);
        if (signature.length < 64) throw new Error('not a signature');
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, work));
    return count;
  });
}

async function run({ directory, rounds, seconds, log }: BenchContext): Promise<string[]> {
  if (softHsmModule === null) log('SoftHSM is not installed: tokens are left out');
  await using token = softHsmModule === null ? null : await openToken(directory);
  const variants = [...sealedVariants(directory), ...(token === null ? [] : await tokenVariants(token))];
  const works = Object.fromEntries(
    variants.map((variant, at) => [String(at), () => measure(variant, seconds)]),
  );
  const results = await interleave(rounds, works);
  return [
    `Signatures over ${formatNumber(MESSAGE_LENGTH)} bytes, in one process; medians of ${rounds} rounds of ${seconds} s. ` +
      'In brackets the processor time of each. A batch takes one signature of the Ed25519 log key, a checkpoint one of ' +
      'each log key.' +
      (token === null ? ' SoftHSM was not installed, so that tokens are left out.' : ''),
    markdownTable(
      ['keystore', 'algorithm', 'at the same time', 'signatures/s'],
      variants.map(({ keystore, key, inFlight }, at) => [
        keystore,
        key.publicKey.alg,
        String(inFlight),
        formatRate(results[String(at)] ?? []),
      ]),
    ),
  ];
}

export const bench: Bench = { name: 'keystore', title: 'Signing by keystore', run };
