/**
 * The process of a cosigner:
 *
 *     node main.ts witness|replayer init|serve --config file.json
 *
 * `init` prints the verifier keys and which logs begin; `serve` prints where it listens, both as one JSON line.
 * Violations and faults go to standard error as JSON lines. An error of the configuration, key or state ends the
 * process with code 1 and one plain line.
 */
import { parseArgs } from 'node:util';
import { loadConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { initCosignerState, startCosigner } from './start-cosigner.ts';
import type { CosignerKind } from './state/state-file.ts';

/** How long what is under way may take once the supervisor is gone. */
const orphanMsMax = 10_000;

const usage = 'usage: witness|replayer init|serve --config <file>';

async function main(): Promise<void> {
  const { kind, verb, config: path } = parseCommand();
  const config = loadConfig(path, kind);
  if (verb === 'init') {
    print(initCosignerState(config));
    return;
  }
  const running = await startCosigner(config, { now: () => Math.floor(Date.now() / 1000), report });
  // Before the line that says it listens, since whoever waits for that may send a signal at once.
  stopOnSignals(() => running[Symbol.asyncDispose]());
  print({ listening: running.url, vkeys: running.vkeys });
}

function parseCommand(): { kind: CosignerKind; verb: 'init' | 'serve'; config: string } {
  let parsed: { values: { config?: string | undefined }; positionals: string[] };
  try {
    parsed = parseArgs({ options: { config: { type: 'string' } }, allowPositionals: true });
  } catch (error) {
    throw new ConfigError(usage, { cause: error });
  }
  const [kind, verb, ...rest] = parsed.positionals;
  const { config } = parsed.values;
  const isKnown = (kind === 'witness' || kind === 'replayer') && (verb === 'init' || verb === 'serve');
  if (!isKnown || config === undefined || rest.length > 0) throw new ConfigError(usage);
  return { kind, verb, config };
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
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

/** An error that we foresaw is one line; any other one keeps its stack for whoever has to mend it. */
function fail(error: unknown): void {
  const text = error instanceof ConfigError ? error.message.replaceAll('\n', ' ') : (error as Error)?.stack;
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
}

main().catch(fail);
