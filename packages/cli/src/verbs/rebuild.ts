/** `tally rebuild`: makes the projections anew from the log. */
import { type RebuildReport, rebuildProjections } from '@tallystick/audit';
import { IntegrityAlarm, StoreLocked } from '@tallystick/ledger';
import { holdStore } from '@tallystick/server';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { openSystem } from '../local-system.ts';
import { StepProgress } from '../output/step-progress.ts';
import { Session } from '../session.ts';

export function registerRebuild(program: Command, context: Context): void {
  const command = program
    .command('rebuild')
    .summary('make the projections anew from the log')
    .description(
      'Make the projections, in which the server finds things, anew from the log. The server has to be stopped. The ' +
        'old ones stay until the new ones are whole.',
    );
  command.action(async () => {
    const session = new Session(context, command);
    const report = await rebuild(session);
    session.print.answer(report, () => describe(report));
  });
}

/** Makes the projections of the system in the data folder anew. */
export async function rebuild({ context, print, dataFolder }: Session): Promise<RebuildReport> {
  const { layout, place, genesis, ns, indexKey } = await openSystem(dataFolder);
  const { projections: projectionsFile } = layout.ledger;
  using progress = new StepProgress(context, print);
  try {
    await using store = await holdStore(place);
    return await rebuildProjections({ store, projectionsFile, genesis, ns, indexKey }, ({ done, total }) =>
      progress.onProgress({ step: 'entries', done, total }),
    );
  } catch (error) {
    throw explained(error);
  }
}

function explained(error: unknown): unknown {
  if (error instanceof StoreLocked) return storeLocked();
  if (!(error instanceof IntegrityAlarm)) return error;
  return new CliError({
    exitCode: exitCodes.integrity,
    code: 'integrity',
    what: `The log cannot be read: ${error.message}.`,
    todo: 'Run tally fsck to see where it does not fit; the projections are as they were.',
  });
}

export function storeLocked(): CliError {
  return new CliError({
    exitCode: exitCodes.unavailable,
    code: 'store_locked',
    what: 'A server has the store open.',
    todo: 'Stop it, and run this again; nothing was changed.',
  });
}

function describe({ size, rows, differences, first }: RebuildReport): string[] {
  const before =
    differences === null
      ? 'There was nothing to compare them with.'
      : differences === 0
        ? 'The old ones were the same.'
        : `The old ones differed in ${differences} rows, the first in ${first?.table}: ${first?.message}.`;
  return [`Made ${rows} rows from ${size} entries.`, before];
}
