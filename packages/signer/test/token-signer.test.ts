import { chmodSync, writeFileSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import {
  base64,
  LogTree,
  leafHash,
  makeVerifierKey,
  type NoteSignature,
  noteSignatureType,
  type PublicKey,
  verifyAttestation,
  verifyLogSignatures,
  verifyPromise,
} from '@tallystick/core';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SignerClient } from '../src/client.ts';
import type { DescribedKey } from '../src/keystore/described-key.ts';
import type { SigningUsage } from '../src/keystore/keystore-key.ts';
import type { TokenAlgorithm } from '../src/keystore/pkcs11-algorithms.ts';
import { Pkcs11Keystore } from '../src/keystore/pkcs11-keystore.ts';
import { addToSealedKeystore } from '../src/keystore/sealed-file.ts';
import { SigningKey } from '../src/keystore/signing-key.ts';
import { writeTokenDescription } from '../src/keystore/token-description.ts';
import type { Mark } from '../src/mark.ts';
import type { BatchToSign } from '../src/protocol/requests.ts';
import { listen } from '../src/socket-server.ts';
import {
  endSigners,
  passphrase,
  runSigner,
  runUntilListening,
  SignerFiles,
} from './support/running-signer.ts';
import { scratchDirectory } from './support/scratch.ts';
import {
  at,
  GrowingLog,
  keySpecs,
  licenseToSign,
  origin,
  postQuantumLogKey,
  record,
  signedCheckpoint,
  signerOf,
} from './support/signing.ts';

const log = new GrowingLog(40);
const other = new GrowingLog(40, 'other');
const batch: BatchToSign = {
  records: [licenseToSign(), { record: record('plan.created'), content: null }, licenseToSign({ seats: 1 })],
  index: 9,
  publishBy: at,
};

let hsm: SoftHsm;
let keystore: Pkcs11Keystore;

async function generate(usage: SigningUsage, alg: TokenAlgorithm = 'ed25519'): Promise<DescribedKey> {
  return keystore.generateKey({ label: `tally ${usage}`, alg, usages: [usage], ns: null });
}

function issuingKeys(): SigningKey[] {
  return keySpecs()
    .slice(1)
    .map((spec) => new SigningKey(spec));
}

