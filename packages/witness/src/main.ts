/**
 * The process of a cosigner:
 *
 *     node main.ts witness|replayer init|serve --config file.json
 *     node main.ts witness|replayer init --config file.json --begin-again
 *
 * `init` prints the verifier keys and which logs begin; `serve` prints where it listens, both as one JSON line.
 * Violations and faults go to standard error as JSON lines. An error of the configuration, key or state ends the
 * process with code 1 and one plain line. `--begin-again` is for a cosigner whose state is lost: it forgets what it
 * cosigned. A witness follows its configuration file while it runs.
 */
import { parseArgs } from 'node:util';
import { loadConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { followConfig } from './follow-config.ts';
import { initCosignerState, startCosigner } from './start-cosigner.ts';
import type { CosignerKind } from './state/state-file.ts';

/** How long what is under way may take once the supervisor is gone. */
const orphanMsMax = 10_000;

const usage = 'usage: witness|replayer init|serve --config <file> [--begin-again]';

async function main(): Promise<void> {
  const { kind, verb, config: path, beginAgain } = parseCommand();
  const config = loadConfig(path, kind);
  if (verb === 'init') {
    print(initCosignerState(config, { beginAgain }));
    return;
  }
  const running = await startCosigner(config, { now: () => Math.floor(Date.now() / 1000), report });
  // Before the line that says it listens, since whoever waits for that may send a signal at once.
  const following = kind === 'witness' ? followConfig(path, running, report) : null;
  stopOnSignals(async () => {
    following?.[Symbol.dispose]();
    await running[Symbol.asyncDispose]();
  });
  const { url, vkeys, metricsUrl } = running;
  print({ listening: url, vkeys, ...(metricsUrl !== null && { metrics: metricsUrl }) });
}

interface CommandLine {
  kind: CosignerKind;
  verb: 'init' | 'serve';
  config: string;
  beginAgain: boolean;
}

function parseCommand(): CommandLine {
  const options = { config: { type: 'string' }, 'begin-again': { type: 'boolean' } } as const;
  let parsed: {
    values: { config?: string | undefined; 'begin-again'?: boolean | undefined };
    positionals: string[];
  };
  try {
    parsed = parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new ConfigError(usage, { cause: error });
  }
  const [kind, verb, ...rest] = parsed.positionals;
  const { config, 'begin-again': beginAgain = false } = parsed.values;
  const isKnown = (kind === 'witness' || kind === 'replayer') && (verb === 'init' || verb === 'serve');
  if (!isKnown || config === undefined || rest.length > 0 || (beginAgain && verb !== 'init'))
    throw new ConfigError(usage);
  return { kind, verb, config, beginAgain };
}

function stopOnSignals(stop: () => Promise<void>): void {
  const stopNow = (): void => void stop().catch(fail);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stopNow);
  // The supervisor that started this process is gone, and with it whoever would end us if we hang.
  const orphaned = (): void => {
    setTimeout(() => process.exit(1), orphanMsMax).unref();
    stopNow();
  };
  process.once('disconnect', orphaned);
  // Waiting for that must not keep us alive.
  process.channel?.unref();
  // It may have ended while we were starting. Where there is no supervisor this is undefined.
  if (process.connected === false) orphaned();
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function report(line: Record<string, unknown>): void {
  process.stderr.write(`${JSON.stringify({ ...line, at: new Date().toISOString() })}\n`);
}

/** An error that we foresaw is one line; any other one keeps its stack for whoever has to mend it. */
function fail(error: unknown): void {
  const text = error instanceof ConfigError ? error.message.replaceAll('\n', ' ') : (error as Error)?.stack;
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
}

main().catch(fail);
