/** docs/operating/running-a-witness.md, as printed: a witness of somebody else, taken into a running system. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SegmentReader } from '@tallystick/access';
import { type Context, run } from '@tallystick/cli';
import { parseNote, utf8 } from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually, sleep } from './support/waiting.ts';

const page = readFileSync(
  fileURLToPath(new URL('../../docs/operating/running-a-witness.md', import.meta.url)),
  'utf8',
);
const [stranger = '', vendor = ''] = page.split('## For the operator of the log');

let system: RealSystem;
let operator: Operator;
const stopping = new AbortController();
let serving: Promise<Ended>;

/** The commands of a part of the page, in their order. */
function commandsOf(part: string): string[] {
  const blocks = [...part.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
  return blocks.flatMap((block) => block.split('\n')).filter((line) => line.startsWith('tally '));
}

/** Runs a printed command in the folder of the system, with `more` behind it. */
async function type(line: string, { more = [], typed = null, signal }: Typing = {}): Promise<Ended> {
  const words = line.split(' ').slice(1);
  const paths = words.flatMap((word) => {
    if (word.includes('*')) return globSync(join(system.directory, word)).sort();
    return /^[\w./-]+\.(?:json|yaml|sealed|passphrase)$/.test(word) ? join(system.directory, word) : word;
  });
  const folder = words[0] === 'witness' ? ['--folder', join(system.directory, 'witness')] : [];
  const written = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof written): Context['stdout'] => ({
    write: (text) => {
      written[name] += text;
    },
    isTTY: false,
    columns: null,
  });
  const code = await run([...paths, ...folder, ...more], (setExitCode) => ({
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: { TALLY_DATA: system.layout.root },
    signal: signal ?? new AbortController().signal,
    now: () => Date.now(),
    newKey: () => randomUUID(),
    readStdin: async () => new Uint8Array(),
    openBrowser: async () => false,
    ask: async () => typed,
    sleep: (ms) => sleep(ms),
    setExitCode,
  }));
  return { code, ...written };
}

