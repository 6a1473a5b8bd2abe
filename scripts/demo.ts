/**
 * The main job, from a CSV file to revoked licenses: imports customers through a mapping, fetches and
 * verifies every license file offline, revokes some, and shows what each kind of client then sees.
 *
 *     npm run demo [-- <customers.csv> <mapping.yaml>]
 *
 * TELCO_CSV names a copy of the public "Telco Customer Churn" sample; without it the small example of this
 * repository is used.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openPin, type Verification, type VerifyOptions, verify } from '@tallystick/sdk';
import { type ClientDescription, createSystem, type Layout, Supervisor } from '@tallystick/server';

interface ImportedLicense {
  key: string;
  license: string;
}

interface DemoInput {
  csv: string;
  mapping: string;
  product: string;
  /** Whether a line of the file is a customer whose license is to be revoked. */
  isEnding(line: string): boolean;
  /** What the counts must be; undefined where they are not known beforehand. */
  expected?: { imported: number; ending: number };
}

const dayMs = 86_400_000;
const examples = fileURLToPath(new URL('../examples', import.meta.url));
const cli = fileURLToPath(new URL('../packages/cli/bin/tally.js', import.meta.url));
const workers = 8;

function chooseInput(): DemoInput {
  const [csv, mapping] = process.argv.slice(2);
  const telco = process.env.TELCO_CSV;
  if (csv !== undefined && mapping !== undefined) {
    return { csv, mapping, product: 'telco', isEnding: () => false };
  }
  if (telco !== undefined && existsSync(telco)) {
    return {
      csv: telco,
      mapping: join(examples, 'telco.mapping.yaml'),
      product: 'telco',
      isEnding: (line) => line.endsWith(',Yes'),
      expected: { imported: 7043, ending: 1869 },
    };
  }
  const shop = join(examples, 'shop.csv');
  return {
    csv: shop,
    mapping: join(examples, 'shop.mapping.yaml'),
    product: '*',
    isEnding: (line) => /^[^,]*[02468],/.test(line),
  };
}

/** Counts what held and what did not; the process fails with the demo. */
class Findings {
  passed = 0;
  failed = 0;

  check(what: string, holds: boolean): void {
    if (holds) this.passed += 1;
    else this.failed += 1;
    process.stdout.write(`${holds ? 'ok    ' : 'FAILED'}  ${what}\n`);
  }
}

class Demo {
  readonly #input: DemoInput;
  readonly #layout: Layout;
  readonly #directory: string;
  readonly findings: Findings = new Findings();
  #client: ClientDescription | null = null;

