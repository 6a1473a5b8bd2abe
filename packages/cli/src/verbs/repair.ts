/** `tally repair`: gets back from a mirror what a store has lost, or what was altered in it. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type FsckReport,
  type RepairProblem,
  RepairRefused,
  type RepairReport,
  repairNewStore,
  repairStore,
} from '@tallystick/audit';
import { type MendableStore, StoreLocked } from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import { holdStore, readStore } from '@tallystick/server';
import { ConfigError, type ContentKey, loadContentKey } from '@tallystick/witness';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, messageOf, usageError } from '../errors.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { openSystem, readMark } from '../local-system.ts';
import type { Printer } from '../output/printer.ts';
import { StepProgress } from '../output/step-progress.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';
import { checkSystem, describeFsck } from './fsck.ts';
import { rebuild, storeLocked } from './rebuild.ts';

interface RepairFlags {
  from: string;
  dryRun?: boolean;
  keys?: string;
  contentKey?: string;
}

/** What was repaired, and what a check says afterwards. */
interface RepairAnswer extends RepairReport {
  /** null where nothing was changed, or it could not be made. */
  fsck: FsckReport | null;
  /** Why the check afterwards could not be made; null where it was, or nothing was changed. */
  unchecked: string | null;
}

const requestMsMax = 20_000;

export function registerRepair(program: Command, context: Context): void {
  const command = program
    .command('repair')
    .summary('get back from a mirror what the store has lost')
    .description(
      'Get entries back from a mirror of the log: those that were altered or lost, and those that a restored copy ' +
        'lacks at its end; all of them, where there is no store any more. Each is compared with a checkpoint that the ' +
        'log signed and a replayer cosigned; nothing else gets in. With --content-key documents come back as well, ' +
        'from a mirror that holds them, each compared with what its entry commits to; what is lost is listed. What was ' +
        'signed and is there although the log erased it is removed. The server has to be stopped. A copy of what is replaced is kept. --token-file names a file with the token of one of its readers. The exit code is 2 ' +
        'when a check afterwards finds a problem.',
    )
    .requiredOption('--from <url>', 'address of the mirror')
    .option('--content-key <file>', 'what opens the documents that the mirror holds')
    .option('--dry-run', 'fetch and compare everything, and change nothing; works beside a running server')
    .option('--keys <file>', 'public keys for the check afterwards, as tally fsck takes them');
  command.action(async () => {
    const session = new Session(context, command);
    const answer = await repair(session, command.opts<RepairFlags>());
    session.print.answer(answer, () => describe(answer, session.print));
    if (answer.fsck?.ok === false || answer.unchecked !== null) context.setExitCode(exitCodes.integrity);
  });
}

async function repair(session: Session, flags: RepairFlags): Promise<RepairAnswer> {
  const report = await repairSystem(session, flags);
  const isChanged = !report.dryRun && (report.undo !== null || report.published !== null);
  if (!isChanged) return { ...report, fsck: null, unchecked: null };
  const keys = flags.keys === undefined ? {} : { keys: flags.keys };
  try {
    // What the projections say may be of entries that were altered, or that have no documents any more.
    await rebuild(session);
    return { ...report, fsck: await checkSystem(session, { all: true, ...keys }), unchecked: null };
  } catch (error) {
    // The entries are back whatever is wrong with the rest: that must not go unsaid.
    return { ...report, fsck: null, unchecked: messageOf(error) };
  }
}

async function repairSystem(session: Session, flags: RepairFlags): Promise<RepairReport> {
  const { context, print } = session;
  const { layout, place, origin, chain } = await openSystem(session.dataFolder, true);
  const mirror = {
    url: mirrorUrl(flags.from),
    token: readToken(session.tokenFile),
    timeoutMs: requestMsMax,
    signal: context.signal,
  };
  const contentKey = flags.contentKey === undefined ? null : readContentKey(flags.contentKey);
  const at = new Date(context.now()).toISOString().replaceAll(/[-:.]/g, '');
  const storeFile = isPostgresUrl(place.store) ? layout.ledger.store : place.store;
  const undoFile = join(dirname(storeFile), `replaced-${at}.db`);
  const dryRun = flags.dryRun === true;
  if (!dryRun) mkdirSync(dirname(storeFile), { recursive: true, mode: 0o700 });
  using progress = new StepProgress(context, print);
  const repairIt = (store: MendableStore): Promise<RepairReport> =>
    repairStore(
      { store, chain, mark: readMark(layout, origin), mirror, contentKey, undoFile },
      { dryRun, onProgress: progress.onProgress },
    );
  try {
    if (!isPostgresUrl(place.store) && !existsSync(place.store))
      return await repairNewStore(place.store, { dryRun }, repairIt);
    await using store = await (dryRun ? readStore(place) : holdStore(place));
    return await repairIt(store);
  } catch (error) {
    throw explained(error);
  }
}

function mirrorUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageError(`${text} is not an http address.`, 'Name the address of a mirror with --from.');
  }
  return text.replace(/\/+$/, '');
}

/** Only a token that was named for this goes to a mirror: the administrator's is for the server alone. */
function readToken(file: string | null): string {
  if (file === null) {
    throw usageError(
      'The mirror lets its readers read, and nobody else.',
      'Name a file with the token of one of them with --token-file.',
    );
  }
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw usageError(
      `The token cannot be read: ${messageOf(error)}.`,
      'Name another file with --token-file.',
    );
  }
  if (/^[\x21-\x7e]{1,512}$/.test(token)) return token;
  throw usageError(`${file} does not hold a token.`, 'Name another file with --token-file.');
}

function readContentKey(file: string): ContentKey {
  try {
    return loadContentKey(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw usageError(`${error.message}.`, 'Name the file of tally content-key generate with --content-key.');
  }
}

const remedies: Record<RepairProblem, string> = {
  mirror_unreachable:
    'See whether it runs, and whether the token is one of its readers; nothing was changed.',
  mirror_empty: 'Name a mirror that has followed this log; nothing was changed.',
  mirror_wrong: 'Name another mirror, and keep this one as evidence; nothing was changed.',
  content_key_wrong:
    'Name the content key that the mirror was set up with, with --content-key; nothing was changed.',
  mirror_differs:
    'One log has two histories: keep everything, and find out which of them was published; nothing was changed.',
};

function explained(error: unknown): unknown {
  if (error instanceof StoreLocked) return storeLocked();
  if (!(error instanceof RepairRefused)) return error;
  const { problem, message } = error;
  return new CliError({
    exitCode: exitCodeOf(problem),
    code: problem,
    what: `The mirror cannot be used: ${message}.`,
    todo: remedies[problem],
  });
}

function exitCodeOf(problem: RepairProblem): ExitCode {
  if (problem === 'content_key_wrong') return exitCodes.usage;
  const isThere = problem !== 'mirror_unreachable' && problem !== 'mirror_empty';
  return isThere ? exitCodes.integrity : exitCodes.unavailable;
}

function describe(answer: RepairAnswer, print: Printer): string[] {
  const {
    dryRun,
    mirrored,
    sizeBefore,
    size,
    repaired,
    added,
    documents,
    causes,
    wrong,
    lost,
    lostCauses,
    published,
    missing,
    undo,
    fsck,
    unchecked,
  } = answer;
  const isNeeded = repaired.count > 0 || added !== null || published !== null;
  const head = isNeeded
    ? print.style('yellow', dryRun ? 'REPAIRABLE  Nothing was changed yet.' : 'REPAIRED')
    : print.style('green', 'WHOLE  Nothing that the mirror holds is lost or altered.');
  return [
    head,
    ...repaired.first.map(({ index, table, message }) => `${table} at ${index}: ${message}`),
    ...properties([
      ['mirror', `${mirrored} entries`],
      ['entries', size === sizeBefore ? size : `${size}, ${sizeBefore} before`],
      ['put right', repaired.count],
      ['came back', added === null ? null : `entries ${added.from} to ${added.to - 1}`],
      ['documents', documents === 0 ? null : `${documents} came back`],
      ['causes', causes === 0 ? null : `${causes} came back`],
      ['published', published === null ? null : `the checkpoint of ${published} entries came back`],
      ['replaced', undo === null ? null : `kept in ${undo}`],
    ]),
    ...wrong.first.map(({ index, message }) => `not taken for entry ${index}: ${message}`),
    ...(lost.count === 0 ? [] : [`The documents of ${lost.count} records did not come back:`]),
    ...lost.first.map(
      ({ index, type, rev, id }) =>
        `  entry ${index}: ${type}, revision ${rev} of ${id ?? 'an unknown subject'}`,
    ),
    ...(lostCauses === 0 ? [] : [`Who asked for ${lostCauses} commands, and why, did not come back either.`]),
    ...(missing === null
      ? []
      : [
          `Entries ${missing.from} to ${missing.to - 1} were signed, and the mirror has not got them: the server will not ` +
            'take changes without them.',
        ]),
    ...(fsck === null ? [] : describeFsck(fsck, print)),
    ...(unchecked === null ? [] : [`The check afterwards could not be made: ${unchecked}`]),
  ];
}
