/** A log of Tessera, with its own witness client, against a witness of ours. */
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkCosignature,
  formatVerifierKey,
  hex,
  logVerifierKey,
  parseSignedCheckpoint,
  parseVerifierKey,
  type SignedCheckpoint,
  type VerifierKey,
  verifyLogSignatures,
} from '@tallystick/core';
import { initCosignerState, parseConfig, type RunningCosigner, startCosigner } from '@tallystick/witness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../system/support/waiting.ts';
import { type Peers, providePeers } from './support/peers.ts';
import { runProgram } from './support/run-program.ts';

const peers = await providePeers();
const origin = 'tessera.example/log';

describe.skipIf(peers === null)('a log of Tessera', () => {
  const { posixOneshot, versions } = peers as Peers;
  let folder: string;
  let witness: RunningCosigner;
  const logKey = ed25519Key();
  let entries = 0;

  beforeAll(async () => {
    console.log(`With programs of others: ${versions}`);
    folder = mkdtempSync(join(tmpdir(), 'tally-tessera-'));
    const files = { stateFile: 'witness.db', keyFile: 'witness.key' };
    const log = { origin, vkeys: [formatVerifierKey(logKey.vkey)] };
    const listen = { host: '127.0.0.1', port: 0 };
    const text = JSON.stringify({ name: 'witness.example/ours', listen, ...files, logs: [log] });
    const config = parseConfig(text, 'witness', folder);
    initCosignerState(config);
    const now = (): number => Math.floor(Date.now() / 1000);
    witness = await startCosigner(config, { now, report: (line) => console.log(line) });
    writeFileSync(join(folder, 'log.key'), logKey.text);
    const [ed25519 = ''] = witness.vkeys.filter((vkey) => parseVerifierKey(vkey).alg === 'ed25519');
    const policy = `witness ours ${ed25519} ${witness.url}\ngroup all-of-them all ours\nquorum all-of-them\n`;
    writeFileSync(join(folder, 'policy.txt'), policy);
  });

  afterAll(async () => {
    await witness?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Has Tessera append so many entries to the log in a folder, which ends when a checkpoint with our cosignature is out. */
  async function append(log: string, count: number, signal?: AbortSignal): Promise<void> {
    const batch = join(folder, `entries-${entries}`);
    mkdirSync(batch);
    for (let at = 0; at < count; at++) writeFileSync(join(batch, String(at)), `entry ${entries++}`);
    const files = [`-private_key=${join(folder, 'log.key')}`, `-storage_dir=${join(folder, log)}`];
    const policy = [`-witness_policy_file=${join(folder, 'policy.txt')}`, '-witness_timeout=2s'];
    const given = [...files, ...policy, `-entries=${batch}/*`, '-logtostderr'];
    const { code, stderr } = await runProgram(posixOneshot, given, signal);
    if (signal?.aborted !== true && code !== 0) throw new Error(stderr);
  }

  function published(log: string): SignedCheckpoint {
    return parseSignedCheckpoint(readFileSync(join(folder, log, 'checkpoint')));
  }

  function seen(): { size: number; refused: string | null } {
    const [status] = witness.cosigner.status();
    return { size: status?.size ?? -1, refused: status?.refused ?? null };
  }

  it('is cosigned by our witness as it grows, over several tiles and restarts', async () => {
    let size = 0;
    for (const count of [1, 6, 300]) {
      await append('log', count);
      size += count;
      const checkpoint = published('log');
      expect(checkpoint).toMatchObject({ origin, size });
      await verifyLogSignatures(checkpoint, [logKey.vkey]);
      const checks = witness.vkeys.map((vkey) => checkCosignature(checkpoint, parseVerifierKey(vkey)));
      // Tessera keeps the line that it knows of, and drops the one of ML-DSA-44.
      expect(await Promise.all(checks)).toEqual([
        { is: 'valid', seconds: expect.any(Number) },
        { is: 'absent' },
      ]);
      expect(seen()).toEqual({ size, refused: null });
    }
  });

  it('is not cosigned where it shows another history, or one that was rolled back', async () => {
    cpSync(join(folder, 'log'), join(folder, 'fork'), { recursive: true });
    await append('log', 5);
    const { size } = seen();
    // The same size with other entries, then a larger tree that does not continue what was cosigned.
    for (const count of [5, 7]) {
      const ending = new AbortController();
      const appending = append('fork', count, ending.signal);
      const refusal = count === 5 ? /two different roots/ : /does not continue/;
      await eventually('a refusal', () => refusal.test(seen().refused ?? ''));
      ending.abort();
      await appending;
      expect(seen().size).toBe(size);
      expect(published('fork').size).toBe(size - 5);
    }
    await append('log', 1);
    expect(seen()).toEqual({ size: size + 1, refused: null });
  });
});

/** A log key, with the private half as Go's note package writes it. */
function ed25519Key(): { vkey: VerifierKey; text: string } {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const vkey = logVerifierKey(origin, { alg: 'ed25519', key: Buffer.from(x, 'base64url') });
  const secret = Buffer.concat([Uint8Array.of(vkey.type), Buffer.from(d, 'base64url')]).toString('base64');
  return { vkey, text: `PRIVATE+KEY+${origin}+${hex(vkey.id)}+${secret}` };
}
