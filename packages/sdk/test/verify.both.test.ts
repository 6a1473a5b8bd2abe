import { base64, utf8 } from '@tallystick/core';
import type { LicenseDocument } from '@tallystick/license';
import { describe, expect, it } from 'vitest';
import { ClientMemory, openPin, type VerifyOptions, verify, verifyNow } from '../src/index.ts';
import {
  day,
  licenseDocument,
  licenseId,
  revoked,
  startMs,
  strangerId,
  suspended,
  World,
} from './support/world.ts';

function asking(world: World, change: Partial<VerifyOptions> = {}): VerifyOptions {
  return {
    trustRoot: world.trustFile,
    namespace: 'acme',
    products: ['studio'],
    now: startMs + day,
    ...change,
  };
}

describe('verify', () => {
  it('proves a valid license, by the text of a trust-root file or an open pin', async () => {
    const world = await World.create();
    const file = await world.file();
    const byText = await verify(file, asking(world));
    const byPin = await verify(utf8(file), asking(world, { trustRoot: await openPin([world.trustRoot]) }));
    expect(byText.verdict).toMatchObject({
      valid: true,
      code: 'VALID',
      asOf: startMs,
      contact: { name: 'Acme' },
    });
    expect(byText.license).toEqual(licenseDocument(0));
    expect(byText.proven).toEqual({ licenseId, asOf: startMs, size: 5, trustVersion: 1 });
    expect(byText.remembered?.verifiedAt).toBe(startMs);
    expect({ ...byPin, remembered: byPin.remembered?.toText() }).toEqual({
      ...byText,
      remembered: byText.remembered?.toText(),
    });
  });

  it('takes the time of the device only through verifyNow', async () => {
    const world = await World.create();
    const file = await world.file({ ms: Date.now() });
    const { now: _, ...options } = asking(world);
    expect((await verifyNow(file, options)).verdict.asOf).toBeGreaterThan(startMs);
  });

  it.each<[string, Partial<LicenseDocument>, Partial<VerifyOptions>]>([
    ['REVOKED', revoked, {}],
    ['SUSPENDED', suspended, {}],
    ['STALE', {}, { now: startMs + 40 * day + 1 }],
    ['NOT_STARTED', { term: { from: null, until: null, grace: 'P0D' } }, {}],
    ['NOT_YET_VALID', { term: { from: '2026-06-03T00:00:00.000Z', until: null, grace: 'P0D' } }, {}],
    [
      'EXPIRED',
      { term: { from: '2026-01-01T00:00:00.000Z', until: '2026-05-01T00:00:00.000Z', grace: 'P7D' } },
      {},
    ],
    ['CLOCK_ROLLED_BACK', {}, { now: startMs - day }],
    [
      'RELEASE_NOT_COVERED',
      { updates: { until: '2026-05-01T00:00:00.000Z', fallback: null, maxMajor: null } },
      { release: { date: '2026-05-02T00:00:00.000Z' } },
    ],
    ['NOT_ACTIVATED', { seats: { model: 'device', max: 3, over: 0 } }, {}],
    ['LEASE_REQUIRED', { seats: { model: 'concurrent', max: 3, over: 0 } }, {}],
    ['ENTITLEMENT_MISSING', {}, { need: [{ entitlement: 'ocr' }] }],
    ['LIMIT_REACHED', {}, { need: [{ entitlement: 'tokens', amount: 1001 }] }],
    ['PRODUCT_MISMATCH', {}, { products: ['other'] }],
    ['NAMESPACE_MISMATCH', {}, { namespace: 'globex' }],
  ])('judges %s', async (code, document, change) => {
    const participle = code === 'REVOKED' ? 'revoked' : code === 'SUSPENDED' ? 'suspended' : 'amended';
    const world = await World.create();
    await world.change();
    const { verdict } = await verify(await world.file({ document, participle }), asking(world, change));
    expect(verdict.code).toBe(code);
    expect(verdict.valid).toBe(false);
  });

  it('proves that a license was never issued', async () => {
    const world = await World.create();
    await world.change();
    const result = await verify(world.bundle(await world.publish(), strangerId), asking(world));
    expect(result).toMatchObject({
      verdict: { code: 'NEVER_ISSUED' },
      license: null,
      proven: { licenseId: strangerId },
    });
  });

  it.each<[string, string, object, string]>([
    ['ALTERED', 'a state that its record does not make', suspended, 'reinstated'],
    ['ALTERED', 'a record that suspends what goes on being active', {}, 'suspended'],
    [
      'ALTERED',
      'a term that is no instant',
      { term: { from: 'yesterday', until: null, grace: 'P7D' } },
      'amended',
    ],
    ['ALTERED', 'a missing part', { offline: null }, 'amended'],
    ['TOO_NEW', 'a critical member that is unknown', { crit: ['lease'], lease: 1 }, 'amended'],
    ['TOO_NEW', 'a record type that is unknown', {}, 'teleported'],
    ['VALID', 'a member that is unknown and not critical', { unknown: 1 }, 'amended'],
  ])('answers %s to %s, signed and logged as it is', async (code, _, document, participle) => {
    const world = await World.create();
    const before = await verify(await world.file(), asking(world));
    const after = await verify(
      await world.file({ document, participle }),
      asking(world, { remembered: before.remembered }),
    );
    expect(after.verdict.code).toBe(code);
    expect(after.remembered === before.remembered).toBe(code !== 'VALID');
  });

  it('asks for revalidation and heeds the brake', async () => {
    const world = await World.create();
    const old = await world.file();
    const first = await verify(old, asking(world));
    await world.change({ id: 'brake', document: { minEpoch: 1 } });
    const fresh = await verify(world.bundle(await world.publish()), asking(world));
    expect(fresh.verdict.code).toBe('REVALIDATION_REQUIRED');
    const again = await verify(old, asking(world, { remembered: fresh.remembered }));
    expect([first.verdict.code, again.verdict.code]).toEqual(['VALID', 'REVALIDATION_REQUIRED']);
  });

  it('never takes an older state once a newer one was seen, and leaves the memory as it was', async () => {
    const world = await World.create();
    const old = await world.file();
    const fresh = await verify(
      await world.file({ document: suspended, participle: 'suspended' }),
      asking(world),
    );
    const again = await verify(old, asking(world, { remembered: fresh.remembered }));
    expect(again).toMatchObject({ verdict: { code: 'SUPERSEDED' }, license: null, proven: null });
    expect(again.remembered).toBe(fresh.remembered);
  });

  it.each<[string, (file: string) => string | Uint8Array]>([
    ['MALFORMED', () => ''],
    ['MALFORMED', () => '{'],
    ['MALFORMED', () => '['.repeat(1_000_000)],
    ['MALFORMED', () => ' '.repeat(2_000_000)],
    ['MALFORMED', () => Uint8Array.of(0xff, 0xfe)],
    ['MALFORMED', (file) => ` ${file}`],
    ['TOO_NEW', (file) => file.replace('{"v":1,', '{"v":2,')],
    ['TOO_NEW', (file) => file.replace('{"v":1,', '{"v":1,"extra":0,')],
  ])('answers %s to what is no license file', async (code, spoil) => {
    const world = await World.create();
    const { verdict } = await verify(spoil(await world.file()), asking(world));
    expect(verdict.code).toBe(code);
    expect(verdict.findings[0]?.details?.reason).not.toBe('unexpected');
  });

  it.each<[string, (bundle: Parameters<Parameters<World['bundle']>[2] & object>[0]) => void]>([
    ['NOT_LOGGED', (bundle) => bundle.subjects[0]!.state!.path[0]!.fill(1)],
    [
      'NOT_CURRENT',
      (bundle) => {
        bundle.subjects[0]!.map[40]! ^= 1;
      },
    ],
    [
      'ALTERED',
      (bundle) => {
        bundle.subjects[0]!.state!.salt = new Uint8Array(32);
      },
    ],
    [
      'QUORUM_UNMET',
      (bundle) => {
        bundle.anchor.proof = bundle.anchor.proof.replace(/— w2.*\n/, '');
      },
    ],
    [
      'LOG_SIGNATURE_INVALID',
      (bundle) => {
        bundle.anchor.proof = bundle.anchor.proof.replace(/— log.*\n/, '');
      },
    ],
    [
      'KEY_NOT_VALID',
      (bundle) => {
        bundle.keys = bundle.keys.slice(1);
      },
    ],
    [
      'MALFORMED',
      (bundle) => {
        bundle.subjects = bundle.subjects.slice(1);
      },
    ],
  ])('answers %s to a file with that defect', async (code, edit) => {
    const world = await World.create();
    await world.change();
    const file = world.bundle(await world.publish(), licenseId, edit);
    const result = await verify(file, asking(world));
    expect(result).toMatchObject({
      verdict: { code, valid: false },
      license: null,
      proven: null,
      remembered: null,
    });
  });

  it('answers with a verdict to trust roots that are none, or those of another vendor', async () => {
    const [world, other] = await Promise.all([World.create(), World.create()]);
    const file = await world.file();
    const codeFor = async (trustRoot: string): Promise<string> =>
      (await verify(file, asking(world, { trustRoot }))).verdict.code;
    const envelope = base64(world.trustRoot);
    expect(await codeFor('nonsense')).toBe('TRUST_INVALID');
    expect(await codeFor('{"v":1,"envelopes":[]}')).toBe('TRUST_INVALID');
    expect(await codeFor(JSON.stringify({ v: 1, envelopes: [envelope, envelope] }))).toBe('TRUST_INVALID');
    expect(await codeFor(JSON.stringify({ v: 1, envelopes: [`${envelope} `] }))).toBe('TRUST_INVALID');
    expect(await codeFor('{"v":2,"envelopes":[]}')).toBe('TOO_NEW');
    expect(await codeFor(other.trustFile)).toBe('TRUST_OUTDATED');
  });

  it('rejects a request that is itself wrong, whatever the file', async () => {
    const world = await World.create();
    const wrong: Partial<VerifyOptions>[] = [
      { now: Number.NaN },
      { buildTime: Number.POSITIVE_INFINITY },
      { release: { date: 'today' } },
      { need: [{ entitlement: 'tokens', amount: Number.NaN }] },
      { remembered: { core: null } as unknown as ClientMemory },
    ];
    for (const change of wrong) await expect(verify('', asking(world, change))).rejects.toThrow(TypeError);
  });

  it('bears limits that proofs allow and the model does not know', async () => {
    const world = await World.create({ offlineMax: 'P999999D', keyOfflineMax: 'PT99999999H' });
    expect((await verify(await world.file(), asking(world))).verdict.code).toBe('VALID');
    const short = await World.create({ keyOfflineMax: 'PT1H' });
    expect((await verify(await short.file(), asking(short))).verdict.warnings[0]?.code).toBe(
      'IN_OFFLINE_GRACE',
    );
  });
});

