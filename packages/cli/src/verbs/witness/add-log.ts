/** `tally witness add-log`: has a witness follow one more log, running or not. */
import { formatVerifierKey } from '@tallystick/core';
import { initState, StateHeld, type WitnessConfig } from '@tallystick/witness';
import { type Command, Option } from 'commander';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors.ts';
import { printable } from '../../output/table.ts';
import { Session } from '../../session.ts';
import {
  logOfKeys,
  type OfferedLog,
  readOfferedLog,
  readOfferedLogs,
  sameKeys,
} from '../../witness/log-source.ts';
import { untilFollowed } from '../../witness/running-witness.ts';
import { asUsageError, WitnessFolder } from '../../witness/witness-folder.ts';
import { addFolderFlag, type FolderFlag } from './folder-flag.ts';

interface AddLogFlags extends FolderFlag {
  origin?: string;
  vkey?: string[];
  from?: string;
  server?: string;
  dryRun?: boolean;
}

export function registerAddLog(parent: Command, context: Context): void {
  const command = addFolderFlag(
    parent
      .command('add-log')
      .summary('follow one more log')
      .description(
        'Have the witness follow a log, from the size that it cosigned last, or from 0 where it never saw it. A running witness takes it up within a second. Doing it twice changes nothing more.',
      )
      .option(
        '--from <file or url>',
        'trust-root.json of a system, or a tlog-policy with the lines of one log',
      )
      .addOption(
        new Option(
          '--server <url>',
          'public address of a server: its log and its access log; --from says what to trust of them',
        ).conflicts(['vkey', 'origin']),
      )
      .addOption(
        new Option('--vkey <key...>', "the log's verifier keys, all of which have to sign").conflicts('from'),
      )
      .addOption(
        new Option('--origin <name>', 'its origin (default: the name of its keys)').conflicts('from'),
      )
      .option('--dry-run', 'say what would be added and change nothing'),
  );
  command.action(async () => {
    await addLog(new Session(context, command), command.opts());
  });
}

async function addLog(session: Session, flags: AddLogFlags): Promise<void> {
  const { context, print } = session;
  const folder = new WitnessFolder(flags.folder);
  const config = folder.read();
  const logs = await offered(flags, context);
  const known = (log: OfferedLog) => config.logs.find(({ origin }) => origin === log.origin);
  // All of them, before anything begins.
  for (const log of logs) {
    const other = known(log);
    if (other !== undefined && !sameKeys(log, other)) throw otherKeys(log.origin);
  }
  const fresh = logs.filter((log) => known(log) === undefined);
  const answer = {
    added: fresh.length > 0,
    logs: logs.map((log) => ({
      origin: log.origin,
      vkeys: log.vkeys.map(formatVerifierKey),
      added: fresh.includes(log),
    })),
  };
  const shown = answer.logs.flatMap(({ origin, vkeys }) =>
    [`  ${origin}`, ...vkeys.map((vkey) => `  ${vkey}`)].map(printable),
  );
  if (flags.dryRun === true) {
    print.answer({ ...answer, dryRun: true }, () => [
      answer.added ? 'Would follow:' : 'Follows already:',
      ...shown,
      'Nothing was changed.',
    ]);
    return;
  }
  const runs = !begin(
    config,
    logs.map(({ origin }) => origin),
  );
  if (answer.added) await folder.writeLogs([...config.logs, ...fresh]);
  let active = runs;
  for (const { origin } of logs) active = active && (await untilFollowed(config, origin, true, context));
  print.answer({ ...answer, running: runs, active }, () => [
    answer.added ? 'Follows from now on:' : 'Follows already:',
    ...shown,
    ...(answer.added ? ['Compare these keys with what the people who run the log say.'] : []),
    nextStep(runs, active, config),
  ]);
}

async function offered({ from, server, vkey, origin }: AddLogFlags, context: Context): Promise<OfferedLog[]> {
  if (server !== undefined) return readOfferedLogs(server, from, context);
  if (from !== undefined) return [await readOfferedLog(from, context)];
  if (vkey !== undefined) return [logOfKeys(vkey, origin)];
  throw usageError(
    'Which log is not said.',
    'Give --server with the public address of a server, --from with a trust root or a policy, or --vkey with its keys.',
  );
}

/** Whoever had the old keys could go on under a name that others trust, so that takes two commands. */
function otherKeys(origin: string): Error {
  return usageError(
    `${printable(origin)} is followed with other keys.`,
    'If its operator has told you of new keys: tally witness remove-log first, which keeps what was cosigned.',
  );
}

/** Begins logs in the memory of a witness that does not run; false where it does, which then begins it itself. */
function begin({ stateFile, name }: WitnessConfig, origins: string[]): boolean {
  try {
    initState({ stateFile, kind: 'witness', name, origins, mustExist: true });
    return true;
  } catch (error) {
    if (error instanceof StateHeld) return false;
    throw asUsageError(error);
  }
}

function nextStep(runs: boolean, active: boolean, { metrics }: WitnessConfig): string {
  if (!runs) return 'It does not run: tally witness serve.';
  if (active) return 'The running witness has taken it up.';
  const why = metrics === null ? 'which has no listener for metrics to ask' : 'which has not said so yet';
  return `The running witness takes it up by itself, ${why}: see its lines on standard error.`;
}
