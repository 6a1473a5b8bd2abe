import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { formatTrustRootFile } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SignerClient } from '../src/client.ts';
import { createSealedKeystore } from '../src/keystore/sealed-file.ts';
import { generateKeySpec } from '../src/keystore/signing-key.ts';
import {
  endSigners,
  passphrase,
  type RunningSigner,
  runSigner,
  runUntilListening,
  SignerFiles,
} from './support/running-signer.ts';
import { at, GrowingLog, keySpecs, record } from './support/signing.ts';
import { TestTrust } from './support/trust.ts';

let files: SignerFiles;
let directory: string;
let config: SignerFiles['config'];
let configFile: string;

beforeEach(() => {
  files = new SignerFiles();
  ({ directory, config, configFile } = files);
});

afterEach(endSigners);

function run(): RunningSigner {
  return runSigner(files);
}

describe('the signer process', () => {
  it('says that it listens in one JSON line, signs, and ends on SIGTERM with status 0', async () => {
    const running = await runUntilListening(files);
    expect(running.output.stdout).toBe(`${JSON.stringify({ listening: config.socket })}\n`);
    const client = new SignerClient(config.socket);
    const batch = { index: 0, publishBy: at };
    await expect(
      client.signBatch({ ...batch, records: [{ record: record('plan.created'), content: null }] }),
    ).resolves.toHaveProperty('entries.length', 1);
    const records = [{ record: record('namespace.updated'), content: null }];
    const refused = client.signBatch({ ...batch, records });
    await expect(refused).rejects.toMatchObject({ reason: 'no_key' });
    await client[Symbol.asyncDispose]();
    running.child.kill('SIGTERM');
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(JSON.parse(stderr)).toMatchObject({ alarm: 'signer_refused', reason: 'no_key', op: 'batch' });
  });

  it('that was killed leaves a socket behind, which the next one takes over with the mark where it was', async () => {
    const log = new GrowingLog(9);
    const killed = await runUntilListening(files);
    const client = new SignerClient(config.socket);
    await client.signCheckpoint(log.checkpoint(9), []);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(existsSync(config.socket)).toBe(true);
    await runUntilListening(files);
    const { mark } = await client.hello();
    expect(mark.size).toBe(9);
    await expect(client.signCheckpoint(log.checkpoint(8), [])).rejects.toMatchObject({ reason: 'rollback' });
    await client[Symbol.asyncDispose]();
  });

  it('without its journal begins another, and raises an alarm where the mark remembers one', async () => {
    rmSync(config.journal);
    const running = await runUntilListening(files);
    await using client = new SignerClient(config.socket);
    const records = [{ record: record('plan.created'), content: null }];
    await client.signBatch({ index: 0, publishBy: at, records });
    const [first = ''] = readFileSync(config.journal, 'utf8').split('\n');
    expect(JSON.parse(first)).toMatchObject({ op: 'begun', by: 'signer', lost: 1 });
    expect(JSON.parse(running.output.stderr)).toMatchObject({
      alarm: 'signer_refused',
      reason: 'journal_lost',
    });
  });

  it('does not start twice on one mark', async () => {
    await runUntilListening(files);
    files.configure({ socket: join(directory, 'other.sock') });
    const { code, stderr } = await run().ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^signer: another signer is using .*\n$/);
  });

  const failures: [string, () => void, RegExp][] = [
    ['no passphrase file', () => rmSync(config.passphraseFile), /ENOENT.*passphrase/],
    [
      'the wrong passphrase',
      () => writeFileSync(config.passphraseFile, 'something else'),
      /wrong passphrase/,
    ],
    ['a keystore that others can read', () => chmodSync(config.keystore, 0o644), /chmod 600/],
    [
      'a passphrase that others can read',
      () => chmodSync(config.passphraseFile, 0o644),
      /passphrase has mode 644.*run chmod 600/,
    ],
    [
      'a passphrase that its group can write',
      () => chmodSync(config.passphraseFile, 0o620),
      /passphrase has mode 620.*run chmod 600/,
    ],
    [
      'a trust root that its group can write',
      () => chmodSync(config.trustRoot, 0o664),
      /trust-root.json has mode 664, so that others than its owner can change it: run chmod 644/,
    ],
    [
      'a trust root that another root key signed',
      () => writeFileSync(config.trustRoot, formatTrustRootFile([new TestTrust().root])),
      /trust root is not the one that this signer is under/,
    ],
    ['no trust root', () => rmSync(config.trustRoot), /ENOENT.*trust-root/],
    ['no keystore', () => rmSync(config.keystore), /there is no keystore/],
    ['a keystore that is none', () => writeFileSync(config.keystore, '{}'), /is not a keystore/],
    ['no mark', () => rmSync(config.mark), /mark .* is missing/],
    ['the mark of another log', () => write({ origin: 'tally.example/other' }), /mark of another log/],
    ['a keystore without a log key', () => rekey([generateKeySpec(['plan'], 'acme')]), /exactly one log key/],
    [
      'a root key in its keystore',
      () => rekey([...keySpecs(), generateKeySpec(['root'], null)]),
      /root and authority/,
    ],
    [
      'a socket path that does not exist',
      () => write({ socket: join(directory, 'none/signer.sock') }),
      /there is no folder .*none: run mkdir/,
    ],
    ['a config that is not JSON', () => writeFileSync(configFile, '{'), /JSON/],
    [
      'a config that names no journal',
      () => writeFileSync(configFile, JSON.stringify({ ...config, journal: undefined })),
      /names no journal: add "journal", the path of a file beside the mark/,
    ],
    ['no config', () => rmSync(configFile), /ENOENT/],
  ];
  function write(changes: Partial<typeof config>): void {
    files.configure(changes);
  }
  function rekey(specs: Parameters<typeof createSealedKeystore>[2]): void {
    rmSync(config.keystore);
    createSealedKeystore(config.keystore, passphrase, specs);
  }
  it.each(failures)('does not start with %s, and says so in one sentence', async (_what, spoil, message) => {
    spoil();
    const { code, stdout, stderr } = await run().ended;
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^signer: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain(passphrase);
    expect(existsSync(config.socket)).toBe(false);
  });

  it('without arguments says how it is used', async () => {
    expect(await runSigner(files, { args: (args) => args.slice(0, -1) }).ended).toMatchObject({
      code: 1,
      stderr: 'signer: usage: signer <config.json>\n',
    });
  });

  it('beside a socket that is served refuses to take it', async () => {
    const other = createServer().listen(config.socket);
    await once(other, 'listening');
    const { code, stderr } = await run().ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/another signer is listening/);
    other.close();
  });
});
