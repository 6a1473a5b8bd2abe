import { bundleMediaType } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { type ClientOptions, InMemoryStore, LicenseClient, type RefreshSource } from '../src/index.ts';
import { day, otherLicenseId, revoked, startMs, suspended, World } from './support/world.ts';

class TestClock {
  wall = startMs + day;
  elapsed = 0;
  now(): number {
    return this.wall;
  }
  monotonic(): number {
    return this.elapsed;
  }
  /** Time passes. */
  pass(ms: number): void {
    this.wall += ms;
    this.elapsed += ms;
  }
}

function setUp(world: World, change: Partial<ClientOptions> = {}) {
  const clock = new TestClock();
  const store = new InMemoryStore();
  const options = {
    trustRoot: world.trustFile,
    namespace: 'acme',
    products: ['studio'],
    store,
    clock,
    ...change,
  };
  return { clock, store, client: new LicenseClient(options) };
}

function serving(file: () => string | null): RefreshSource {
  const answer = (text: string | null): Response =>
    text === null
      ? new Response('{"code":"license_key_unknown"}', {
          status: 404,
          headers: { 'content-type': 'application/problem+json' },
        })
      : new Response(text, { headers: { 'content-type': bundleMediaType } });
  return { url: 'https://licenses.example', licenseKey: 'KEY-1234', fetch: async () => answer(file()) };
}

describe('a license client', () => {
  it('has nothing in force at first, then what it fetched, and judges that offline', async () => {
    const world = await World.create();
    const { client, clock } = setUp(world);
    expect(await client.check()).toEqual({ inForce: null, damage: null });
    const file = await world.file();
    const refreshed = await client.refresh(serving(() => file));
    expect(refreshed).toMatchObject({
      problem: null,
      imported: { accepted: true },
      inForce: { verdict: { valid: true } },
    });
    const codes: string[] = [];
    for (const days of [0, 28, 9, 3]) {
      clock.pass(days * day);
      const { inForce } = await client.check();
      codes.push(inForce?.verdict.findings[0]?.code ?? inForce?.verdict.warnings[0]?.code ?? 'VALID');
    }
    expect(codes).toEqual(['VALID', 'STALE_SOON', 'IN_OFFLINE_GRACE', 'STALE']);
    const fresh = world.bundle(await world.publish(clock.wall));
    expect((await client.refresh(serving(() => fresh))).inForce?.verdict.code).toBe('VALID');
  });

  it('learns of a revocation, and keeps it when an older file comes back', async () => {
    const world = await World.create();
    const { client } = setUp(world);
    const valid = await world.file();
    await client.refresh(serving(() => valid));
    const bad = await world.file({ document: revoked, participle: 'revoked' });
    expect((await client.refresh(serving(() => bad))).inForce?.verdict.code).toBe('REVOKED');
    expect((await client.importFile(valid)).code).toBe('SUPERSEDED');
    expect((await client.check()).inForce?.verdict.code).toBe('REVOKED');
  });

  it('takes the successor that the same license key brings', async () => {
    const world = await World.create();
    const { client } = setUp(world);
    const file = await world.file();
    await client.refresh(serving(() => file));
    const successor = await world.file({ id: otherLicenseId });
    const { inForce } = await client.refresh(serving(() => successor));
    expect(inForce?.license?.id).toBe(otherLicenseId);
  });

  it('goes on with what it has when the server cannot be asked or refuses', async () => {
    const world = await World.create();
    const { client } = setUp(world);
    await client.importFile(await world.file());
    const refused = await client.refresh(serving(() => null));
    expect(refused).toMatchObject({ imported: null, problem: { problem: { code: 'license_key_unknown' } } });
    const down = await client.refresh({
      ...serving(() => null),
      fetch: () => Promise.reject(new TypeError('down')),
    });
    expect(down).toMatchObject({ problem: { code: 'unreachable' }, inForce: { verdict: { valid: true } } });
  });

  it('notices a clock that is set back while it runs, and forgives one that is set right', async () => {
    const world = await World.create();
    const { client, clock } = setUp(world);
    await client.importFile(await world.file());
    clock.pass(5 * day);
    clock.wall -= 10 * day;
    expect((await client.check()).inForce?.verdict.code).toBe('CLOCK_ROLLED_BACK');
    clock.wall += 4000 * day;
    expect((await client.check()).inForce?.verdict.code).toBe('STALE');
    clock.wall -= 3990 * day;
    expect((await client.check()).inForce?.verdict.code).toBe('VALID');
  });

  it('imports one file after the other, so that the newest of many at once is in force', async () => {
    const world = await World.create();
    const { client } = setUp(world);
    const files = [await world.file()];
    for (let count = 0; count < 4; count++) {
      files.push(
        await world.file(
          count % 2 === 0 ? { document: suspended, participle: 'suspended' } : { participle: 'reinstated' },
        ),
      );
    }
    await Promise.all(files.toReversed().map((file) => client.importFile(file)));
    expect((await client.check()).inForce?.license?.rev).toBe(4);
  });

  it('says what the store found damaged, and what is wrong with a trust root that is none', async () => {
    const world = await World.create();
    const { client, store } = setUp(world, { trustRoot: 'nonsense' });
    await store.save({ bundle: await world.file(), memory: null });
    expect((await client.check()).inForce?.verdict.code).toBe('TRUST_INVALID');
  });

  it('asks for what the application is about to use', async () => {
    const world = await World.create();
    const { client } = setUp(world);
    await client.importFile(await world.file());
    const { inForce } = await client.check({ need: [{ entitlement: 'ocr' }] });
    expect(inForce?.verdict.code).toBe('ENTITLEMENT_MISSING');
  });
});
