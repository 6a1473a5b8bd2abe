/** Issuing keys hand over and are ended, in a running system, and the files in the field show it. */
import { readFileSync } from 'node:fs';
import {
  decodeBase64,
  keyIdOf,
  type PublicKey,
  parseBundle,
  parseRecordEntry,
  parseTrustRootFile,
  utf8,
} from '@tallystick/core';
import { openPin, verify } from '@tallystick/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually, sleep } from './support/waiting.ts';

let system: RealSystem;
/** Key ids of the issuing keys, in the order of the namespace. */
let issuing: string[];

interface Issued {
  id: string;
  index: number;
}

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  const { json } = await system.public('GET', '/trust/acme/keys');
  const raw = (json as { keys: { alg: PublicKey['alg']; key: string }[] }).keys;
  const listed = await namespaceKeys();
  const byId = new Map(raw.map(({ alg, key }) => [keyIdOf({ alg, key: decodeBase64(key) }), key]));
  expect(byId.size).toBe(raw.length);
  issuing = listed.filter(({ usages }) => usages.includes('license')).map(({ id }) => digits(id));
  expect(issuing).toHaveLength(2);
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

async function namespaceKeys(): Promise<{ id: string; usages: string[] }[]> {
  const { json } = await system.public('GET', '/trust/acme');
  return (json as { namespace: { document: { keys: { id: string; usages: string[] }[] } } }).namespace
    .document.keys;
}

/** The key id that belongs to a fingerprint. */
function digits(fingerprint: string): string {
  return Buffer.from(decodeBase64(fingerprint).subarray(0, 8)).toString('hex');
}

async function issue(query = ''): Promise<Issued> {
  const { document, changes } = await system.must<{ document: { id: string }; changes: { index: number }[] }>(
    'POST',
    `/v1/licenses${query}`,
    { plan: 'pro-yearly', licensee: 'Contoso' },
  );
  return { id: document.id, index: changes[0]!.index };
}

function tighten(body: object): ReturnType<RealSystem['admin']> {
  return system.admin('POST', '/v1/brake/tighten?wait=published', body);
}

async function fileOf(id: string): Promise<string> {
  await system.published();
  const { json } = await system.admin('GET', `/v1/licenses/${id}/bundle`);
  return JSON.stringify(json);
}

async function verdictOf(file: string): Promise<string> {
  const { verdict } = await verify(file, {
    trustRoot: await openPin(parseTrustRootFile(readFileSync(system.layout.trustRoot, 'utf8'))),
    namespace: 'acme',
    products: ['pro'],
    now: Date.now(),
  });
  return verdict.valid ? 'valid' : verdict.code;
}

function signersOf(file: string): string[] {
  const license = parseBundle(utf8(file)).subjects.find(({ id }) => id.startsWith('lic_'));
  return parseRecordEntry(license!.state!.entry).envelope.signatures.map(({ keyid }) => keyid);
}

describe('a rotation', () => {
  let before: Issued;

  it('hands over under load without a failed request, and the old files stay good', async () => {
    for (let count = 0; count < 20; count++) await issue();
    before = await issue();
    const earlier = Array.from({ length: 150 }, () => issue());
    const rotating = tighten({ until: [{ key: issuing[0]! }] });
    const later = Array.from({ length: 150 }, () => issue());
    const issued = await Promise.all([...earlier, ...later]);
    const rotated = await rotating;
    expect(rotated.status).toBe(200);
    const cut = (rotated.json as { changes: { index: number }[] }).changes[0]!.index;
    const after = await issue();
    for (const { id, index } of [before, after, ...issued.slice(0, 5), ...issued.slice(-5)]) {
      const file = await fileOf(id);
      expect(signersOf(file)).toEqual([index < cut ? issuing[0] : issuing[1]]);
      expect(await verdictOf(file)).toBe('valid');
    }
    expect(issued.some(({ index }) => index < cut) && issued.some(({ index }) => index > cut)).toBe(true);
  });

  it('outlives the death of the signer and of the server', async () => {
    for (const name of ['signer', 'server']) {
      system.kill(name);
      const issued = await eventually('it issues again', () => issue().catch(() => null));
      expect(signersOf(await fileOf(issued.id))).toEqual([issuing[1]]);
    }
  });

  it('with nothing to hand over to is refused, and changes nothing', async () => {
    const { status, json } = await tighten({ until: [{ key: issuing[1]! }] });
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: 'in_use' });
    await issue();
  });

  it('is not undone', async () => {
    const { json } = await tighten({ until: [{ key: issuing[0]!, index: 10_000 }] });
    expect(json).toMatchObject({ code: 'may_only_tighten' });
  });

  it('can end a key in the past: what it signed since is not valid until it is signed anew', async () => {
    const victim = await issue();
    const spared = before;
    expect((await tighten({ until: [{ key: issuing[0]!, index: before.index + 1 }] })).status).toBe(200);
    expect(await verdictOf(await fileOf(spared.id))).toBe('valid');
    const inHole = await firstInHole(before.index);
    expect(await verdictOf(await fileOf(inHole))).toBe('KEY_NOT_VALID');
    await system.must('POST', `/v1/licenses/${inHole}/reissue`, {});
    expect(await verdictOf(await fileOf(inHole))).toBe('valid');
    expect(await verdictOf(await fileOf(victim.id))).toBe('valid');
  });

  it('is whole or has not happened when the signer dies in the middle of it', async () => {
    const from = before.index;
    for (let round = 1; round <= 5; round++) {
      const load = Array.from({ length: 20 }, () => issue().catch(() => null));
      const asked = tighten({ until: [{ key: issuing[0]!, index: from - round }] });
      await sleep(Math.random() * 12);
      system.kill('signer');
      const first = await asked;
      await Promise.all(load);
      const done = await eventually('the brake is tightened', async () => {
        const again = await tighten({ until: [{ key: issuing[0]!, index: from - round }] });
        const { code } = again.json as { code?: string };
        if (code === 'may_only_tighten') throw new Error('a lower end was called a higher one');
        return again.status === 200 || code === 'no_change';
      });
      expect(done && [200, 503].includes(first.status)).toBe(true);
      const { json } = await system.public('GET', '/trust/acme');
      const { until } = (json as { brake: { document: { until: { index: number }[] } } }).brake.document;
      expect(until.map(({ index }) => index)).toEqual([from - round]);
    }
    await eventually('it issues again', () => issue().catch(() => null));
  });

  it('of the last key, where that is meant, stops issuing and nothing else', async () => {
    const last = await issue();
    expect((await tighten({ until: [{ key: issuing[1]! }], mayStopIssuing: true })).status).toBe(200);
    const refused = await system.admin('POST', '/v1/licenses', { plan: 'pro-yearly' });
    expect(refused.json).toMatchObject({ code: 'signer_refused' });
    expect(await verdictOf(await fileOf(last.id))).toBe('valid');
    await system.published();
    const report = await auditAtRest(system);
    expect(report).toMatchObject({ problems: [], incidents: [] });
  });
});

/** A license that the first key signed after log index `index`. */
async function firstInHole(index: number): Promise<string> {
  const { json } = await system.admin('GET', '/v1/licenses?limit=200');
  const { items } = json as { items: { document: { id: string }; index: number }[] };
  const signed = items.filter((item) => item.index > index);
  for (const { document } of signed.reverse()) {
    if (signersOf(await fileOf(document.id))[0] === issuing[0]) return document.id;
  }
  throw new Error('no license in the hole');
}