describe('time', () => {
  it('makes one file fresh, then soon stale, then in grace, then stale', async () => {
    const world = await World.create();
    const file = await world.file();
    const at = async (days: number, ms = 0): Promise<string> => {
      const { verdict } = await verify(file, asking(world, { now: startMs + days * day + ms }));
      return verdict.findings[0]?.code ?? verdict.warnings[0]?.code ?? 'VALID';
    };
    expect([
      await at(24),
      await at(24, 1),
      await at(30),
      await at(30, 1),
      await at(40),
      await at(40, 1),
    ]).toEqual(['VALID', 'STALE_SOON', 'STALE_SOON', 'IN_OFFLINE_GRACE', 'IN_OFFLINE_GRACE', 'STALE']);
  });

  it('leaves no trace of a clock that once stood years ahead', async () => {
    const world = await World.create();
    const file = await world.file();
    const ahead = await verify(file, asking(world, { now: startMs + 4000 * day }));
    const corrected = await verify(file, asking(world, { remembered: ahead.remembered }));
    expect([ahead.verdict.code, corrected.verdict.code]).toEqual(['STALE', 'VALID']);
  });

  it('holds a clock that is set back against every time that was ever proven', async () => {
    const world = await World.create();
    const old = await world.file();
    const fresh = world.bundle(await world.publish(startMs + 50 * day));
    const seen = await verify(fresh, asking(world, { now: startMs + 50 * day }));
    const back = await verify(old, asking(world, { now: startMs + day, remembered: seen.remembered }));
    expect(back.verdict.findings.map(({ code }) => code)).toEqual(['CLOCK_ROLLED_BACK', 'STALE']);
    const built = await verify(old, asking(world, { buildTime: startMs + 3 * day }));
    expect(built.verdict.code).toBe('CLOCK_ROLLED_BACK');
    const running = await verify(old, asking(world, { runtime: { verified: startMs, elapsed: 3 * day } }));
    expect(running.verdict.code).toBe('CLOCK_ROLLED_BACK');
  });
});

