/**
 * How long nobody takes changes when the server that writes is gone and another one takes the log over:
 * `TALLY_BENCH_FAILOVERS` says how often each way is measured, 5 times where it is not set.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { createStandby, type Layout, Supervisor } from '@tallystick/server';
import { PostgresServer, WriterProxy } from '@tallystick/testkit';
import type { Bench, BenchContext } from '../bench.ts';
import { Ours } from '../ours.ts';
import { formatNumber, interleave, markdownTable, median } from '../report.ts';

const timesDefault = 5;
const customers = 100;
const failoverMsMax = 60_000;
const pollMs = 10;
const ports = { public: 0, admin: 0, ops: 0 };
const order = { plan: 'pro', licensee: 'Contoso GmbH' };

/** A server of two on one database. */
interface Server {
  supervisor: Supervisor;
  token: string;
}

async function issues({ supervisor, token }: Server): Promise<boolean> {
  const answer = await fetch(`${supervisor.urls.admin}/v1/licenses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(order),
    signal: AbortSignal.timeout(5000),
  }).catch(() => null);
  await answer?.arrayBuffer().catch(() => null);
  return answer?.status === 201;
}

async function follows({ supervisor }: Server): Promise<boolean> {
  const answer = await fetch(`${supervisor.urls.ops}/readyz`, { signal: AbortSignal.timeout(5000) }).catch(
    () => null,
  );
  return (await answer?.text().catch(() => ''))?.includes('"code":"standby"') === true;
}

/** Resolves when it is true. Throws where it does not become so. */
async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + failoverMsMax;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${failoverMsMax} ms`);
    await after(pollMs);
  }
}

function pidOf({ supervisor }: Server): number {
  const pid = supervisor.pidOf('server');
  if (pid === undefined) throw new Error('the server does not run');
  return pid;
}

type Way = 'SIGKILL' | 'SIGSTOP' | 'SIGTERM';

/** Milliseconds from the signal to the server that writes until the other one has acknowledged a change. */
async function failover(servers: readonly [Server, Server], way: Way): Promise<number> {
  const [one, two] = servers;
  const [writer, other] = (await follows(two)) ? [one, two] : [two, one];
  await until('one to write', () => issues(writer));
  await until('the other one to follow', () => follows(other));
  const pid = pidOf(writer);
  const begun = performance.now();
  process.kill(pid, way);
  try {
    await until('the other one to write', () => issues(other));
    return performance.now() - begun;
  } finally {
    if (way === 'SIGSTOP') process.kill(pid, 'SIGCONT');
    await until('the first one to come back', async () => writer.supervisor.pidOf('server') !== pid);
    await until('it to follow', () => follows(writer));
  }
}

/** A second server for the log of a system, which is stopped; started with the cosigners of the first. */
async function startBoth(
  ours: Ours,
  directory: string,
  balancer: WriterProxy,
): Promise<readonly [Server, Server]> {
  const { layout, client } = ours;
  await ours.stop();
  const standby = await createStandby({
    from: layout.root,
    directory: join(directory, 'standby'),
    address: { here: 'http://one.example', there: 'http://two.example' },
    // The replayer asks for entries that are not published yet, which only the server that writes has.
    logUrl: balancer.url,
    cosigners: {},
    ports,
    now: Date.now(),
  });
  const start = async ({ root }: Layout, server: Record<string, unknown>): Promise<Server> => {
    const supervisor = await Supervisor.start(
      { directory: root, server },
      { onLine: () => {}, onRestart: () => {} },
    );
    return { supervisor, token: client.token };
  };
  const one = await start(layout, {});
  balance(balancer, one);
  await until('the first server to write', () => issues(one));
  const { cosigners } = JSON.parse(readFileSync(join(layout.run, 'server.json'), 'utf8')) as {
    cosigners: Record<string, string>;
  };
  const two = await start(standby, { cosigners });
  balance(balancer, one, two);
  return [one, two];
}

function balance(balancer: WriterProxy, ...servers: readonly Server[]): void {
  balancer.servers = servers.map(({ supervisor }) => ({
    opsUrl: () => supervisor.urls.ops,
    port: () => Number(new URL(supervisor.urls.public).port),
  }));
}

function row(name: string, figures: readonly number[]): string[] {
  const [least, most] = [Math.min(...figures), Math.max(...figures)];
  return [name, ...[median(figures), least, most].map((each) => formatNumber(Math.round(each)))];
}

async function run(context: BenchContext): Promise<string[]> {
  const times = Number(process.env['TALLY_BENCH_FAILOVERS'] ?? timesDefault);
  const directory = join(context.directory, 'failover');
  mkdirSync(directory);
  const nodes = await PostgresServer.cluster(3);
  const balancer = await WriterProxy.start();
  let servers: readonly Server[] = [];
  try {
    const [first] = nodes;
    if (first === undefined) throw new Error('a cluster without nodes');
    const store = { store: first.url() };
    const ours = await Ours.start({
      directory: join(directory, 'first'),
      customers,
      synchronous: 'full',
      store,
    });
    const both = await startBoth(ours, directory, balancer);
    servers = both;
    const { killed, frozen, stopped } = await interleave(times, {
      killed: () => failover(both, 'SIGKILL'),
      frozen: () => failover(both, 'SIGSTOP'),
      stopped: () => failover(both, 'SIGTERM'),
    });
    return [
      'Two servers on a PostgreSQL of three nodes with quorum commit, all on one machine. Milliseconds from the signal to the ' +
        `server that writes until the other one has acknowledged a change, asked every ${pollMs} ms. A silent server is ` +
        'taken to be gone after 2,000 ms; one that is stopped in order leaves the log. Changes are sent to it directly. ' +
        `${times} times each, in turn.`,
      markdownTable(
        ['the process is', 'median', 'least', 'most'],
        [row('killed (SIGKILL)', killed), row('frozen (SIGSTOP)', frozen), row('stopped in order', stopped)],
      ),
    ];
  } finally {
    for (const { supervisor } of servers) await supervisor.stop();
    await balancer[Symbol.asyncDispose]();
    for (const node of nodes) await node[Symbol.asyncDispose]();
  }
}

export const bench: Bench = { name: 'failover', title: 'Another server takes over', run };
