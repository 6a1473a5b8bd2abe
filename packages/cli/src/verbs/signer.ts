/** `tally signer`: what is to be done about the signer of a stopped system. */
import { readFileSync } from 'node:fs';
import { hasReplayer } from '@tallystick/audit';
import {
  type Checkpoint,
  equalBytes,
  parseSignedCheckpoint,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import { LogState, TrustHistory } from '@tallystick/ledger';
import { readStore, readTrustRootFile } from '@tallystick/server';
import { Mark } from '@tallystick/signer';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, messageOf, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { type LocalSystem, openSystem } from '../local-system.ts';
import { StepProgress } from '../output/step-progress.ts';
import { Session } from '../session.ts';

export function registerSigner(program: Command, context: Context): void {
  const signer = program.command('signer').summary('mend the memory of a stopped signer');
  registerForwardMark(signer, context);
}

interface ForwardFlags {
  dryRun?: boolean;
  checkpoint?: string | null;
}

interface MarkMoved {
  before: number;
  /** Number of entries under the checkpoint that the mark was compared with. */
  published: number;
  moved: boolean;
  dryRun: boolean;
}

function registerForwardMark(parent: Command, context: Context): void {
  const command = parent
    .command('forward-mark')
    .summary('move a mark that was put back up to what was published')
    .description(
      'Move the mark of a stopped signer up to the newest published checkpoint of its log, where a quorum of cosigners signed that and it continues what the mark stands at. It never moves a mark back. Find out first who put the mark back: see "The signer\'s mark is old" in the operating pages.',
    )
    .option(
      '--checkpoint <file>',
      'a checkpoint of a mirror in place of the published one, which a replayer that the trust root names has cosigned',
    )
    .option('--dry-run', 'say what would happen and change nothing');
  command.action(async () => {
    const session = new Session(context, command);
    const moved = await forwardMark(session, command.opts<ForwardFlags>());
    session.print.answer(moved, () => describe(moved));
  });
}

async function forwardMark(
  session: Session,
  { dryRun = false, checkpoint = null }: ForwardFlags,
): Promise<MarkMoved> {
  const system = await openSystem(session.dataFolder);
  using mark = openMark(system);
  const { state, published } = await readPublished(session, system, checkpoint);
  const { size, root } = mark.checkpoint;
  if (size > state.size || !equalBytes(state.tree.root(size), root)) {
    throw integrity(`the first ${size} entries of the log are not the ones that the signer signed`);
  }
  const moved = published.size > size;
  if (moved && !dryRun) mark.advance(published, mark.journal);
  return { before: size, published: published.size, moved, dryRun };
}

function openMark({ layout, origin }: LocalSystem): Mark {
  try {
    return Mark.open(layout.signer.mark, origin);
  } catch (error) {
    throw usageError(`The mark cannot be opened: ${messageOf(error)}.`, 'Stop the system first.');
  }
}

/**
 * The log with its newest published checkpoint, checked as clients check it, or with the one in `file`: what the log's key
 * has signed and a replayer has recomputed binds the signer, whether or not the rest of the quorum heard of it.
 */
async function readPublished(
  session: Session,
  { layout, place, genesis, ns }: LocalSystem,
  file: string | null,
): Promise<{ state: LogState; published: Checkpoint }> {
  await using store = await readStore(place);
  const note = file === null ? (await store.checkpoint())?.note : readNote(file);
  if (note === undefined) throw usageError('The log has published nothing yet.', 'There is nothing to mend.');
  using progress = new StepProgress(session.context, session.print);
  const total = await store.size();
  const state = await LogState.load(store, { genesis, ns, pastFrom: total }, (done) =>
    progress.onProgress({ step: 'entries', done, total }),
  );
  try {
    const history = TrustHistory.find(await readTrustRootFile(layout.trustRoot), state);
    const checkpoint = parseSignedCheckpoint(utf8(note));
    const { origin, size, root } = checkpoint;
    const { log, quorum } = history.governing(size);
    await verifyLogSignatures(checkpoint, log.vkeys);
    if (file === null) await verifyQuorum(checkpoint, quorum);
    else if (!(await hasReplayer(checkpoint, quorum)))
      throw new Error('no replayer that the trust root names has cosigned the checkpoint');
    if (size > state.size || !equalBytes(state.tree.root(size), root))
      throw new Error(`the log does not contain what was signed at size ${size}`);
    return { state, published: { origin, size, root } };
  } catch (error) {
    throw integrity(messageOf(error));
  }
}

function readNote(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw usageError(`The checkpoint cannot be read: ${messageOf(error)}.`, 'Name another file.');
  }
}

function integrity(why: string): CliError {
  return new CliError({
    exitCode: exitCodes.integrity,
    code: 'integrity',
    what: `The mark stays where it is: ${why}.`,
    todo: 'Run tally fsck to see where the log does not fit.',
  });
}

function describe({ before, published, moved, dryRun }: MarkMoved): string[] {
  if (!moved)
    return [`The mark stands at ${before}, and ${published} entries were published: it is not behind.`];
  if (dryRun) return [`The mark would move from ${before} to ${published}. A dry run: nothing was changed.`];
  return [
    `The mark moved from ${before} to ${published}.`,
    '',
    'Next: start the system and look at /readyz. A brake that was tightened since and never committed is forgotten: see tally status.',
  ];
}
