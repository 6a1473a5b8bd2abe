import { describe, expect, it } from 'vitest';
import {
  base64,
  type IntegrityCode,
  IntegrityError,
  type ProvenBundle,
  type TrustRoot,
  utf8,
  verifyBundle,
  verifyTrustChain,
} from '../src/index.ts';
import { accepted, type BundleCase, cosigning, story } from './support/bundle-case.ts';
import { trustCases } from './support/bundle-cases-trust.ts';
import { licenseId, strangerId } from './support/world.ts';

/**
 * Everything that an application could act on. The proof that one license was never issued can hold for a
 * neighbor that was never issued either, so of such a bundle the id is left out.
 */
function meaning(proven: ProvenBundle): string {
  const { license, anchor, trust, remembered } = proven;
  return JSON.stringify([
    license && [proven.licenseId, base64(license.document), license.recordType, license.keyOfflineMaxMs],
    [anchor.size, base64(anchor.root), anchor.asOf],
    base64(trust.hash),
    proven.namespace,
    proven.brake,
    remembered,
  ]);
}

type Outcome = 'same' | 'DIFFERENT' | 'UNTYPED' | IntegrityCode;

async function outcomeOf(bytes: Uint8Array, pin: readonly TrustRoot[], original: string): Promise<Outcome> {
  try {
    return meaning(await verifyBundle(bytes, { pin, namespace: 'acme' })) === original ? 'same' : 'DIFFERENT';
  } catch (error) {
    return error instanceof IntegrityError ? error.code : 'UNTYPED';
  }
}

function* variants(bytes: Uint8Array, step: number): Generator<[string, Uint8Array]> {
  for (let at = 0; at < bytes.length; at += step) {
    for (const flip of [0x01, 0x02, 0x20, 0x80]) {
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ flip;
      yield [`byte ${at} xor ${flip}`, changed];
    }
    yield [`byte ${at} deleted`, concat(bytes.subarray(0, at), bytes.subarray(at + 1))];
    yield [`byte ${at} doubled`, concat(bytes.subarray(0, at + 1), bytes.subarray(at))];
    yield [
      `a space before byte ${at}`,
      concat(bytes.subarray(0, at), Uint8Array.of(0x20), bytes.subarray(at)),
    ];
    yield [`cut at byte ${at}`, bytes.subarray(0, at)];
  }
}

const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

function cases(): [string, BundleCase, number, boolean][] {
  const { world, second } = story();
  const plain = accepted('plain', world, second, world.bundle(licenseId, second));
  const absent = accepted('absent', world, second, world.bundle(strangerId, second), {}, { id: strangerId });
  const stranger = { ...world.cast.replayer, name: 'stranger.example', signer: world.cast.stranger };
  const cosigners = cosigning([...world.cast.witnesses, world.cast.replayer, stranger]);
  const crowded = world.anchor({ cosigners });
  const ignored = accepted('with a line that is ignored', world, crowded, world.bundle(licenseId, crowded));
  const stepped = trustCases().find((vector) => vector.name === 'version 2 by a step') as BundleCase;
  return [
    ['a plain bundle', plain, 1, true],
    ['a bundle with a signature line that is ignored', ignored, 7, false],
    ['a bundle for a license never issued', absent, 3, false],
    ['a bundle with a trust step', stepped, 11, false],
  ];
}

describe('no change of any byte gives another meaning or an untyped error', () => {
  it.each(cases())('%s', { timeout: 300_000 }, async (_, vector, step, isAllRead) => {
    const pin = await verifyTrustChain(vector.pin.map((text) => Buffer.from(text, 'base64')));
    const bytes = utf8(vector.bundle);
    const original = meaning(await verifyBundle(bytes, { pin, namespace: 'acme' }));
    const bad: string[] = [];
    const same: string[] = [];
    const codes = new Set<Outcome>();
    for (const [what, changed] of variants(bytes, step)) {
      const outcome = await outcomeOf(changed, pin, original);
      codes.add(outcome);
      if (outcome === 'DIFFERENT' || outcome === 'UNTYPED') bad.push(`${what}: ${outcome}`);
      if (outcome === 'same') same.push(what);
    }
    expect(bad).toEqual([]);
    expect(codes.size).toBeGreaterThan(4);
    // Nothing may change unseen but what nobody reads: the name and bytes of a line by an unknown key.
    if (isAllRead) expect(same).toEqual([]);
  });
});
