import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tallystick/server';
import type { Bench, BenchContext } from '../bench.ts';
import { Ours } from '../ours.ts';
import { type ServerProcess, startLaunch, startServer } from '../processes.ts';
import { formatNumber, formatRatios, interleave, markdownTable, median, pairRatios } from '../report.ts';
import { CUSTOMERS, measureOurs } from './issue.bench.ts';

const version = 'v1.0.4';
const origin = 'bench.example/tessera';
const cache = fileURLToPath(new URL('../../node_modules/.cache/tallystick-bench', import.meta.url));
/** Bytes of an entry of ours. */
const leafLength = 750;
/** Each waits for its entry to be in the log, which takes a while: with as few as ours has it would do next to nothing. */
const writers = 512;
/** From the first entries on until it counts. */
const warmupMs = 1000;

interface Programs {
  /** Tessera's POSIX log over HTTP. */
  server: string;
  /** Its load generator. */
  hammer: string;
  /** Ours, which only answers. */
  idle: string;
}

/** Built once, with Go and its proxy. */
function programs(): Programs {
  const go = ['go', '/usr/local/go/bin/go'].find((each) => spawnSync(each, ['version']).error === undefined);
  if (go === undefined) throw new Error('this needs Go: install golang-go');
  const folder = join(cache, version);
  const found = {
    server: join(folder, 'posix'),
    hammer: join(folder, 'hammer'),
    idle: join(folder, 'idle-log'),
  };
  if (Object.values(found).every((file) => existsSync(file))) return found;
  mkdirSync(folder, { recursive: true });
  execFileSync(go, ['build', '-o', found.idle, fileURLToPath(new URL('../idle-log.go', import.meta.url))]);
  const tessera = 'github.com/transparency-dev/tessera';
  const packages = ['cmd/conformance/posix', 'internal/hammer'].map(
    (path) => `${tessera}/${path}@${version}`,
  );
  execFileSync(go, ['install', ...packages], { env: { ...process.env, GOBIN: folder } });
  return found;
}

/** A log's key as Go's sumdb/note writes it: https://pkg.go.dev/golang.org/x/mod/sumdb/note. */
function logKey(): { signer: string; verifier: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const text = (key: Buffer): string => Buffer.concat([Buffer.from([1]), key]).toString('base64');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const id = hash(
    'sha256',
    Buffer.concat([Buffer.from(`${origin}\n`), Buffer.from([1]), point]),
    'hex',
  ).slice(0, 8);
  return {
    signer: `PRIVATE+KEY+${origin}+${id}+${text(seed)}`,
    verifier: `${origin}+${id}+${text(point)}`,
  };
}

/** A log that Tessera's load generator can be sent at. */
interface AppendableLog {
  url: string;
  vkey: string;
  /** Number of entries that it has, as far as it tells. */
  size: () => Promise<number>;
}

function logAt(url: string, vkey: string): AppendableLog {
  const size = async (): Promise<number> => {
    const note = await (await fetch(`${url}checkpoint`)).text();
    return Number(note.split('\n')[1]);
  };
  return { url, vkey, size };
}

/** A server that keeps nothing, with the key and the checkpoint of a log. */
async function startIdle(
  directory: string,
  log: AppendableLog,
): Promise<{ log: AppendableLog; process: ServerProcess }> {
  const note = join(directory, 'idle-note');
  writeFileSync(note, await (await fetch(`${log.url}checkpoint`)).text());
  const { env } = process;
  const idle = await startLaunch({ command: programs().idle, args: [note], env }, 'the idle server');
  const url = String(idle.ready['url']);
  const size = async (): Promise<number> => Number(await (await fetch(`${url}count`)).text());
  return { log: { url, vkey: log.vkey, size }, process: idle };
}

/** A log of Tessera's, empty. */
class TesseraLog {
  readonly log: AppendableLog;
  readonly #server: ChildProcess;

  private constructor(server: ChildProcess, log: AppendableLog) {
    this.#server = server;
    this.log = log;
  }

