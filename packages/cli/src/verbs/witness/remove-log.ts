/** `tally witness remove-log`: has a witness follow a log no longer. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors.ts';
import { printable } from '../../output/table.ts';
import { Session } from '../../session.ts';
import { askRunning, untilFollowed } from '../../witness/running-witness.ts';
import { WitnessFolder } from '../../witness/witness-folder.ts';
import { addFolderFlag, type FolderFlag } from './folder-flag.ts';

interface RemoveLogFlags extends FolderFlag {
  dryRun?: boolean;
}

export function registerRemoveLog(parent: Command, context: Context): void {
  const command = addFolderFlag(
    parent
      .command('remove-log')
      .argument('<origin>', 'the origin of the log')
      .summary('follow a log no longer')
      .description(
        'Have the witness answer a log no longer. What it cosigned is kept: where the log is added again, it goes on from there. Doing it twice changes nothing more.',
      )
      .option('--dry-run', 'say what would be removed and change nothing'),
  );
  command.action(async (origin: string) => {
    await removeLog(new Session(context, command), origin, command.opts());
  });
}

async function removeLog({ context, print }: Session, origin: string, flags: RemoveLogFlags): Promise<void> {
  const folder = new WitnessFolder(flags.folder);
  const config = folder.read();
  const kept = config.logs.filter((log) => log.origin !== origin);
  const removed = kept.length < config.logs.length;
  const runs = (await askRunning(config)) !== null;
  if (removed && kept.length === 0 && runs)
    throw usageError(
      `${printable(origin)} is the only log of a running witness.`,
      'Stop the witness first, or add another log.',
    );
  const isDryRun = flags.dryRun === true;
  if (removed && !isDryRun) await folder.writeLogs(kept);
  const active = removed && !isDryRun && runs && !(await untilFollowed(config, origin, false, context));
  print.answer({ origin, removed, running: runs, active, ...(isDryRun && { dryRun: true }) }, () => [
    sentence(origin, removed, isDryRun),
    ...(active ? ['The running witness has not given it up yet: see its lines on standard error.'] : []),
  ]);
}

function sentence(origin: string, removed: boolean, isDryRun: boolean): string {
  const name = printable(origin);
  if (!removed) return `${name} is not followed. Nothing was changed.`;
  if (isDryRun) return `${name} would not be followed any longer. Nothing was changed.`;
  return `${name} is not followed any longer. What was cosigned of it is kept.`;
}