describe('a memory', () => {
  it('survives being stored', async () => {
    const world = await World.create();
    const { remembered } = await verify(await world.file(), asking(world));
    const text = remembered!.toText();
    expect(ClientMemory.parse(text).toText()).toBe(text);
    expect(ClientMemory.parse(text).headIndex(licenseId)).toBe(3);
    expect(ClientMemory.parse(text).headIndex(strangerId)).toBeNull();
  });

  it('keeps the proven time when the pinned trust root is another one', async () => {
    const [world, other] = await Promise.all([World.create(), World.create()]);
    const seen = await verify(await world.file({ ms: startMs + 9 * day }), asking(world));
    const next = await verify(await other.file(), asking(other, { remembered: seen.remembered }));
    expect(next.verdict.code).toBe('CLOCK_ROLLED_BACK');
    expect(next.remembered?.verifiedAt).toBe(startMs + 9 * day);
  });

  it('that is damaged is reported with a type, at every cut and for every wrong member', async () => {
    const world = await World.create();
    const { remembered } = await verify(await world.file(), asking(world));
    const text = remembered!.toText();
    for (let at = 0; at < text.length; at += 7) {
      expect(() => ClientMemory.parse(text.slice(0, at))).toThrow(
        expect.objectContaining({ code: 'damaged' }),
      );
    }
    const wrong: [string, string][] = [
      ['"size":5', '"size":-5'],
      ['"size":5', '"size":5.5'],
      ['"root":"', '"root":"A'],
      ['"ns":"acme"', '"ns":"globex"'],
      ['"heads":{', '"heads":{"short":1,'],
      ['"verifiedAt":', '"verifiedAt":"'],
      ['"v":1,"core"', '"core"'],
    ];
    for (const [from, to] of wrong) {
      expect(text.replace(from, to), from).not.toBe(text);
      expect(() => ClientMemory.parse(text.replace(from, to))).toThrow(
        expect.objectContaining({ code: 'damaged' }),
      );
    }
    expect(() => ClientMemory.parse(text.replace('{"v":1', '{"v":2'))).toThrow(
      expect.objectContaining({ code: 'too_new' }),
    );
  });
});

it('a license file that names another license is not the license of that name', async () => {
  const world = await World.create();
  const file = await world.file();
  const { verdict } = await verify(file.replace(licenseId, strangerId), asking(world));
  expect(verdict.code).toBe('ALTERED');
});