  static async start(directory: string): Promise<TesseraLog> {
    const { server } = programs();
    const { signer, verifier } = logKey();
    const storage = join(directory, 'tessera');
    mkdirSync(storage, { recursive: true });
    const keyFile = join(directory, 'tessera.key');
    writeFileSync(keyFile, signer, { mode: 0o600 });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const options = [`--storage_dir=${storage}`, `--private_key=${keyFile}`, `--listen=127.0.0.1:${port}`];
    const child = spawn(server, options, { stdio: 'ignore' });
    for (let tries = 0; tries < 500; tries++) {
      if (await fetch(`${url}checkpoint`).catch(() => null)) break;
      await after(20);
    }
    return new TesseraLog(child, logAt(url, verifier));
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#server.once('exit', resolve));
    this.#server.kill('SIGTERM');
    await ended;
  }
}

/** A size of a log, and when it told of it, in milliseconds. */
interface Publication {
  size: number;
  at: number;
}

/**
 * Appends a second while Tessera's load generator is at work: from one publication of the log to another, so that neither
 * the generator's start counts nor how often a log publishes.
 */
async function hammer(log: AppendableLog, seconds: number): Promise<number> {
  const options = [
    `--log_public_key=${log.vkey}`,
    `--log_url=${log.url}`,
    `--num_writers=${writers}`,
    '--max_write_ops=1000000',
    `--leaf_min_size=${leafLength}`,
    '--dup_chance=0',
    '--max_read_ops=0',
    '--num_readers_random=0',
    '--num_readers_full=0',
    '--show_ui=false',
  ];
  const child = spawn(programs().hammer, options, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const next = async (known: number): Promise<Publication> => {
    while (child.exitCode === null) {
      const size = await log.size();
      if (size > known) return { size, at: performance.now() };
      await after(20);
    }
    throw new Error(`Tessera's hammer ended with code ${child.exitCode}`);
  };
  const notBefore = async (from: Publication, ms: number): Promise<Publication> => {
    let reached = from;
    while (reached.at < from.at + ms) reached = await next(reached.size);
    return reached;
  };
  try {
    const begun = await next(await log.size());
    const from = await notBefore(begun, warmupMs);
    const to = await notBefore(from, seconds * 1000);
    return (to.size - from.size) / ((to.at - from.at) / 1000);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

async function run(context: BenchContext): Promise<string[]> {
  const directory = join(context.directory, randomBytes(4).toString('hex'));
  const ours = await Ours.start({
    directory: join(directory, 'ours'),
    customers: CUSTOMERS,
    synchronous: 'full',
  });
  const tessera = await TesseraLog.start(directory);
  await using raw = await startServer(new URL('../raw-log.ts', import.meta.url), [join(directory, 'raw')]);
  const ledger = logAt(String(raw.ready['url']), String(raw.ready['vkey']));
  const idle = await startIdle(directory, tessera.log);
  const { seconds } = context;
  try {
    const results = await interleave(context.rounds, {
      tessera: () => hammer(tessera.log, seconds),
      idle: () => hammer(idle.log, seconds),
      ledger: () => hammer(ledger, seconds),
      ours: async () => (await measureOurs(context, ours, true)).ratePerSecond,
    });
    const row = (name: string, rates: readonly number[]): string[] => [
      name,
      formatNumber(median(rates)),
      rates === results.tessera ? '1' : formatRatios(pairRatios(rates, results.tessera)),
    ];
    return [
      `Appending over HTTP: Tessera ${version} with its POSIX driver, without looking for duplicates, driven by its own load ` +
        `generator with ${writers} writers and entries of ${leafLength} bytes; our ledger behind a bare HTTP server, driven by ` +
        'the same; and our whole server, driven as in the table of issuing. A server in Go that answers at once and keeps ' +
        'nothing shows what the generator leaves room for. Of ours an append is a license that is decided, ' +
        'signed, committed with its document and promised; the whole server authenticates, judges and keeps the access log ' +
        'as well. All on the same cores as their generators, the cosigners of the whole server paused, those of the ledger ' +
        `in its process, ${context.rounds} interleaved rounds of ${seconds} s, of the generator's from one published checkpoint ` +
        'to another; medians.',
      markdownTable(
        ['log', 'appends/s', 'ratio (range)'],
        [
          row("Tessera's POSIX driver", results.tessera),
          row('a server that keeps nothing', results.idle),
          row('our ledger alone', results.ledger),
          row('our whole server', results.ours),
        ],
      ),
    ];
  } finally {
    await idle.process.stop();
    await tessera.stop();
    await ours.stop();
  }
}

export const bench: Bench = { name: 'tessera', title: 'Appending beside Tessera', run };
