/** `tally witness serve`: runs the witness of a folder in the foreground. */
import { followConfig, loadConfig, type RunningCosigner, startCosigner } from '@tallystick/witness';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { Session } from '../../session.ts';
import { asUsageError, foreseen, WitnessFolder } from '../../witness/witness-folder.ts';
import { addFolderFlag, type FolderFlag } from './folder-flag.ts';

export function registerServeWitness(parent: Command, context: Context): void {
  const command = addFolderFlag(
    parent
      .command('serve')
      .summary('run the witness of a folder')
      .description(
        'Run the witness in the foreground until SIGINT or SIGTERM. What happens is told on standard error, one line of JSON each. It follows its configuration while it runs; SIGHUP has it read that and the files for TLS at once.',
      ),
  );
  command.action(async () => {
    const session = new Session(context, command);
    await serve(session, new WitnessFolder(command.opts<FolderFlag>().folder));
  });
}

async function serve({ context, print }: Session, folder: WitnessFolder): Promise<void> {
  folder.read();
  const now = (): number => Math.floor(context.now() / 1000);
  const report = (line: Record<string, unknown>): void =>
    print.say(JSON.stringify({ ...line, at: new Date(context.now()).toISOString() }));
  const config = foreseen(() => loadConfig(folder.configFile, 'witness'));
  const running = await start(() => startCosigner(config, { now, report }));
  try {
    using _following = followConfig(folder.configFile, running, report);
    const { url, vkeys, metricsUrl } = running;
    print.answer({ listening: url, metrics: metricsUrl, vkeys }, () => [
      `The witness ${config.name} listens at ${url}, and for ${config.logs.length} logs.`,
      ...(metricsUrl === null ? [] : [`Metrics are at ${metricsUrl}/metrics.`]),
    ]);
    await aborted(context.signal);
    report({ event: 'stopping' });
  } finally {
    await running[Symbol.asyncDispose]();
  }
}

async function start(begin: () => Promise<RunningCosigner>): Promise<RunningCosigner> {
  try {
    return await begin();
  } catch (error) {
    throw asUsageError(error);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
