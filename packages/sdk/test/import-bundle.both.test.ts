import { utf8 } from '@tallystick/core';
import type { LicenseDocument } from '@tallystick/license';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { current, InMemoryStore, importBundle, openPin, type StandingOptions } from '../src/index.ts';
import {
  day,
  licenseId,
  otherLicenseId,
  revoked,
  startMs,
  strangerId,
  suspended,
  World,
} from './support/world.ts';

async function asking(world: World, change: Partial<StandingOptions> = {}): Promise<StandingOptions> {
  const trustRoot = await openPin(world.trustFile);
  return { trustRoot, namespace: 'acme', products: ['studio'], now: startMs + day, ...change };
}

interface Row {
  name: string;
  code: string;
  accepted: boolean;
  /** Code of the verdict in force afterwards. */
  inForce: string;
  /** Makes the files in the order of the log: what is stored first and what comes then. */
  files: (world: World) => Promise<{ stored: string | null; candidate: string }>;
}

async function inOrder(
  world: World,
  stored: object,
  candidate: object,
): Promise<{ stored: string; candidate: string }> {
  const first = await world.file(stored);
  return { stored: first, candidate: await world.file(candidate) };
}

const swap = ({ stored, candidate }: { stored: string; candidate: string }) => ({
  stored: candidate,
  candidate: stored,
});
const other: Partial<LicenseDocument> = { product: { id: 'prd_01jd8x5q0xe8zrk3v7m2n9p4wz', code: 'other' } };

const rows: Row[] = [
  {
    name: 'the first file',
    code: 'FIRST',
    accepted: true,
    inForce: 'VALID',
    files: async (world) => ({ stored: null, candidate: await world.file() }),
  },
  {
    name: 'a first file that says revoked',
    code: 'FIRST',
    accepted: true,
    inForce: 'REVOKED',
    files: async (world) => {
      await world.change();
      return { stored: null, candidate: await world.file({ document: revoked, participle: 'revoked' }) };
    },
  },
  {
    name: 'a newer file that says revoked',
    code: 'NEWER',
    accepted: true,
    inForce: 'REVOKED',
    files: (world) => inOrder(world, {}, { document: revoked, participle: 'revoked' }),
  },
  {
    name: 'a newer file for another product',
    code: 'NEWER',
    accepted: true,
    inForce: 'PRODUCT_MISMATCH',
    files: (world) => inOrder(world, {}, { document: other, participle: 'plan_changed' }),
  },
  {
    name: 'a newer file that lifts a suspension',
    code: 'NEWER',
    accepted: true,
    inForce: 'VALID',
    files: async (world) => {
      await world.change();
      return inOrder(world, { document: suspended, participle: 'suspended' }, { participle: 'reinstated' });
    },
  },
  {
    name: 'the older, valid file after the one that says revoked',
    code: 'SUPERSEDED',
    accepted: false,
    inForce: 'REVOKED',
    files: async (world) => swap(await inOrder(world, {}, { document: revoked, participle: 'revoked' })),
  },
  {
    name: 'the same file',
    code: 'UNCHANGED',
    accepted: false,
    inForce: 'VALID',
    files: async (world) => {
      const file = await world.file();
      return { stored: file, candidate: file };
    },
  },
  {
    name: 'the same state with a later proof',
    code: 'NEWER',
    accepted: true,
    inForce: 'VALID',
    files: async (world) => ({
      stored: await world.file(),
      candidate: world.bundle(await world.publish(startMs + day)),
    }),
  },
  {
    name: 'the same state with an earlier proof',
    code: 'OLDER',
    accepted: false,
    inForce: 'VALID',
    files: async (world) => ({
      candidate: await world.file(),
      stored: world.bundle(await world.publish(startMs + day)),
    }),
  },
  {
    name: 'an altered newer file',
    code: 'ALTERED',
    accepted: false,
    inForce: 'VALID',
    files: async (world) => {
      const stored = await world.file();
      await world.change({ document: revoked, participle: 'revoked' });
      const spoil = (bundle: Parameters<Parameters<World['bundle']>[2] & object>[0]): void => {
        bundle.subjects[0]!.state!.salt = new Uint8Array(32);
      };
      return { stored, candidate: world.bundle(await world.publish(), licenseId, spoil) };
    },
  },
  {
    name: 'a proof that the license was never issued, from before it was',
    code: 'SUPERSEDED',
    accepted: false,
    inForce: 'VALID',
    files: async (world) => {
      await world.change({ id: otherLicenseId });
      const candidate = world.bundle(await world.publish(), licenseId);
      return { candidate, stored: await world.file() };
    },
  },
  {
    name: 'a proof that another license was never issued',
    code: 'NEVER_ISSUED',
    accepted: false,
    inForce: 'VALID',
    files: async (world) => ({
      stored: await world.file(),
      candidate: world.bundle(await world.publish(), strangerId),
    }),
  },
  {
    name: 'another license that is valid',
    code: 'REPLACED',
    accepted: true,
    inForce: 'VALID',
    files: (world) => inOrder(world, {}, { id: otherLicenseId }),
  },
  {
    name: 'another license that is suspended',
    code: 'OTHER_LICENSE',
    accepted: false,
    inForce: 'VALID',
    files: async (world) => {
      await world.change({ id: otherLicenseId });
      return inOrder(world, {}, { id: otherLicenseId, document: suspended, participle: 'suspended' });
    },
  },
  {
    name: 'another license for another product',
    code: 'PRODUCT_MISMATCH',
    accepted: false,
    inForce: 'VALID',
    files: (world) => inOrder(world, {}, { id: otherLicenseId, document: other }),
  },
  {
    name: 'the valid successor of a revoked license',
    code: 'REPLACED',
    accepted: true,
    inForce: 'VALID',
    files: async (world) => {
      await world.change();
      const status = { ...revoked.status!, reason: 'superseded' as const, successor: otherLicenseId };
      return inOrder(world, { document: { status }, participle: 'superseded' }, { id: otherLicenseId });
    },
  },
];

