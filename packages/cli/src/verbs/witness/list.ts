/** `tally witness list`: the logs that a witness follows, and how far it cosigned them. */
import { formatVerifierKey } from '@tallystick/core';
import { StateFile, StateHeld, type WitnessConfig } from '@tallystick/witness';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import type { Printer } from '../../output/printer.ts';
import { Session } from '../../session.ts';
import { askRunning, type FollowedLog } from '../../witness/running-witness.ts';
import { asUsageError, WitnessFolder } from '../../witness/witness-folder.ts';
import { addFolderFlag, type FolderFlag } from './folder-flag.ts';

interface ListedLog {
  origin: string;
  vkeys: string[];
  /** Entries of the newest checkpoint that it cosigned; null where the running witness does not tell. */
  size: number | null;
  cosignedAt: string | null;
  refused: string | null;
}

export function registerListLogs(parent: Command, context: Context): void {
  const command = addFolderFlag(
    parent
      .command('list')
      .summary('show the logs that the witness follows, and how far it cosigned them')
      .description('Show the logs of a witness, running or not, and how far it cosigned them.'),
  );
  command.action(async () => {
    const { print } = new Session(context, command);
    const config = new WitnessFolder(command.opts<FolderFlag>().folder).read();
    const running = await askRunning(config);
    const known = running ?? readState(config);
    const logs = config.logs.map((log) => listed(log, known));
    print.answer({ name: config.name, running: running !== null, logs }, () => describe(logs, print));
  });
}

function listed(log: WitnessConfig['logs'][number], known: readonly FollowedLog[] | null): ListedLog {
  const { origin, vkeys } = log;
  const found = known?.find((each) => each.origin === origin);
  const at = found?.cosignedAt ?? null;
  return {
    origin,
    vkeys: vkeys.map(formatVerifierKey),
    size: found?.size ?? null,
    cosignedAt: at === null ? null : new Date(at * 1000).toISOString(),
    refused: found?.refused ?? null,
  };
}

/** What a witness that does not run remembers; null where one runs that has not answered. */
function readState({ stateFile, name, logs }: WitnessConfig): FollowedLog[] | null {
  try {
    using state = StateFile.open(stateFile, { kind: 'witness', name });
    return logs.map(({ origin }) => {
      const { size } = state.head(state.logId(origin));
      return { origin, size, refused: null, cosignedAt: null };
    });
  } catch (error) {
    if (error instanceof StateHeld) return null;
    throw asUsageError(error);
  }
}

function describe(logs: readonly ListedLog[], print: Printer): string[] {
  if (logs.length === 0) return ['It follows no log: tally witness add-log.'];
  return print.table(logs, [
    { title: 'LOG', value: ({ origin }) => origin },
    { title: 'COSIGNED', value: ({ size }) => size, align: 'right' },
    { title: 'LAST', value: ({ cosignedAt }) => cosignedAt },
    { title: 'KEYS', value: ({ vkeys }) => vkeys.length, align: 'right' },
    { title: 'REFUSED', value: ({ refused }) => refused },
  ]);
}
