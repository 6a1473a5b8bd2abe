/** The log of requests has a key and a mark of its own, and what holds for the main log's holds for these. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Checkpoint,
  formatCheckpoint,
  formatNote,
  logVerifierKey,
  parseSignedCheckpoint,
  parseTrustRoot,
  utf8,
  verifyAttestation,
  verifyLogSignatures,
} from '@tallystick/core';
import { LocalCosigners } from '@tallystick/testkit';
import { describe, expect, it } from 'vitest';
import { Governance } from '../src/governance.ts';
import { Journal } from '../src/journal/journal.ts';
import { generateKeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import { Mark } from '../src/mark.ts';
import { Signer } from '../src/signer.ts';
import { WitnessWatch } from '../src/witness-watch.ts';
import { scratchDirectory } from './support/scratch.ts';
import { at, GrowingLog, keySpecs, knowKeys, licenseToSign, origin } from './support/signing.ts';
import { TestTrust } from './support/trust.ts';

const accessName = `${origin}/access`;
const log = new GrowingLog(40);
const other = new GrowingLog(40, 'other');
const now = (): number => Date.parse(at);
const clock = { now, monotonic: () => 0 };

/** What of a signer outlives its process, and the cosigners that it is watched by. */
class World {
  readonly directory: string = scratchDirectory();
  readonly keys: SigningKey[] = [...keySpecs(), generateKeySpec(['access'], null)].map(
    (spec) => new SigningKey(spec),
  );
  readonly cosigners: LocalCosigners = new LocalCosigners(now);
  readonly trust: Uint8Array = new TestTrust({
    logKey: (this.keys[0] as SigningKey).publicKey,
    quorum: this.cosigners.quorum,
  }).root;
  readonly mark: Mark = this.#newMark('mark.db', origin);
  accessMark: Mark = this.#newMark('access.db', accessName);
  readonly journal: Journal = Journal.open(join(this.directory, 'journal'), this.mark, now);

  get accessKey(): SigningKey {
    return this.keys.at(-1) as SigningKey;
  }

  start(): Signer {
    const { mark, journal } = this;
    const governance = new Governance(mark, [parseTrustRoot(this.trust)]);
    const witnesses = new WitnessWatch(
      () => governance.versions,
      mark,
      clock,
      () => {},
    );
    const access = { mark: this.accessMark, governance, journal, clock };
    return new Signer(this.keys, { mark, governance, witnesses, journal, access }, now);
  }

  #newMark(name: string, of: string): Mark {
    const file = join(this.directory, name);
    Mark.create(file, of);
    const mark = Mark.open(file, of);
    if (of === origin) knowKeys(mark, this.keys);
    return mark;
  }

  /** An access log's checkpoint signed and cosigned by witnesses alone, as it is shown to the signer. */
  async publish(signer: Signer, size: number, from: number): Promise<Uint8Array> {
    const checkpoint = accessCheckpoint(size);
    const proof = from === size ? [] : log.proof(from, size);
    const own = await signer.signCheckpoint(checkpoint, proof);
    const text = formatCheckpoint(checkpoint);
    const lines = await this.cosigners.cosign(formatNote({ text, signatures: own }), size, (oldSize) =>
      log.proof(oldSize, size),
    );
    const witnesses = lines.filter(({ name }) => name.includes('witness'));
    return utf8(formatNote({ text, signatures: [...own, ...witnesses] }));
  }
}

function accessCheckpoint(size: number, history: GrowingLog = log): Checkpoint {
  return { ...history.checkpoint(size), origin: accessName };
}

