/** What it costs that every request is recorded before it is answered. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, BenchContext } from '../bench.ts';
import { generateLoad, type LoadResult } from '../load-generator.ts';
import { Ours } from '../ours.ts';
import { requireSuccess } from '../processes.ts';
import { formatNumber, formatRatios, interleave, markdownTable, median, pairRatios } from '../report.ts';
import type { LoadRequest } from '../targets.ts';

interface Subject {
  ours: Ours;
  license: string;
  licenseKey: string;
}

async function start(directory: string, accessLog: boolean): Promise<Subject> {
  const ours = await Ours.start({ directory, customers: 1, synchronous: 'full', accessLog });
  const { document, licenseKey } = (await ours.request('POST', '/v1/licenses?wait=published', {
    plan: 'pro',
    licensee: 'Contoso',
  })) as { document: { id: string }; licenseKey: string };
  return { ours, license: document.id, licenseKey };
}

/** A validation: what a customer's machine asks for. Its record is on disk within a second. */
function fetchBundle({ ours, licenseKey }: Subject): [string, LoadRequest] {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ licenseKey });
  return [ours.client.publicUrl, { method: 'POST', path: '/v1/bundles', headers, body }];
}

/** A look at a document. Its record is on disk before the answer is given. */
function getLicense({ ours, license }: Subject): [string, LoadRequest] {
  const headers = { Authorization: `Bearer ${ours.client.token}` };
  return [ours.client.adminUrl, { method: 'GET', path: `/v1/licenses/${license}`, headers, body: '' }];
}

interface Measured extends LoadResult {
  /** Processor time of the server's process, in microseconds a request. */
  serverUs: number;
}

/** Hundredths of a second, as Linux counts them. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function measure(
  context: BenchContext,
  { ours }: Subject,
  [url, request]: [string, LoadRequest],
): Promise<Measured> {
  const before = processorTime(ours.pidOf('server'));
  const { hostname: host, port } = new URL(url);
  const result = await generateLoad({
    host,
    port: Number(port),
    connections: context.connections,
    warmupSeconds: 1,
    seconds: context.seconds,
    requestsMax: Number.POSITIVE_INFINITY,
    next: () => request,
  });
  context.log(`${request.method} ${request.path}: ${formatNumber(result.ratePerSecond)}/s`);
  const serverUs = ((processorTime(ours.pidOf('server')) - before) * 10_000) / result.sent;
  return { ...requireSuccess(result), serverUs };
}

function row(name: string, results: readonly Measured[], without: readonly Measured[]): string[] {
  const rates = (which: readonly LoadResult[]): number[] => which.map((result) => result.ratePerSecond);
  return [
    name,
    formatNumber(median(rates(results))),
    formatNumber(median(results.map(({ p50Ms }) => p50Ms)), 1),
    formatNumber(median(results.map(({ p99Ms }) => p99Ms)), 1),
    formatNumber(median(results.map(({ serverUs }) => serverUs))),
    results === without ? '1' : formatRatios(pairRatios(rates(results), rates(without))),
  ];
}

async function run(context: BenchContext): Promise<string[]> {
  const directory = join(context.directory, randomBytes(4).toString('hex'));
  const without = await start(join(directory, 'without'), false);
  const recorded = await start(join(directory, 'recorded'), true);
  try {
    const results = await interleave(context.rounds, {
      fetchWithout: () => measure(context, without, fetchBundle(without)),
      fetch: () => measure(context, recorded, fetchBundle(recorded)),
      getWithout: () => measure(context, without, getLicense(without)),
      get: () => measure(context, recorded, getLicense(recorded)),
    });
    return [
      `The same requests over HTTP to a server without an access log and to one with it, ${context.connections} ` +
        'keep-alive connections, everything on the same cores (load generator included), ' +
        `${context.rounds} interleaved rounds of ${context.seconds} s; medians. The record of a validation is on disk ` +
        'within a second, that of a license that somebody looked at before the answer is given.',
      markdownTable(
        ['', 'requests/s', 'p50 ms', 'p99 ms', 'server CPU µs/request', 'ratio to without (range)'],
        [
          row('validation, no access log', results.fetchWithout, results.fetchWithout),
          row('validation', results.fetch, results.fetchWithout),
          row('license read, no access log', results.getWithout, results.getWithout),
          row('license read', results.get, results.getWithout),
        ],
      ),
    ];
  } finally {
    await without.ours.stop();
    await recorded.ours.stop();
  }
}

export const bench: Bench = { name: 'access', title: 'What recording every request costs', run };
