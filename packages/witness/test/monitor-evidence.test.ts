/** Files that accuse an honest log: whoever makes them, and whatever they hold, they prove nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeUtf8,
  encodeEnvelope,
  encodeRecord,
  formatInstant,
  parseEnvelope,
  payloadTypes,
  utf8,
} from '@tallystick/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createMonitorKey, type Evidence, encodeEvidence, verifyEvidence } from '../src/index.ts';
import { newKey, sealEnvelope } from './support/signing-key.ts';
import { licenseId, testNow } from './support/test-log.ts';
import { type History, WatchedWorld } from './support/watched-log.ts';

type Found = Evidence['found'];
type BrokenRule = Extract<Found, { kind: 'broken-rule' }>;

let parent: string;
let world: WatchedWorld;
let log: History;
let liar: ReturnType<typeof createMonitorKey>;

beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'tally-evidence-'));
  liar = createMonitorKey(join(parent, 'liar.key'));
});

afterAll(() => {
  rmSync(parent, { recursive: true, force: true });
});

beforeEach(async () => {
  world = await WatchedWorld.start(parent);
  log = world.history;
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function judge(found: Found, at = testNow): Promise<string[]> {
  const body = { origin: log.origin, at: formatInstant(at * 1000), by: liar.publicKey, found };
  const bytes = encodeEvidence(body, (message) => liar.sign(message));
  return (await verifyEvidence(bytes, await world.trust)).proves;
}

/** All that a replay of the log up to `index` asks for. */
function accuse(index: number, rule: string, changes: Partial<BrokenRule> = {}): BrokenRule {
  const documents = [...log.documents].map(([path, document]) => {
    const [type = '', rev] = path.split('/');
    return { ns: 'acme', type, rev: Number(rev), document };
  });
  return {
    kind: 'broken-rule',
    rule,
    index,
    note: log.checkpoint(),
    entries: log.entries.slice(0, index + 1),
    proof: log.tree.consistencyProof(index + 1, log.size),
    documents,
    keys: [{ ns: 'acme', keys: log.publicKeys }],
    ...changes,
  };
}

describe('a file that accuses an honest log of two histories', () => {
  it('proves nothing where they agree, or the log did not sign both', async () => {
    const before = log.size;
    log.pushLicense(licenseId(1));
    log.pushMapRoot();
    const other = log.fork(before);
    other.pushLicense(licenseId(2));
    other.pushMapRoot();
    const both = { kind: 'not-a-prefix', smaller: log.checkpoint(before), larger: log.checkpoint() } as const;
    for (const history of [log, other]) {
      const proof = history.tree.consistencyProof(before, history.size);
      for (const root of [log.tree.root(before), other.tree.root(), new Uint8Array(32)])
        await expect(judge({ ...both, root, proof })).rejects.toThrow();
    }
    const [a, b] = [log.checkpoint(), other.checkpoint()];
    await expect(judge({ kind: 'same-size', a, b: a })).rejects.toThrow(/do not contradict/);
    const unsigned = b.replace(/— .*/s, a.slice(a.indexOf('— ')));
    await expect(judge({ kind: 'same-size', a, b: unsigned })).rejects.toThrow(/signature/);
    // What such a file looks like when the log did sign both.
    expect(await judge({ kind: 'same-size', a, b })).toHaveLength(1);
  });

  it('proves nothing about another log', async () => {
    await using stranger = await WatchedWorld.start(parent);
    const other = stranger.history.fork(4);
    other.pushMapRoot();
    stranger.history.pushLicense(licenseId(1));
    await expect(
      judge({ kind: 'same-size', a: stranger.history.checkpoint(), b: other.checkpoint() }),
    ).rejects.toThrow();
  });
});

describe('a file that accuses an honest log of going back', () => {
  it('proves nothing on the word of one cosigner whose clock is wrong', async () => {
    const before = log.size;
    await world.publish();
    const smaller = world.shown ?? '';
    log.pushLicense(licenseId(1));
    log.pushMapRoot();
    world.now -= 7200;
    await world.witnesses.w1.cosign(log, log.size);
    const larger = world.noteOf(log, log.size, ['w1']);
    expect(before).toBeLessThan(log.size);
    await expect(judge({ kind: 'rolled-back', larger, smaller })).rejects.toThrow();
    world.now += 7200;
    await world.witnesses.r1.cosign(log, log.size);
    const partly = world.noteOf(log, log.size, ['w1', 'r1']);
    await expect(judge({ kind: 'rolled-back', larger: partly, smaller })).rejects.toThrow();
  });
});

describe('a file that accuses an honest log of breaking a rule', () => {
  it('proves nothing with entries and keys as they are', async () => {
    log.pushLicense(licenseId(1));
    log.pushMapRoot();
    for (const rule of ['map-root', 'signature', 'chain', 'at'])
      await expect(judge(accuse(log.size - 1, rule))).rejects.toThrow(/no breach/);
  });

  it('proves nothing with a document that was swapped', async () => {
    const { documents } = accuse(0, '');
    const swapped = documents.map((each) => ({
      ...each,
      document: utf8(decodeUtf8(each.document).replace('"Acme"', '"Evil"')),
    }));
    await expect(judge(accuse(1, 'document', { documents: swapped }))).rejects.toThrow();
  });

  it('proves nothing with a clock that the file sets', async () => {
    await expect(judge(accuse(1, 'at'), testNow - 86_400)).rejects.toThrow();
    await world.publish();
    await expect(judge(accuse(1, 'at', { note: world.shown ?? '' }), testNow - 86_400)).rejects.toThrow();
  });

  it('proves nothing with a key left out', async () => {
    // A second signature, by another entitled key, that does not hold: verifiers pass it over.
    const spare = newKey();
    log.publicKeys.push(spare);
    const { keys } = log.namespaceDocument(1);
    const [first] = keys;
    if (first === undefined) throw new Error('the namespace has no key');
    log.pushNamespace({ keys: [...keys, { ...first, id: spare.id, from: log.size + 1 }] });
    const record = log.record(licenseId(1), 'license.issued');
    const { record: type } = payloadTypes;
    const payload = encodeRecord(record);
    const good = parseEnvelope(sealEnvelope(payload, type, [log.keys.license]), type);
    const bad = parseEnvelope(sealEnvelope(utf8('other'), type, [spare]), type);
    const entry = encodeEnvelope({ ...good, signatures: [...bad.signatures, ...good.signatures] });
    const index = log.push(entry, record);
    log.pushMapRoot();
    await expect(judge(accuse(index, 'signature'))).rejects.toThrow(/no breach/);
    const without = [{ ns: 'acme', keys: log.publicKeys.filter((key) => key !== log.keys.license) }];
    await expect(judge(accuse(index, 'signature', { keys: without }))).rejects.toThrow();
  });

  it('proves nothing with entries of another log, or too few', async () => {
    const other = log.fork(log.size - 1);
    const index = other.pushMapRoot({ root: new Uint8Array(32).fill(1) });
    log.pushMapRoot();
    await expect(judge(accuse(index, 'map-root', { entries: other.entries }))).rejects.toThrow();
    await expect(judge(accuse(index, 'map-root', { entries: other.entries.slice(1) }))).rejects.toThrow(
      /missing/,
    );
    log = other;
    expect(await judge(accuse(index, 'map-root'))).toHaveLength(1);
  });
});