describe('the access key', () => {
  it('signs checkpoints of the access log, moves its mark alone, and is in the journal', async () => {
    const world = new World();
    const signer = world.start();
    const note = await world.publish(signer, 5, 0);
    await signer.witnessed(note, true);
    await verifyLogSignatures(parseSignedCheckpoint(note), [
      logVerifierKey(accessName, world.accessKey.publicKey),
    ]);
    expect(signer.describe().access).toMatchObject({ origin: accessName, size: 5 });
    expect(signer.describe().mark.size).toBe(0);
    const lines = readFileSync(join(world.directory, 'journal'), 'utf8').replace(/\0+$/, '');
    const last = JSON.parse(lines.trim().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ op: 'access', origin: accessName, size: 5 });
  });

  it('is attested by the key of the log that it belongs to', async () => {
    const world = new World();
    const bytes = await world.start().attest([world.accessKey.keyid]);
    const { log: known } = parseTrustRoot(world.trust);
    const { keys } = await verifyAttestation(bytes, { origin, keys: known.vkeys });
    expect(keys).toMatchObject([{ usages: ['access'], ns: null, place: { kind: 'sealed-file' } }]);
  });

  it.each([
    ['a smaller log', accessCheckpoint(4), [], 'rollback'],
    ['the same size with another root', accessCheckpoint(5, other), [], 'fork'],
    ['a larger one that does not continue it', accessCheckpoint(8, other), other.proof(5, 8), 'fork'],
    ['growth without a proof', accessCheckpoint(8), [], 'fork'],
    ['another log', { ...accessCheckpoint(8), origin: `${accessName}/2` }, log.proof(5, 8), 'other_log'],
  ])('is not used for %s', async (_, checkpoint, proof, reason) => {
    const world = new World();
    const signer = world.start();
    await signer.witnessed(await world.publish(signer, 5, 0), true);
    await expect(signer.signCheckpoint(checkpoint, proof)).rejects.toMatchObject({ reason });
    expect(signer.describe().access?.size).toBe(5);
  });

  it('signs no promise and no record', async () => {
    const world = new World();
    const signer = world.start();
    const statement = { origin: accessName, index: 0, count: 1, root: new Uint8Array(32), publishBy: at };
    await expect(signer.signPromise(statement)).rejects.toMatchObject({ reason: 'other_log' });
    const [envelope] = signer.signRecords([licenseToSign()], 1);
    expect(envelope?.signatures.map(({ keyid }) => keyid)).not.toContain(world.accessKey.keyid);
  });

  it('signs no growth after a start before witnesses have confirmed its mark', async () => {
    const world = new World();
    const first = world.start();
    await first.witnessed(await world.publish(first, 5, 0), true);
    const again = world.start();
    await expect(again.signCheckpoint(accessCheckpoint(8), log.proof(5, 8))).rejects.toMatchObject({
      reason: 'unconfirmed',
    });
    await again.witnessed(await world.publish(again, 5, 5), true);
    await again.signCheckpoint(accessCheckpoint(8), log.proof(5, 8));
    expect(again.describe().access?.size).toBe(8);
  });

  it('signs nothing once it was shown more than a mark that was put back knows', async () => {
    const world = new World();
    const first = world.start();
    const note = await world.publish(first, 5, 0);
    world.accessMark[Symbol.dispose]();
    const file = join(world.directory, 'yesterday.db');
    Mark.create(file, accessName);
    world.accessMark = Mark.open(file, accessName);
    const again = world.start();
    await expect(again.witnessed(note, true)).rejects.toMatchObject({ reason: 'mark_behind' });
    await expect(again.signCheckpoint(accessCheckpoint(3), [])).rejects.toMatchObject({
      reason: 'mark_behind',
    });
  });

  it.each([
    ['none', (keys: SigningKey[]) => keys.slice(0, -1)],
    ['two', (keys: SigningKey[]) => [...keys, new SigningKey(generateKeySpec(['access'], null))]],
    [
      'one that signs licenses as well',
      (keys: SigningKey[]) => [
        ...keys.slice(0, -1),
        new SigningKey(generateKeySpec(['access', 'license'], null)),
      ],
    ],
  ])('is one, for nothing else: a keystore with %s starts no signer', (_, change) => {
    const world = new World();
    world.keys.splice(0, world.keys.length, ...change([...world.keys]));
    expect(() => world.start()).toThrow(/exactly one access key/);
  });
});