interface Typing {
  more?: string[];
  typed?: string | null;
  signal?: AbortSignal;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

beforeAll(async () => {
  system = await RealSystem.start();
  operator = new Operator(system);
  await system.ready();
  await system.sellPro();
});

afterAll(async () => {
  stopping.abort();
  await serving;
  await system[Symbol.asyncDispose]();
});

describe('a stranger', () => {
  it('makes a witness, has it follow a log, and runs it', async () => {
    const [init = '', addLog = '', list = '', serve = '', show = '', ...rest] = commandsOf(stranger);
    expect(rest).toEqual([]);
    const [listen, metrics] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const more = ['--listen', listen, '--metrics', metrics, '--address', `http://${listen}/w1`];
    expect((await type(init, { more })).code).toBe(0);
    // Handed over by the vendor.
    writeFileSync(join(system.directory, 'trust-root.json'), readFileSync(system.layout.trustRoot));
    const here = addLog.replace('https://licenses.example.com', system.client.publicUrl);
    expect(here).not.toBe(addLog);
    const added = await type(here);
    expect([added.code, added.stderr]).toEqual([0, '']);
    for (const origin of ['tally.example/log', 'tally.example/log/access'])
      expect(added.stdout).toMatch(new RegExp(`^ *${origin}$`, 'm'));
    expect((await type(here, { more: ['--json'] })).stdout).toContain('"added": false');
    expect((await type(list)).stdout).toMatch(/tally\.example\/log +0/);
    serving = type(serve, { signal: stopping.signal });
    await eventually('the witness', async () =>
      (await type(list, { more: ['--json'] })).stdout.includes('"running": true'),
    );
    const shown = await type(show, { more: ['--json'] });
    const { changes } = JSON.parse(shown.stdout) as { changes: string[] };
    const [head = '', ...added2] = changes;
    const yaml = [
      'version: 2',
      head,
      '  threshold: 2',
      ...added2,
      '  remove:',
      '    - tally.example/log/witness-2',
      '',
    ];
    writeFileSync(join(system.directory, 'changes-2.yaml'), yaml.join('\n'));
  });
});

describe('a server that makes another log out to be its access log', () => {
  it('is followed in nothing, where the trust root came another way', async () => {
    const { text } = await system.public('GET', '/log/access');
    const told = JSON.parse(text) as { origin: string; identity: string };
    const altered = Buffer.from(told.identity, 'base64');
    altered[altered.length - 40]! ^= 1;
    const lies = [
      { ...told, identity: altered.toString('base64') },
      { ...told, identity: '' },
      { ...told, origin: 'somebody.example/log/access' },
    ];
    const config = join(system.directory, 'witness', 'witness.json');
    const before = readFileSync(config, 'utf8');
    for (const lie of lies) {
      const server = createHttpServer((_request, response) => response.end(JSON.stringify(lie)));
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as { port: number };
      const { code, stderr } = await type(
        `tally witness add-log --from trust-root.json --server http://127.0.0.1:${port}`,
      );
      server.close();
      expect([code, stderr]).toEqual([3, expect.stringContaining('names no logs to follow')]);
    }
    expect(readFileSync(config, 'utf8')).toBe(before);
  });
});

describe('the operator of the log', () => {
  it('takes it in, and nobody alone is a quorum any more', async () => {
    const [
      before = '',
      propose = '',
      sign = '',
      joinAll = '',
      after = '',
      dryRun = '',
      publish = '',
      status = '',
    ] = commandsOf(vendor);
    expect((await type(before)).stdout).toContain('tally.example alone is a quorum');
    const { stdout } = await type(propose, {
      more: ['--json', '--out', join(system.directory, 'trust-root-2.proposal.json')],
    });
    const { review } = JSON.parse(stdout) as { review: { payloadHash: string } };
    const steps = [await type(sign, { typed: review.payloadHash.slice(0, 8) }), await type(joinAll)];
    expect(steps.map(({ code, stderr }) => (code === 0 ? '' : stderr))).toEqual(['', '']);
    const shown = await type(after);
    expect(shown.stdout).not.toContain('alone is a quorum');
    expect(shown.stdout).toMatch(/quorum: 2 operators; it takes 2 to forge a quorum, so any 1 may collude/);
    expect((await type(dryRun)).stdout).toContain('would be taken');
    expect((await type(publish)).stdout).toContain('governs the log from now on');
    await system.published();
    expect((await type(status)).stdout).toMatch(/witness\.example\.com\/w1 +witnesses +ok +\d{4}/);
    expect((await type('tally cosigners list')).stdout).toMatch(
      /witness\.example\.com\/w1 +http:\/\/127\.0\.0\.1:\d+\/w1 +trust root/,
    );
    const { text } = await system.public('GET', '/log/checkpoint');
    const names = parseNote(utf8(text)).signatures.map(({ name }) => name);
    expect(names.filter((name) => name === 'witness.example.com/w1')).toHaveLength(2);
    await eventually('the access log to be cosigned by it as well', async () => {
      using reader = SegmentReader.open(system.layout.access);
      return reader.checkpoint()?.note.includes('witness.example.com/w1') === true;
    });
    expect(await operator.verdict(await operator.issue())).toBe('VALID');
  });

  it('publishes nothing while the witness is away, and sees why', async () => {
    stopping.abort();
    expect((await serving).code).toBe(0);
    const issued = await system.must<{ published: boolean }>(
      'POST',
      '/v1/licenses?wait=published&waitMs=500',
      { plan: 'pro-yearly', licensee: 'Contoso' },
    );
    expect(issued.published).toBe(false);
    const { stdout } = await type('tally status');
    expect(stdout).toMatch(/^pending +\d+ since .*, promised by \d{4}/m);
    expect(stdout).toMatch(/^publishing +fails: .*no quorum \(witness\.example\.com\/w1 is not reachable/m);
    expect(stdout).toMatch(/witness\.example\.com\/w1 +witnesses +unreachable/);
  });
});

describe('the page', () => {
  it('tells of every metric of a witness', async () => {
    const names = readFileSync(
      fileURLToPath(new URL('../../packages/witness/src/http/metrics.ts', import.meta.url)),
      'utf8',
    ).matchAll(/'(tally_cosigner_\w+) /g);
    const missing = [...names].map(([, name = '']) => name).filter((name) => !page.includes(name));
    expect(missing).toEqual([]);
  });
});