  constructor(input: DemoInput, layout: Layout, directory: string) {
    this.#input = input;
    this.#layout = layout;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    this.#client = JSON.parse(readFileSync(this.#layout.client, 'utf8')) as ClientDescription;
    const licenses = await timed('import', () => this.#import());
    const { expected } = this.#input;
    if (expected !== undefined) {
      this.findings.check(`${expected.imported} licenses imported`, licenses.length === expected.imported);
    }
    const files = await timed('fetch every license file', () => this.#fetchAll(licenses));
    const options = await this.#verifyOptions();
    const valid = await timed('verify every file offline', () => verifyAll(files, () => options));
    this.findings.check(
      `${valid.length} files verify offline`,
      valid.every(({ verdict }) => verdict.valid),
    );
    const ending = this.#ending(licenses);
    if (expected !== undefined)
      this.findings.check(`${expected.ending} licenses end`, ending.length === expected.ending);
    await timed(`revoke ${ending.length}`, () => this.#revokeAll(ending));
    await this.#showWhatClientsSee(licenses, ending, files, options);
  }

  async #import(): Promise<ImportedLicense[]> {
    const licensesFile = join(this.#directory, 'licenses.jsonl');
    const report = join(this.#directory, 'report.jsonl');
    const { csv, mapping } = this.#input;
    const args = [
      'import',
      csv,
      '--mapping',
      mapping,
      '--report',
      report,
      '--licenses',
      licensesFile,
      '--json',
    ];
    const code = await runCli([...args, '--data', this.#layout.root]);
    const refused = existsSync(report) ? lines(report).length : 0;
    process.stdout.write(`        import ended with code ${code}; ${refused} rows refused\n`);
    return lines(licensesFile).map((line) => JSON.parse(line) as ImportedLicense);
  }

  /** The licenses of the customers that end, by the key of their row. */
  #ending(licenses: readonly ImportedLicense[]): ImportedLicense[] {
    const keys = new Set(
      lines(this.#input.csv)
        .slice(1)
        .filter((line) => this.#input.isEnding(line))
        .map((line) => line.slice(0, line.indexOf(','))),
    );
    return licenses.filter(({ key }) => keys.has(key));
  }

  async #fetchAll(licenses: readonly ImportedLicense[]): Promise<Map<string, string>> {
    const files = new Map<string, string>();
    await inParallel(licenses, async ({ license }) => {
      files.set(license, await this.#request('GET', `/v1/licenses/${license}/bundle`));
    });
    return files;
  }

  async #revokeAll(ending: readonly ImportedLicense[]): Promise<void> {
    await inParallel(ending, async ({ license }) => {
      await this.#request('POST', `/v1/licenses/${license}/revoke`, { reason: 'ended' });
    });
    await this.#untilPublished();
  }

  async #showWhatClientsSee(
    licenses: readonly ImportedLicense[],
    ending: readonly ImportedLicense[],
    old: ReadonlyMap<string, string>,
    options: VerifyOptions,
  ): Promise<void> {
    const fresh = await timed('fetch the revoked again', () => this.#fetchAll(ending));
    const now = { ...options, now: Date.now() };
    const revoked = await verifyAll(fresh, () => now);
    const isRevoked = ({ verdict }: Verification): boolean => verdict.code === 'REVOKED';
    this.findings.check(
      `(a) a fresh file of each of the ${revoked.length} says revoked`,
      revoked.every(isRevoked),
    );

    const oldOfEnding = new Map([...old].filter(([id]) => fresh.has(id)));
    const later = { ...options, now: Date.now() + 120 * dayMs };
    const stale = await verifyAll(oldOfEnding, () => later);
    const isRefused = ({ verdict }: Verification): boolean =>
      !verdict.valid && verdict.findings.some(({ code }) => code === 'STALE');
    this.findings.check('(b) an old file is refused once its allowed age is over', stale.every(isRefused));

    const memories = new Map(revoked.map(({ proven, remembered }) => [proven?.licenseId ?? '', remembered]));
    const superseded = await verifyAll(oldOfEnding, (id) => ({
      ...now,
      remembered: memories.get(id) ?? null,
    }));
    const isSuperseded = ({ verdict }: Verification): boolean => verdict.code === 'SUPERSEDED';
    this.findings.check(
      '(c) a client that has seen the newer file refuses the older one at once',
      superseded.every(isSuperseded),
    );

    const ended = new Set(ending.map(({ license }) => license));
    const others = await verifyAll(new Map([...old].filter(([id]) => !ended.has(id))), () => now);
    const kept = licenses.length - ending.length;
    this.findings.check(
      `the other ${kept} licenses stay valid`,
      others.length === kept && others.every(({ verdict }) => verdict.valid),
    );
    const secrets = [...old.values()].filter((text) => /"(price|crm|notes|order)"|@/.test(decoded(text)));
    this.findings.check('no license file holds a price, a CRM id or an e-mail address', secrets.length === 0);
  }

  async #verifyOptions(): Promise<VerifyOptions> {
    const trustRoot = await openPin(readFileSync(this.#layout.trustRoot, 'utf8'));
    const products = this.#input.product === '*' ? await this.#productCodes() : [this.#input.product];
    return { trustRoot, namespace: this.#reachable.namespace, products, now: Date.now() };
  }

  async #productCodes(): Promise<string[]> {
    const { items } = JSON.parse(await this.#request('GET', '/v1/products')) as {
      items: { document: { code: string } }[];
    };
    return items.map(({ document }) => document.code);
  }

  get #reachable(): ClientDescription {
    if (this.#client === null) throw new Error('the system is not running');
    return this.#client;
  }

  async #untilPublished(): Promise<void> {
    for (;;) {
      const status = JSON.parse(await this.#request('GET', '/v1/log')) as { pending: { count: number } };
      if (status.pending.count === 0) return;
      await after(50);
    }
  }

  async #request(method: string, path: string, body?: object): Promise<string> {
    const { adminUrl, token } = this.#reachable;
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(`${adminUrl}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
  }
}

/** What the base64 parts of a license file say, as text. */
function decoded(bundle: string): string {
  const { subjects } = JSON.parse(bundle) as { subjects: { document: string | null }[] };
  return subjects.map(({ document }) => Buffer.from(document ?? '', 'base64').toString('utf8')).join('\n');
}

async function verifyAll(
  files: ReadonlyMap<string, string>,
  optionsOf: (id: string) => VerifyOptions,
): Promise<Verification[]> {
  const results: Verification[] = [];
  for (const [id, text] of files) results.push(await verify(text, optionsOf(id)));
  return results;
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, worker));
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`${seconds.toFixed(1).padStart(6)} s  ${what}\n`);
  return result;
}

function lines(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

function runCli(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function ready(opsUrl: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${opsUrl}/readyz`).catch(() => null);
    if (answer?.status === 200) return;
    await after(50);
  }
}

const input = chooseInput();
const directory = mkdtempSync(join(tmpdir(), 'tally-demo-'));
process.stdout.write(`A fresh system, and ${input.csv}\n\n`);
const layout = await createSystem({
  directory: join(directory, 'data'),
  ns: 'acme',
  name: 'Acme',
  mode: 'test',
  support: { name: null, email: null, url: null },
  origin: 'demo.example/log',
  ports: { public: 0, admin: 0, ops: 0 },
  offlineMax: 'P90D',
  now: Date.now(),
});
const supervisor = await Supervisor.start(
  { directory: layout.root },
  { onLine: () => {}, onRestart: (name, cause) => process.stderr.write(`${name} ended: ${cause}\n`) },
);
const demo = new Demo(input, layout, directory);
try {
  await ready(supervisor.urls.ops);
  await demo.run();
} finally {
  await supervisor.stop();
  rmSync(directory, { recursive: true, force: true });
}
const { passed, failed } = demo.findings;
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
if (failed > 0) process.exitCode = 1;