describe('a candidate', () => {
  it.each(rows)('$name: $code', async ({ files, code, accepted, inForce }) => {
    const world = await World.create();
    const options = await asking(world);
    const store = new InMemoryStore();
    const { stored, candidate } = await files(world);
    if (stored !== null) await importBundle(store, stored, options);
    const outcome = await importBundle(store, utf8(candidate), options);
    expect({ code: outcome.code, accepted: outcome.accepted }).toEqual({ code, accepted });
    expect(outcome.inForce?.verdict.code).toBe(inForce);
    expect((await store.load()).state.bundle).toBe(accepted ? candidate : stored);
    expect((await current(store, options)).inForce?.verdict).toEqual(outcome.inForce?.verdict);
  });

  it.each(['FORKED', 'ROLLED_BACK'])('of a log that is %s leaves the good file in force', async (code) => {
    const world = await World.create();
    const options = await asking(world);
    const store = new InMemoryStore();
    const fork = world.fork();
    await world.change();
    const far = code === 'ROLLED_BACK' ? 3 : 0;
    for (let count = 0; count < far; count++) await world.change();
    await importBundle(store, world.bundle(await world.publish()), options);
    const candidate = await fork.file({ document: { licensee: 'Someone else' }, ms: startMs + day });
    const outcome = await importBundle(store, candidate, options);
    expect(outcome).toMatchObject({ accepted: false, code, inForce: { verdict: { code: 'VALID' } } });
  });

  it('that is refused still tightens what is in force by what it proves', async () => {
    const world = await World.create();
    const options = await asking(world);
    const store = new InMemoryStore();
    await world.change({ id: otherLicenseId });
    await importBundle(store, await world.file(), options);
    await world.change({ id: 'brake', document: { minEpoch: 1 } });
    const candidate = world.bundle(await world.publish(), otherLicenseId);
    const outcome = await importBundle(store, candidate, { ...options, products: ['studio'] });
    expect(outcome).toMatchObject({
      accepted: false,
      inForce: { verdict: { code: 'REVALIDATION_REQUIRED' } },
    });
  });

  it('takes the place of a stored file that no longer proves itself, and an older state never does', async () => {
    const world = await World.create();
    const options = await asking(world);
    const store = new InMemoryStore();
    const older = await world.file();
    const newer = await world.file({ document: suspended, participle: 'suspended' });
    await importBundle(store, newer, options);
    const { state } = await store.load();
    await store.save({ ...state, bundle: newer.replace('"index":5', '"index":6') });
    expect((await current(store, options)).inForce?.proven).toBeNull();
    expect(await importBundle(store, older, options)).toMatchObject({ accepted: false, code: 'SUPERSEDED' });
    expect(await importBundle(store, newer, options)).toMatchObject({ accepted: true, code: 'FIRST' });
  });

  it('of bytes changed anywhere never displaces the good file by anything else than what was signed, nor throws', async () => {
    const world = await World.create();
    const options = await asking(world);
    const good = await world.file();
    const newer = utf8(await world.file({ document: suspended, participle: 'suspended' }));
    const saved = new InMemoryStore();
    await importBundle(saved, good, options);
    const { state } = await saved.load();
    let refused = 0;
    const mutation = fc.tuple(
      fc.nat(newer.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom('flip', 'cut', 'drop'),
    );
    const property = fc.asyncProperty(mutation, async ([at, flip, how]) => {
      const store = new InMemoryStore();
      await store.save(state);
      const outcome = await importBundle(store, mutated(newer, at, flip, how), options);
      expect(outcome.candidate.verdict.findings[0]?.details?.reason).not.toBe('unexpected');
      if (!outcome.accepted) {
        refused += 1;
        expect((await store.load()).state.bundle).toBe(good);
        expect(outcome.inForce?.verdict.code).toBe('VALID');
        return;
      }
      // A signature line of a cosigner whom the quorum can do without may turn into that of a stranger.
      expect(outcome.inForce?.verdict.code).toBe('SUSPENDED');
    });
    await fc.assert(property, { numRuns: 300 });
    expect(refused).toBeGreaterThan(250);
  });
});

function mutated(bytes: Uint8Array, at: number, flip: number, how: string): Uint8Array {
  if (how === 'cut') return bytes.slice(0, at);
  if (how === 'drop') return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + 1)]);
  const changed = bytes.slice();
  changed[at] = changed[at]! ^ flip;
  return changed;
}

it('whatever is imported, nothing throws', async () => {
  const world = await World.create();
  const options = await asking(world);
  const store = new InMemoryStore();
  await importBundle(store, await world.file(), options);
  const anything = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(utf8));
  const property = fc.asyncProperty(anything, async (bytes) => {
    const outcome = await importBundle(store, bytes, options);
    expect(outcome).toMatchObject({ accepted: false, inForce: { verdict: { code: 'VALID' } } });
    expect(outcome.candidate.verdict.findings[0]?.details?.reason).not.toBe('unexpected');
  });
  await fc.assert(property, { numRuns: 200 });
});
