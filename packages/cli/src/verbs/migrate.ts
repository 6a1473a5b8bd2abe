/** `tally migrate`: copies the log of a system to another store, and moves the system there. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { CopyRefused, type CopyReport, checkTarget, copyStore } from '@tallystick/audit';
import { MemoryStore, type Store, StoreLocked } from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import {
  holdStore,
  isStoreThere,
  makeStore,
  moveSystem,
  readStore,
  type StorePlace,
} from '@tallystick/server';
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { asPostgresUrl } from '../flags/values.ts';
import { openSystem } from '../local-system.ts';
import { StepProgress } from '../output/step-progress.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';

interface MigrateFlags {
  from?: string;
  to: string;
  fromPasswordFile?: string;
  toPasswordFile?: string;
  switch: boolean;
  dryRun: boolean;
}

interface Migration extends Partial<CopyReport> {
  from: string;
  to: string;
  size: number;
  /** Entries that the target held before. */
  before: number;
  /** False where the source may have grown since. */
  complete: boolean;
  /** True where the system's log is at the target from now on. */
  switched: boolean;
  dryRun: boolean;
}

export function registerMigrate(program: Command, context: Context): void {
  const command = program
    .command('migrate')
    .summary('copy the log to another store, and move the system there')
    .description(
      'Copy a log between SQLite and PostgreSQL, entry by entry, and compare both stores as a whole at the end. ' +
        'Without --switch the server may go on: what is published is copied. Then stop it and run this with --switch: ' +
        'the rest is copied, and "tally up" goes on there. A copy that was interrupted goes on where it ended.',
    )
    .option(
      '--from <url>',
      'sqlite://<path> or postgres://… (default: where the system has its log)',
      asStore,
    )
    .requiredOption(
      '--to <url>',
      'sqlite://<path> or postgres://…: empty, or a beginning of the log',
      asStore,
    )
    .option('--from-password-file <path>', 'file with the password of that database, mode 0600')
    .option('--to-password-file <path>', 'file with the password of that database, mode 0600')
    .option('--switch', 'hold the stopped system, copy the rest, and have it go on there', false)
    .option('--dry-run', 'say what would be copied and change nothing', false);
  command.action(async () => {
    const session = new Session(context, command);
    const migration = await migrate(session, command.opts<MigrateFlags>()).catch(rethrow);
    session.print.answer(migration, () => describe(migration));
  });
}

/** Path or URL of a store. */
function asStore(value: string): string {
  if (isPostgresUrl(value)) return asPostgresUrl(value);
  const path = /^sqlite:\/\/(.+)$/.exec(value)?.[1];
  if (path === undefined)
    throw new InvalidArgumentError('Give sqlite://<path> or postgres://user@host/database.');
  return path;
}

async function migrate(session: Session, flags: MigrateFlags): Promise<Migration> {
  const { context, print, dataFolder } = session;
  if (flags.switch && flags.from !== undefined)
    throw usageError('A system is moved from where its log is.', 'Leave out --from or --switch.');
  const system = flags.from === undefined ? await openSystem(dataFolder) : null;
  const from = system?.place ?? placeOf(flags.from ?? '', flags.fromPasswordFile);
  const to = placeOf(flags.to, flags.toPasswordFile);
  if (from.store === to.store) throw usageError('Both are the same store.', 'Name another one with --to.');
  for (const { store } of [from, to]) checkFile(store);
  if (!(await isStoreThere(from)))
    throw usageError(`There is no store at ${from.store}.`, 'Name another one with --from.');
  using progress = new StepProgress(context, print);
  const { onProgress } = progress;
  const { dryRun } = flags;
  const holds = flags.switch && !dryRun;
  await using source = await (holds ? holdStore(from) : readStore(from));
  const size = await sizeToCopy(source, flags.switch);
  await using target = await openTarget(to, dryRun);
  const before = dryRun ? await checkTarget(source, target, { size, onProgress }) : await target.size();
  const report = dryRun ? {} : await copyStore(source, target, { size, onProgress });
  if (holds && system !== null) moveSystem(system.layout, to);
  return {
    from: from.store,
    to: to.store,
    size,
    before,
    ...report,
    complete: holds,
    switched: holds,
    dryRun,
  };
}

function checkFile(store: string): void {
  if (isPostgresUrl(store)) return;
  if (statSync(store, { throwIfNoEntry: false })?.isDirectory() === true)
    throw usageError(`${store} is a folder.`, 'Name a file in it.');
  if (!existsSync(dirname(store)))
    throw usageError(`There is no folder ${dirname(store)}.`, 'Make it, or name another file.');
}

/** Of a store that is written meanwhile, only what is published is certain to stay. */
async function sizeToCopy(source: Store, isWhole: boolean): Promise<number> {
  return isWhole ? source.size() : ((await source.checkpoint())?.size ?? 0);
}

async function openTarget(place: StorePlace, dryRun: boolean): Promise<Store> {
  const isThere = await isStoreThere(place);
  if (dryRun) return isThere ? readStore(place) : new MemoryStore();
  return isThere ? holdStore(place) : makeStore(place);
}

function placeOf(store: string, storePasswordFile: string | undefined): StorePlace {
  return storePasswordFile === undefined ? { store } : { store, storePasswordFile };
}

function rethrow(error: unknown): never {
  if (error instanceof CopyRefused) {
    throw new CliError({
      exitCode: exitCodes.integrity,
      code: 'migration_refused',
      what: `The log was not moved: ${error.message}.`,
      todo: 'The system goes on where it was; correct that and run this again.',
    });
  }
  if (error instanceof StoreLocked) {
    throw new CliError({
      exitCode: exitCodes.unavailable,
      code: 'store_locked',
      what: `A store is in use: ${error.message}.`,
      todo: 'Stop the server that uses it, and run this again.',
    });
  }
  throw error;
}

function describe(migration: Migration): string[] {
  const { from, to, size, before, copied, erased, checkpoints, root, switched, dryRun } = migration;
  return [
    dryRun
      ? `Would copy ${size - before} entries: the target holds ${before} of ${size}.`
      : `Copied ${copied} entries; both stores hold the same ${size}.`,
    ...properties([
      ['from', from],
      ['to', to],
      ['root', root ?? null],
      ['checkpoints', checkpoints ?? null],
      ['erased', erased ?? null],
    ]),
    switched
      ? 'The system goes on there. Keep the old store, unused, until you have a backup of the new one.'
      : 'The system goes on where it was. To move it, stop it and run this with --switch.',
  ];
}
