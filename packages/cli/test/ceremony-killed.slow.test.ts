import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSealedKeystore, makePassphrase, openSealedKeystore } from '@tallystick/signer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatChain, parseChain } from '../src/ceremony/chain-file.ts';
import { formatProposal, parseProposal, payloadHash } from '../src/ceremony/proposal.ts';
import { formatSignature } from '../src/ceremony/signature-file.ts';
import { changesText, firstChain, type Person, people, proposed } from './support/ceremony.ts';
import { Harness } from './support/harness.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const preload = new URL('./support/write-killed.ts', import.meta.url).href;
const [alice, bob] = people('alice', 'bob') as [Person, Person];
/** Made, and not chosen: half a second of scrypt for each of some hundred runs says nothing about their files. */
const passphrase = makePassphrase();
const change = { expires: '2099-01-01' };
/** Where each run begins: the files that a step reads. */
let template: string;
let harness: Harness;
let hash: string;

beforeAll(async () => {
  harness = new Harness(null);
  template = mkdtempSync(join(tmpdir(), 'tally-killed-'));
  const write = (name: string, text: string): void =>
    writeFileSync(join(template, name), text, { mode: 0o600 });
  const chain = await firstChain([alice, bob], 2);
  const { proposal } = proposed(chain, change);
  hash = payloadHash(proposal);
  write('trust-root.json', formatChain(false, chain.envelopes));
  write('changes.yaml', changesText(2, change));
  write('p.json', formatProposal(proposal));
  for (const person of [alice, bob]) {
    const { signature } = person.sign(proposal, 2);
    write(`${person.name}.json`, formatSignature(signature));
  }
  write('alice.pass', `${passphrase}\n`);
  createSealedKeystore(join(template, 'alice.sealed'), passphrase, [alice.spec]);
});
afterAll(() => {
  harness[Symbol.dispose]();
  rmSync(template, { recursive: true, force: true });
});

interface Step {
  args: readonly string[];
  /** Files that the step writes whole. */
  outputs: string[];
}

/** Resolves names of files, which the arguments hold between angle brackets. */
function inFolder(folder: string, args: readonly string[]): string[] {
  return ['root', ...args.map((arg) => arg.replace(/^<(.+)>$/, (_, name: string) => join(folder, name)))];
}

function runKilled(folder: string, args: readonly string[], killAt: number): number | null {
  const env = { ...process.env, TALLY_TEST_KILL_AT: String(killAt) };
  const line = ['--import', preload, main, ...inFolder(folder, args)];
  const { status, signal, stderr } = spawnSync(process.execPath, line, { env, encoding: 'utf8' });
  expect([status, signal, stderr]).toEqual(
    status === null ? [null, 'SIGKILL', ''] : [0, null, expect.anything()],
  );
  return status;
}

/**
 * Kills the step before its first write, its second, and so on until it gets through; after each, `check` looks at
 * the folder, and the step is done again.
 */
async function killEverywhere(step: Step, check: (folder: string) => Promise<string[]>): Promise<void> {
  for (let killAt = 0; ; killAt++) {
    const folder = mkdtempSync(join(tmpdir(), 'tally-killed-'));
    try {
      cpSync(template, folder, { recursive: true });
      if (runKilled(folder, step.args, killAt) !== null) {
        expect(killAt).toBeGreaterThanOrEqual(5);
        return;
      }
      const repeated = await harness.run(inFolder(folder, await check(folder)));
      expect([killAt, repeated.code, repeated.err]).toEqual([killAt, 0, expect.anything()]);
      for (const output of step.outputs) expect(existsSync(join(folder, output))).toBe(true);
      await check(folder);
      const visible = readdirSync(folder).filter(
        (name) => !name.startsWith('.') && !name.endsWith('.partial'),
      );
      const known = [...readdirSync(template), ...step.outputs, 'new.sealed.pub', 'log.txt'];
      expect(visible.filter((name) => !known.includes(name))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** Nothing under its name, or all of it: `read` throws for anything else. */
async function wholeOrNothing(file: string, read: (text: string) => unknown): Promise<void> {
  if (existsSync(file)) await read(readFileSync(file, 'utf8'));
}

const from = ['--from', '<trust-root.json>'];
const transcript = ['--transcript', '<log.txt>'];

describe('a step of a ceremony that is killed before any of its writes', () => {
  it('leaves a whole proposal or none', async () => {
    const args = ['propose', ...from, '--changes', '<changes.yaml>', '--out', '<new.json>', ...transcript];
    await killEverywhere({ args, outputs: ['new.json'] }, async (folder) => {
      await wholeOrNothing(join(folder, 'new.json'), (text) => {
        expect(payloadHash(parseProposal(text, 'new.json'))).toBe(hash);
      });
      return args;
    });
  });

  it('leaves a whole signature or none', async () => {
    const key = ['--key', '<alice.sealed>', '--passphrase-file', '<alice.pass>'];
    const args = [
      'sign',
      '<p.json>',
      ...from,
      ...key,
      '--yes-i-reviewed',
      hash,
      '--out',
      '<s.json>',
      ...transcript,
    ];
    const whole = readFileSync(join(template, 'alice.json'), 'utf8');
    await killEverywhere({ args, outputs: ['s.json'] }, async (folder) => {
      await wholeOrNothing(join(folder, 's.json'), (text) => expect(text).toBe(whole));
      return args;
    });
  });

  it('leaves a trust root that verifies or none', async () => {
    const args = [
      'join',
      '<p.json>',
      '<alice.json>',
      '<bob.json>',
      ...from,
      '--out',
      '<two.json>',
      ...transcript,
    ];
    await killEverywhere({ args, outputs: ['two.json'] }, async (folder) => {
      await wholeOrNothing(join(folder, 'two.json'), async (text) => {
        expect((await parseChain(text, 'two.json')).versions).toHaveLength(2);
      });
      return args;
    });
  });

  it('leaves a key that opens or none', async () => {
    const secret = ['--name', 'new', '--passphrase-file', '<alice.pass>'];
    const make = ['key', '--out', '<new.sealed>', ...secret];
    await killEverywhere({ args: [...make, ...transcript], outputs: ['new.sealed'] }, async (folder) => {
      const file = join(folder, 'new.sealed');
      const isMade = existsSync(file) && statSync(file).size > 0;
      if (isMade) expect(openSealedKeystore(file, passphrase)).toHaveLength(2);
      // A key that is whole is not made again: its public line is asked for.
      return isMade ? ['key', '--of', '<new.sealed>', ...secret] : make;
    });
  });
});