describe.skipIf(softHsmModule === null)('a signer whose log key is in a token', () => {
  let directory: string;
  let logKey: DescribedKey;

  beforeEach(async () => {
    directory = scratchDirectory();
    hsm = SoftHsm.create(directory);
    keystore = await Pkcs11Keystore.open({ module: hsm.module, token: hsm.label, keys: [] }, hsm.pin);
    logKey = await generate('log');
  });

  afterEach(() => keystore[Symbol.asyncDispose]());

  async function checkPromise(signed: { entries: Uint8Array[]; promise: Uint8Array }): Promise<void> {
    expect(signed.entries).toHaveLength(batch.records.length);
    const leaves = signed.entries.map(leafHash);
    const tree = new LogTree();
    for (const leaf of leaves) tree.append(leaf);
    for (const [nth, leaf] of leaves.entries()) {
      const path = tree.inclusionProof(nth).map(base64);
      const promise = {
        envelope: base64(signed.promise),
        index: batch.index + nth,
        leaf: base64(leaf),
        path,
      };
      await verifyPromise(promise, origin, [logKey.publicKey]);
    }
  }

  async function checkLines(size: number, signatures: NoteSignature[], sealed?: PublicKey): Promise<void> {
    const { ed25519, mlDsa44Cosignature } = noteSignatureType;
    const vkeys = [makeVerifierKey(origin, ed25519, logKey.publicKey.key)];
    if (sealed !== undefined) vkeys.push(makeVerifierKey(origin, mlDsa44Cosignature, sealed.key));
    await verifyLogSignatures(signedCheckpoint(log.checkpoint(size), signatures), vkeys);
  }

  describe('over its socket', () => {
    let server: Server;
    let mark: Mark;
    let client: SignerClient;
    const sockets: Socket[] = [];

    beforeEach(async () => {
      const path = join(directory, 's.sock');
      const parts = signerOf([logKey, ...issuingKeys()]);
      mark = parts.mark;
      server = await listen(parts.signer, path, () => {});
      server.on('connection', (socket) => sockets.push(socket));
      client = new SignerClient(path);
    });

    afterEach(async () => {
      await client[Symbol.asyncDispose]();
      for (const socket of sockets.splice(0)) socket.destroy();
      server.close();
      mark[Symbol.dispose]();
    });

    it('signs batches and checkpoints that clients accept, many at the same time', async () => {
      const batches = Array.from({ length: 32 }, () => client.signBatch(batch));
      let signed = 0;
      for (const size of [1, 8, 8, 31]) {
        await checkLines(size, await client.signCheckpoint(log.checkpoint(size), log.proof(signed, size)));
        signed = size;
      }
      for (const answer of await Promise.all(batches)) await checkPromise(answer);
    });

    it('attests that the log key is in the token, and proves it by a signature of the token', async () => {
      const logKeys = { origin, keys: [logKey.publicKey] };
      const { keys } = await verifyAttestation(await client.attest([]), logKeys);
      const places = keys.map(({ place }) => (place?.kind === 'token' ? place : place?.kind));
      const [inToken, ...others] = places;
      expect(inToken).toMatchObject({ kind: 'token', token: 'tally', extractable: false });
      expect(new Set(others)).toEqual(new Set(['sealed-file']));
    });

    it('is unavailable while the token is away, signs no second history, and goes on when it is back', async () => {
      await client.signCheckpoint(log.checkpoint(8), []);
      hsm.takeAway();
      await expect(client.signBatch(batch)).rejects.toMatchObject({ name: 'SignerUnavailable' });
      const lost = client.signCheckpoint(log.checkpoint(9), log.proof(8, 9));
      await expect(lost).rejects.toThrow(/"tally".*connect it/);
      expect(await client.markSize()).toBe(9);
      hsm.putBack();
      const fork = client.signCheckpoint(other.checkpoint(9), other.proof(8, 9));
      await expect(fork).rejects.toMatchObject({ name: 'SignerRefused', reason: 'fork' });
      await checkLines(9, await client.signCheckpoint(log.checkpoint(9), []));
      await checkPromise(await client.signBatch(batch));
    });
  });

  it.each(['root', 'authority'] as const)('refuses to hold a %s key as well', async (usage) => {
    const key = await generate(usage);
    expect(() => signerOf([logKey, key])).toThrow(/root and authority keys must not be/);
  });

  it('refuses issuing keys in a token, and a log key that checkpoints do not know', async () => {
    const plan = await generate('plan');
    expect(() => signerOf([logKey, plan])).toThrow(/only the log key may be in a token/);
    const p256 = await generate('log', 'ecdsa-p256-sha256');
    expect(() => signerOf([p256, ...issuingKeys()])).toThrow(/must be an Ed25519 key/);
  });

  describe('as a process', () => {
    let files: SignerFiles;
    let token: { description: string; pinFile: string };

    beforeEach(() => {
      files = new SignerFiles();
      token = {
        description: join(files.directory, 'keys', 'token.json'),
        pinFile: join(directory, 'token.pin'),
      };
      files.keep(keySpecs().slice(1));
      writeTokenDescription(token.description, keystore.describe([logKey]));
      writeFileSync(token.pinFile, hsm.pin, { mode: 0o600 });
      files.configure({ token });
    });

    afterEach(endSigners);

    it('signs, and ends on SIGTERM with status 0', async () => {
      const { child, ended } = await runUntilListening(files);
      const client = new SignerClient(files.config.socket);
      await checkPromise(await client.signBatch(batch));
      await checkLines(5, await client.signCheckpoint(log.checkpoint(5), []));
      await client[Symbol.asyncDispose]();
      child.kill('SIGTERM');
      expect((await ended).code).toBe(0);
    });

    it('signs checkpoints with an ML-DSA-44 key of its sealed file as well', async () => {
      const second = postQuantumLogKey();
      addToSealedKeystore(files.config.keystore, passphrase, [second]);
      await runUntilListening(files);
      await using client = new SignerClient(files.config.socket);
      const lines = await client.signCheckpoint(log.checkpoint(5), []);
      await checkLines(5, lines, new SigningKey(second).publicKey);
      await checkPromise(await client.signBatch(batch));
    });

    it('goes on in its closed cell when the token was away, and with keys that were added', async () => {
      const { child, output } = await runUntilListening(files);
      await using client = new SignerClient(files.config.socket);
      await checkPromise(await client.signBatch(batch));
      hsm.takeAway();
      await expect(client.signBatch(batch)).rejects.toMatchObject({ name: 'SignerUnavailable' });
      hsm.putBack();
      await checkPromise(await client.signBatch(batch));
      addToSealedKeystore(files.config.keystore, passphrase, keySpecs().slice(1, 2));
      child.kill('SIGHUP');
      await vi.waitFor(() => expect(output.stderr).toMatch(/"reloaded":.*"keys":5}/), { timeout: 10_000 });
      expect((await client.hello()).keys).toHaveLength(6);
      await checkPromise(await client.signBatch(batch));
    });

    it.each([
      ['a wrong PIN', () => writeFileSync(token.pinFile, '161803'), /does not take the PIN/, 77],
      ['no token', () => hsm.takeAway(), /no token labeled "tally".*connect it/, 1],
      ['a PIN that others can read', () => chmodSync(token.pinFile, 0o644), /token.pin has mode 644/, 1],
      [
        'a description that others can write',
        () => chmodSync(token.description, 0o666),
        /others .* change/,
        1,
      ],
    ])('does not start with %s, and says so in one sentence', async (_what, spoil, words, code) => {
      spoil();
      const ended = await runSigner(files).ended;
      expect(ended).toMatchObject({ code, stdout: '' });
      expect(ended.stderr).toMatch(/^signer: [^\n]+\n$/);
      expect(ended.stderr).toMatch(words);
      expect(ended.stderr).not.toContain('161803');
    });
  });
});
