/**
 * What the operator of a cosigner watches, on a listener of its own: `/metrics` in Prometheus' text format, and
 * `/healthz`.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cosigner } from '../cosigner.ts';
import { metricsOf } from '../mirror/telling.ts';
import { healthBody } from './page.ts';
import { type CosignerServer, listen, stop } from './server.ts';

export interface MetricsOptions {
  cosigner: Cosigner;
  /** Whose strangers are counted. */
  server: Pick<CosignerServer, 'strangers'>;
  host: string;
  /** 0 takes any free port. */
  port: number;
}

export interface MetricsServer extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
}

/** Listens. Throws ConfigError where the address cannot be had. */
export async function startMetrics(options: MetricsOptions): Promise<MetricsServer> {
  const { cosigner, host } = options;
  const server = createServer((request, response) => {
    const known = request.method === 'GET' || request.method === 'HEAD' ? request.url : undefined;
    if (known === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
      response.end(renderMetrics(cosigner, options.server.strangers));
    } else if (known === '/healthz') {
      response.setHeader('content-type', 'application/json');
      response.end(healthBody(cosigner));
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  await listen(server, host, options.port);
  const { port } = server.address() as AddressInfo;
  const shown = host.includes(':') ? `[${host}]` : host;
  return { url: `http://${shown}:${port}`, [Symbol.asyncDispose]: () => stop(server) };
}

type Sample = readonly [labels: Readonly<Record<string, string | number>>, value: number];

function renderMetrics(cosigner: Cosigner, strangers: ReadonlyMap<number, number>): string {
  const status = cosigner.status();
  const counts = cosigner.counts();
  return [
    metric(
      'tally_cosigner_size gauge Entries of the newest checkpoint that was cosigned',
      status.map(({ origin, size }) => [{ origin }, size]),
    ),
    metric(
      'tally_cosigner_cosigned_seconds gauge POSIX time of the newest cosignature since the start',
      status.flatMap(({ origin, cosignedAt }): Sample[] =>
        cosignedAt === null ? [] : [[{ origin }, cosignedAt]],
      ),
    ),
    metric(
      'tally_cosigner_refused gauge 1 where the newest checkpoint was not cosigned',
      status.map(({ origin, refused }) => [{ origin }, refused === null ? 0 : 1]),
    ),
    metric(
      'tally_cosigner_requests_total counter Requests that the log had signed, by answer',
      counts.flatMap(({ origin, answers }) =>
        [...answers].map(([code, count]): Sample => [{ origin, status: code }, count]),
      ),
    ),
    metric(
      'tally_cosigner_forks_total counter Histories that contradict what was cosigned',
      counts.map(({ origin, forks }) => [{ origin }, forks]),
    ),
    metric(
      'tally_cosigner_ahead_total counter Requests that said that more was cosigned than the state knows of',
      counts.map(({ origin, ahead }) => [{ origin }, ahead]),
    ),
    metric(
      'tally_cosigner_strangers_total counter Requests that no known log had signed, by answer',
      [...strangers].map(([code, count]) => [{ status: code }, count]),
    ),
    status.some(({ mirror }) => mirror !== undefined) ? metricsOf(status) : '',
  ].join('');
}

/** @param about name, type and what it says */
function metric(about: string, samples: readonly Sample[]): string {
  const [name = '', type = '', ...help] = about.split(' ');
  const lines = samples.map(([labels, value]) => `${name}${labelsText(labels)} ${value}\n`);
  return `# HELP ${name} ${help.join(' ')}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelsText(labels: Readonly<Record<string, string | number>>): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`);
  return `{${texts.join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
