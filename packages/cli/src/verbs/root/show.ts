/** `tally root show`: what a proposal changes, in plain words, and who has signed it. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { PublicKey } from '@tallystick/core';
import type { Command } from 'commander';
import { progressOf, rootKeysOf } from '../../ceremony/collect.ts';
import { type Review, reviewOf } from '../../ceremony/review.ts';
import { describeReview } from '../../ceremony/review-text.ts';
import { checkSignature, parseSignature } from '../../ceremony/signature-file.ts';
import type { Context } from '../../context.ts';
import { messageOf } from '../../errors.ts';
import { exitCodes } from '../../exit-codes.ts';
import { printable } from '../../output/table.ts';
import { Session } from '../../session.ts';
import { addTrustFlags, type OpenProposal, openProposal, readTextFile } from './desk.ts';

export function registerShow(root: Command, context: Context): void {
  const command = addTrustFlags(
    root
      .command('show')
      .summary('say what a proposal changes, and who has signed it')
      .description(
        'Say in plain words what a proposal changes against the current trust root. Compare the payload hash with what ' +
          'the others see, by voice.',
      )
      .argument('<proposal>', 'file that tally root propose wrote')
      .argument('[signatures...]', 'files of those who signed (default: those beside the proposal)'),
  );
  command.action(async (path: string, signatures: string[]) => {
    const session = new Session(context, command);
    const open = await openProposal(session, path, command.opts());
    const given = signatures.length > 0 ? signatures : signaturesBeside(path);
    const { review, refused } = await reviewWith(session, open, given);
    session.print.answer({ review, refused }, () => [
      ...describeReview(review, session.print),
      ...refused.map(({ what }) => `${session.print.style('red', 'Does not count:')} ${printable(what)}`),
    ]);
    if (refused.length > 0) context.setExitCode(exitCodes.refused);
  });
}

/** What the files beside a proposal are called, after its own name. */
export function signaturePrefix(proposalPath: string): string {
  return basename(proposalPath).replace(/(?:\.proposal)?\.json$/, '');
}

function signaturesBeside(path: string): string[] {
  const prefix = `${signaturePrefix(path)}.`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && name.endsWith('.signature.json'))
    .sort()
    .map((name) => join(dirname(path), name));
}

/** The review of a proposal with the signatures in files; those that do not count are listed, with the reason. */
async function reviewWith(
  session: Session,
  open: OpenProposal,
  paths: readonly string[],
): Promise<{ review: Review; refused: { path: string; what: string }[] }> {
  const { current, next, proposal, holders } = open;
  const keys = rootKeysOf(current, next);
  const signers: PublicKey[] = [];
  const refused: { path: string; what: string }[] = [];
  for (const path of paths) {
    const text = await readTextFile(session, path);
    try {
      const signature = parseSignature(text, path);
      await checkSignature(proposal, signature, keys, path);
      signers.push(signature.key);
    } catch (error) {
      refused.push({ path, what: messageOf(error) });
    }
  }
  const progress = progressOf(current, next, signers);
  const review = reviewOf(current, next, { proposal, holders, progress, now: session.context.now() });
  return { review, refused };
}
