import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Supervisor } from '@tallystick/server';
import { type CellFiles, type Launch, signerLaunch } from '@tallystick/signer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { walkLog } from './support/log-walk.ts';
import { RealSystem } from './support/real-system.ts';

const mains = {
  server: fileURLToPath(import.meta.resolve('@tallystick/server/main')),
  cosigner: fileURLToPath(import.meta.resolve('@tallystick/witness/main')),
};

let system: RealSystem;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

/** Runs a process to its end; it must end by itself. */
function run(args: string[]): Promise<{ code: number | null; errors: string }> {
  const { execPath: command, env } = process;
  return runLaunch({ command, args: ['--disable-warning=ExperimentalWarning', ...args], env });
}

function runLaunch({ command, args, env }: Launch): Promise<{ code: number | null; errors: string }> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  let errors = '';
  child.stderr.on('data', (part: Buffer) => {
    errors += part.toString();
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, errors })));
}

/** The configuration that a running process was given, with other members, in a file of its own. */
function configLike(name: string, members: object): string {
  const file = `${system.directory}/${name}.second.json`;
  const config = JSON.parse(readFileSync(`${system.layout.run}/${name}.json`, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...config, ...members }), { mode: 0o600 });
  return file;
}

async function expectUnharmed(): Promise<void> {
  const restarts = system.restarts.length;
  await system.must('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Contoso' });
  expect(system.restarts.length).toBe(restarts);
}

describe('a second writer', () => {
  it('of the whole system is refused, and does not disturb the first', async () => {
    const ports = { public: 0, admin: 0, ops: 0 };
    const second = Supervisor.start(
      { directory: system.layout.root, ports },
      { onLine: () => {}, onRestart: () => {} },
    );
    await expect(second).rejects.toThrow(/another signer is (using|listening)/);
    await expectUnharmed();
    // A process of the first that dies is started again with the configuration that it had.
    system.kill('witness-1');
    system.kill('replayer-1');
    await system.must('POST', '/v1/licenses?wait=published&waitMs=30000', {
      plan: 'pro-yearly',
      licensee: 'Contoso',
    });
  });

  it('of the store is refused: a second server', async () => {
    const listener = { host: '127.0.0.1', port: 0 };
    const config = configLike('server', { listeners: { public: listener, admin: listener, ops: listener } });
    const { code, errors } = await run([mains.server, config]);
    expect(code).toBe(1);
    expect(errors).toMatch(/another process has .*ledger\.db open: only one server may write to it/);
    await expectUnharmed();
  });

  it('of the mark is refused: a second signer, on the same socket and on its own', async () => {
    const own = configLike('signer', { socket: `${system.directory}/second.sock` });
    for (const config of [`${system.layout.run}/signer.json`, own]) {
      const files = JSON.parse(readFileSync(config, 'utf8')) as CellFiles;
      const { code, errors } = await runLaunch(signerLaunch(config, files));
      expect(code).toBe(1);
      expect(errors).toMatch(/another signer is using .*mark\.db/);
    }
    await expectUnharmed();
  });

  it.each([
    ['witness-1', 'witness'],
    ['replayer-1', 'replayer'],
  ])('of the state of %s is refused', async (name, kind) => {
    const config = configLike(name, { listen: { host: '127.0.0.1', port: 0 } });
    const { code, errors } = await run([mains.cosigner, kind, 'serve', '--config', config]);
    expect(code).toBe(1);
    expect(errors).toMatch(/state\.db: another process holds it/);
    await expectUnharmed();
  });

  it('has left one whole log', async () => {
    await system.published();
    await walkLog(system);
  });
});
