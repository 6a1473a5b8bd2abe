/** `tally monitor run`: watches, round after round. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  type Alarm,
  ConfigError,
  Monitor,
  type MonitorRound,
  renderMonitorMetrics,
} from '@tallystick/witness';
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../../context.ts';
import { interrupted, messageOf, unreachable, usageError } from '../../errors.ts';
import { exitCodes } from '../../exit-codes.ts';
import { asNatural } from '../../flags/values.ts';
import { instant } from '../../offline/verify-file.ts';
import { printable } from '../../output/table.ts';
import { Session } from '../../session.ts';

interface RunFlags {
  once?: boolean;
  interval: number;
  metrics?: Address;
}

interface Address {
  host: string;
  port: number;
}

const intervalSecondsDefault = 30;

export function registerMonitorRun(parent: Command, context: Context): void {
  const command = parent
    .command('run')
    .argument('<folder>', 'as tally monitor init made it')
    .summary('watch, until it is interrupted')
    .description(
      'Watch the logs of a monitor. With --json every line is an object with "event": alarm, cleared, round or fault. ' +
        'With --once the exit code is 0 where all is well, 2 where a log contradicts itself, and 1 for any other alarm.',
    )
    .option('--once', 'look once and end')
    .option('--interval <seconds>', 'time between two rounds', asNatural, intervalSecondsDefault)
    .option('--metrics <host:port>', 'serve metrics for Prometheus there, at /metrics', asAddress);
  command.action(async (folder: string) => {
    const session = new Session(context, command);
    await watch(session, folder, command.opts<RunFlags>());
  });
}

function asAddress(text: string): Address {
  const match = /^(.+):(\d{1,5})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Give host:port, such as 127.0.0.1:7390.');
  return { host: match[1] ?? '', port: Number(match[2]) };
}

async function watch(session: Session, folder: string, flags: RunFlags): Promise<void> {
  const { context } = session;
  const now = (): number => Math.floor(context.now() / 1000);
  await using monitor = await open(folder, context.signal, now);
  let newest: MonitorRound | null = null;
  await using _metrics = await serveMetrics(flags.metrics, () => {
    return newest === null ? null : renderMonitorMetrics(newest, now());
  });
  do {
    try {
      newest = await monitor.round();
      report(session, newest);
    } catch (error) {
      if (context.signal.aborted && flags.once === true) throw interrupted();
      if (context.signal.aborted) break;
      if (flags.once === true)
        throw unreachable(
          `The round did not end: ${messageOf(error)}.`,
          'See to the disk of the monitor, and run it again.',
        );
      fault(session, error);
    }
    if (flags.once === true) break;
    await context.sleep(flags.interval * 1000, context.signal);
  } while (!context.signal.aborted);
  if (flags.once === true && newest !== null) context.setExitCode(exitCodeOf(newest));
}

async function open(folder: string, signal: AbortSignal, now: () => number): Promise<Monitor> {
  try {
    return await Monitor.open({ folder, signal, now });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw usageError(`The monitor does not start: ${messageOf(error)}.`, 'See tally monitor init.');
  }
}

async function serveMetrics(
  address: Address | undefined,
  render: () => string | null,
): Promise<AsyncDisposable> {
  if (address === undefined) return { [Symbol.asyncDispose]: async () => {} };
  const server = createServer((request, response) => {
    const text = request.url === '/metrics' ? render() : null;
    const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
    response.writeHead(text === null ? 404 : 200, headers).end(text ?? 'nothing yet\n');
  });
  server.listen(address.port, address.host);
  await once(server, 'listening').catch((error: unknown) => {
    throw usageError(`Metrics cannot be served: ${messageOf(error)}.`, 'Choose another --metrics.');
  });
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function exitCodeOf({ logs }: MonitorRound): 0 | 1 | 2 {
  const alarms = logs.flatMap((log) => log.alarms);
  if (alarms.length === 0) return exitCodes.ok;
  const isContradiction = ({ kind, evidence }: Alarm): boolean =>
    evidence !== null || kind === 'rule' || kind === 'promise';
  return alarms.some(isContradiction) ? exitCodes.integrity : exitCodes.refused;
}

function report({ context, print }: Session, { logs, raised, cleared }: MonitorRound): void {
  const { stdout } = context;
  const at = instant(context.now());
  if (print.json) {
    for (const alarm of raised) stdout.write(`${JSON.stringify({ event: 'alarm', at, ...alarm })}\n`);
    for (const alarm of cleared) stdout.write(`${JSON.stringify({ event: 'cleared', at, ...alarm })}\n`);
    const told = logs.map((log) => ({ ...log, asOf: instant(log.asOf === null ? null : log.asOf * 1000) }));
    stdout.write(`${JSON.stringify({ event: 'round', at, logs: told })}\n`);
    return;
  }
  for (const { origin, kind, message, todo, evidence } of raised) {
    stdout.write(
      `${at} ${print.style('red', 'ALARM')} ${kind} ${printable(origin)}: ${printable(message)}\n`,
    );
    if (evidence !== null) stdout.write(`  evidence: ${evidence}\n`);
    stdout.write(`  ${printable(todo)}\n`);
  }
  for (const { origin, kind, subject } of cleared)
    stdout.write(
      `${at} ${print.style('green', 'over')} ${kind} ${printable(origin)} (${printable(subject)})\n`,
    );
  for (const { origin, size, replayed, asOf, alarms } of logs) {
    const rules = replayed === null ? 'entries not looked at' : `${replayed} entries obey every rule`;
    const seen = asOf === null ? 'no quorum seen' : `as of ${instant(asOf * 1000)}`;
    const standing =
      alarms.length === 0 ? print.style('green', 'ok') : print.style('red', `${alarms.length} alarms`);
    stdout.write(`${at} ${standing} ${printable(origin)}: ${size} entries, ${rules}, ${seen}\n`);
  }
}

function fault({ context, print }: Session, error: unknown): void {
  const message = messageOf(error);
  if (print.json)
    context.stdout.write(`${JSON.stringify({ event: 'fault', at: instant(context.now()), message })}\n`);
  else print.say(`A round did not end: ${printable(message)}. It is tried again.`);
}
