import {
  checkCosignature,
  concatBytes,
  formatInstant,
  parseSignedCheckpoint,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { keyFromSeed, type ReplayRule, Violation } from '../src/index.ts';
import { bootstrapped, brokenLogs, goodLog } from './support/broken-logs.ts';
import type { Tamper } from './support/log-server.ts';
import { ReplaySetup } from './support/replay-setup.ts';
import { newKey } from './support/signing-key.ts';
import { licenseId, listedKey, TestLog, testNow } from './support/test-log.ts';

const first = licenseId(1);

async function refusal(setup: ReplaySetup): Promise<Violation> {
  const error: unknown = await setup.add().then(
    () => new Error('it was cosigned'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Violation)) throw error;
  return error;
}

describe('a log that follows the rules', () => {
  it.each([0, 2])('is cosigned, with %i threads for signatures', async (workers) => {
    const log = goodLog();
    await using setup = await ReplaySetup.start(log, { workers });
    const line = await setup.add();
    const { vkey } = keyFromSeed('replayer.example/r1', new Uint8Array(32).fill(7));
    const checkpoint = parseSignedCheckpoint(utf8(log.checkpoint() + line));
    expect(await checkCosignature(checkpoint, vkey)).toEqual({ is: 'valid', seconds: testNow });
  });

  it('is cosigned checkpoint by checkpoint, across restarts', async () => {
    const log = goodLog();
    await using setup = await ReplaySetup.start(log);
    for (const size of [4, 10, log.size]) {
      await setup.add(size);
      await setup.restart();
      expect(setup.cosigned).toBe(size);
    }
  });

  it('may need signatures of two algorithms from some index on, and then both', async () => {
    const log = new TestLog().bootstrap({
      require: { license: [{ from: 6, algs: ['ed25519', 'ml-dsa-44'] }] },
    });
    const later = newKey('ml-dsa-44');
    log.publicKeys.push(later);
    log.pushNamespace({ keys: [...log.namespaceDocument(1).keys, listedKey(later, ['license'], 6)] });
    log.pushLicense(licenseId(5));
    log.pushMapRoot();
    log.pushRecord(log.record(first, 'license.issued'), [log.keys.license, later]);
    log.pushMapRoot();
    await using setup = await ReplaySetup.start(log);
    await setup.add();
    expect(setup.violations).toEqual([]);
    const stripped = log.pushLicense(licenseId(6));
    log.pushMapRoot();
    const violation = await refusal(setup);
    expect([violation.rule, violation.index]).toEqual(['signature', stripped]);
  });

  it('is cosigned while empty', async () => {
    await using setup = await ReplaySetup.start(bootstrapped());
    expect(await setup.add(0)).toContain('replayer.example/r1');
  });

  it('may be exactly five minutes ahead', async () => {
    const log = bootstrapped();
    log.pushMapRoot({ at: formatInstant((testNow + 300) * 1000) });
    await using setup = await ReplaySetup.start(log);
    await setup.add();
    expect(setup.cosigned).toBe(4);
  });
});

describe('a log that breaks a rule is refused:', () => {
  it.each(brokenLogs)('%s (%s)', async (_what, rule, build) => {
    const log = bootstrapped();
    const index = build(log);
    if (rule !== 'last-leaf') log.pushMapRoot();
    await using setup = await ReplaySetup.start(log);
    const { rule: found, index: at, status } = await refusal(setup);
    expect([found, at, status]).toEqual([rule, index, 422]);
    expect(setup.violations.map((violation) => violation.rule)).toEqual([rule]);
    expect(setup.cosigned).toBe(0);
  });

  it.each([
    ['no trust root at all', (log: TestLog) => log.pushMapRoot({ trust: zeroSalt }), 0, 'bootstrap'],
    [
      'a license before the namespace',
      (log: TestLog) => {
        log.pushTrust();
        log.pushLicense(first);
      },
      1,
      'bootstrap',
    ],
    [
      'a license before the brake',
      (log: TestLog) => {
        log.pushTrust();
        log.pushNamespace();
        log.pushLicense(first);
      },
      2,
      'bootstrap',
    ],
    [
      'a map root before the brake',
      (log: TestLog) => {
        log.pushTrust();
        log.pushNamespace();
      },
      2,
      'bootstrap',
    ],
    [
      'a trust root that does not meet its own threshold',
      (log: TestLog) => log.pushTrust({ signers: [newKey()] }),
      0,
      'trust-root',
    ],
  ] as const)('%s', async (_what, build, index, rule) => {
    const log = new TestLog();
    build(log);
    // Where no trust root was logged, something has to be pinned all the same.
    if (log.trustHashes.length === 0) log.trustHashes.push(zeroSalt);
    log.pushMapRoot();
    await using setup = await ReplaySetup.start(log);
    const violation = await refusal(setup);
    expect([violation.rule, violation.index]).toEqual([rule, index]);
  });

  it('a trust root that is not the pinned one', async () => {
    const log = bootstrapped();
    log.pushMapRoot();
    log.trustHashes[0] = zeroSalt;
    await using setup = await ReplaySetup.start(log);
    const violation = await refusal(setup);
    expect([violation.rule, violation.index]).toEqual(['trust-root', 0]);
  });
});

describe('what the log hands over', () => {
  const flipLastByte: Tamper = (path, bytes) => {
    if (!path.includes('/entries/') || bytes === null) return bytes;
    const altered = bytes.slice();
    // A digit of the last map root's time: still well-formed, and covered by nothing but the tree.
    altered[altered.length - 3] = altered.at(-3) === 0x31 ? 0x32 : 0x31;
    return altered;
  };

  it.each<[string, ReplayRule, Tamper]>([
    ['an altered byte', 'root', flipLastByte],
    [
      'another entry',
      'root',
      (path, bytes) => {
        if (!path.includes('/entries/') || bytes === null) return bytes;
        const altered = bytes.slice();
        altered[600] = altered[600]! ^ 1;
        return altered;
      },
    ],
    ['a truncated tile', 'tile', (path, bytes) => (path.includes('/entries/') ? bytes!.slice(0, -1) : bytes)],
    [
      'a tile with an entry more',
      'tile',
      (path, bytes) => (path.includes('/entries/') ? concatBytes(bytes!, Uint8Array.of(0, 1, 65)) : bytes),
    ],
    [
      'another namespace document',
      'document',
      (path, bytes) => (path.endsWith('/namespace/0') ? utf8('{}') : bytes),
    ],
  ])('is refused when it is %s (%s)', async (_what, rule, tamper) => {
    const log = bootstrapped();
    log.pushMapRoot();
    await using setup = await ReplaySetup.start(log);
    setup.server.tamper = tamper;
    expect((await refusal(setup)).rule).toBe(rule);
    // Nothing of it is kept: the honest answer is good.
    setup.server.tamper = (_path, bytes) => bytes;
    await setup.add();
    expect(setup.cosigned).toBe(4);
  });

  it.each(['/entries/', '/namespace/0', '/brake/0', '/keys'])(
    'is waited for where %s is missing',
    async (part) => {
      const log = bootstrapped();
      log.pushLicense(first);
      log.pushMapRoot();
      await using setup = await ReplaySetup.start(log);
      setup.server.tamper = (path, bytes) => (path.includes(part) ? null : bytes);
      await expect(setup.add()).rejects.toMatchObject({ status: 503 });
      expect(setup.violations).toEqual([]);
      setup.server.tamper = (_path, bytes) => bytes;
      await setup.add();
      expect(setup.cosigned).toBe(5);
    },
  );

  it('is asked for with the token where it is closed, and without where it is public', async () => {
    const log = bootstrapped();
    log.pushMapRoot();
    await using setup = await ReplaySetup.start(log);
    await setup.add();
    expect(setup.server.asked).toEqual([
      '/log/tile/entries/000.p/4',
      '/trust/acme/namespace/0',
      '/trust/acme/keys',
      '/trust/acme/brake/0',
    ]);
  });

  it('is taken from the full tile where the partial one is gone', async () => {
    const log = bootstrapped();
    log.pushMapRoot();
    for (let n = 0; log.size < 256; n++) log.pushLicense(licenseId(n));
    await using setup = await ReplaySetup.start(log);
    setup.server.tamper = (path, bytes) => (path.includes('.p/') ? null : bytes);
    await setup.add(4);
    expect(setup.cosigned).toBe(4);
  });
});
