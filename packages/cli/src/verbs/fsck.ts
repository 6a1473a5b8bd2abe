/** `tally fsck`: checks a store against itself and against what was published and signed. */
import { existsSync, readFileSync } from 'node:fs';
import { type FsckProblem, type FsckReport, fsck } from '@tallystick/audit';
import { asArray, asObject, type PublicKey, parseJsonText, parsePublicKey } from '@tallystick/core';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import { type Layout, readStore } from '@tallystick/server';
import { openWithDestroyed, readPassphraseFile } from '@tallystick/signer';
import { Unavailable } from '@tallystick/witness';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { openSystem, readMark } from '../local-system.ts';
import type { Printer } from '../output/printer.ts';
import { StepProgress } from '../output/step-progress.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';

interface FsckFlags {
  hashes?: boolean;
  all?: boolean;
  keys?: string;
}

export function registerFsck(program: Command, context: Context): void {
  const command = program
    .command('fsck')
    .summary('check that the log and everything kept beside it fit each other')
    .description(
      'Check the store of a system: entries, published roots, signatures, documents, causes, the model and the ' +
        'projections. Reads only, and works beside a running server. The exit code is 2 when a problem is found.',
    )
    .option('--hashes', 'check hashes alone: entries, published roots and commitments')
    .option('--all', 'go on behind the first problem, and list up to 100')
    .option(
      '--keys <file>',
      'public keys as {"keys":[{"alg","key"}…]} (default: those that the server has seen)',
    );
  command.action(async () => {
    const session = new Session(context, command);
    const report = await checkSystem(session, command.opts<FsckFlags>());
    session.print.answer(report, () => describeFsck(report, session.print));
    if (!report.ok) context.setExitCode(exitCodes.integrity);
  });
}

/** Checks the system in the data folder. */
export async function checkSystem(session: Session, flags: FsckFlags): Promise<FsckReport> {
  const { context, print } = session;
  const system = await openSystem(session.dataFolder);
  const { layout, place, genesis, ns } = system;
  const level = flags.hashes === true ? ('hashes' as const) : ('full' as const);
  const mark = readMark(layout, system.origin);
  await using store = await readStore(place);
  using progress = new StepProgress(context, print);
  try {
    const keys = level === 'hashes' ? [] : readKeys(layout, flags.keys);
    const projections = { file: layout.ledger.projections, indexKey: system.indexKey };
    const options = {
      level,
      all: flags.all === true,
      now: Math.floor(context.now() / 1000),
      onProgress: progress.onProgress,
    };
    const parts = { store, genesis, ns, keys, projections, mark };
    const threaded = isPostgresUrl(place.store) ? parts : { ...parts, storeFile: place.store };
    const report = await fsck(threaded, options);
    const unread = "The signer's mark was not compared: a running signer keeps it to itself.";
    return mark === null ? { ...report, skipped: [...report.skipped, unread] } : report;
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    throw usageError(
      `The signatures cannot be checked: ${error.message}.`,
      'Name a file with that key, too, with --keys.',
    );
  }
}

function readKeys(layout: Layout, file: string | undefined): PublicKey[] {
  try {
    // What the server saw of the signer's keys, also of those that are lost; a system of before has no such file.
    const known = file ?? (existsSync(layout.ledger.publicKeys) ? layout.ledger.publicKeys : null);
    if (known !== null) {
      const { keys } = asObject(parseJsonText(readFileSync(known, 'utf8').trimEnd()), 'keys');
      return asArray(keys, 'keys', 1024).map((key) => parsePublicKey(key, 'key'));
    }
    const passphrase = readPassphraseFile(layout.secrets.onlinePassphrase);
    const { keys, destroyed } = openWithDestroyed(layout.keys.online, passphrase);
    return [...keys, ...destroyed].map(({ publicKey }) => publicKey);
  } catch (error) {
    throw usageError(
      `The public keys cannot be read: ${messageOf(error)}.`,
      'Name a file that holds them with --keys.',
    );
  }
}

export function describeFsck(report: FsckReport, print: Printer): string[] {
  const { ok, problems, counts, size, published, level, skipped } = report;
  const erased = counts.erased === 0 ? '' : `, ${counts.erased} more erased`;
  const erasedRequests = counts.erasedRequests === 0 ? '' : `, ${counts.erasedRequests} more erased`;
  const head = ok
    ? print.style('green', level === 'hashes' ? 'CLEAN  All hashes fit.' : 'CLEAN  Everything fits.')
    : print.style('red', 'PROBLEM  Something does not fit: nothing was changed.');
  return [
    head,
    ...problems.flatMap((problem) => describeProblem(problem)),
    ...properties([
      ['entries', `${counts.entries} of ${size}, published up to ${published ?? 'nothing yet'}`],
      ['records', `${counts.records}, ${counts.signed} with their signatures`],
      ['map roots', counts.mapRoots],
      ['documents', `${counts.documents}, ${counts.companions} with companions${erased}`],
      ['causes', `${counts.causes}, ${counts.requests} with signed requests${erasedRequests}`],
      ['checkpoints', counts.checkpoints],
      ['projections', level === 'hashes' ? null : `${counts.rows} rows`],
    ]),
    ...skipped,
  ];
}

function describeProblem({ index, table, part, message, expected, found }: FsckProblem): string[] {
  const at = index === null ? '' : ` at ${index}`;
  const compared =
    expected === null && found === null ? [] : [`  expected ${expected ?? 'none'}, found ${found ?? 'none'}`];
  return [`${table}.${part}${at}: ${message}`, ...compared];
}
