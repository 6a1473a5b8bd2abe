/** `tally root join`: puts the signatures of several people together into the next trust root. */

import { verifyTrustChain } from '@tallystick/core';
import type { Command } from 'commander';
import { formatChain } from '../../ceremony/chain-file.ts';
import { collect, type SignatureFile } from '../../ceremony/collect.ts';
import { writeNewFile } from '../../ceremony/new-file.ts';
import { payloadHash } from '../../ceremony/proposal.ts';
import { type Review, reviewOf } from '../../ceremony/review.ts';
import { progressLines, rehearsalLines } from '../../ceremony/review-text.ts';
import { parseSignature } from '../../ceremony/signature-file.ts';
import { sha256Text } from '../../ceremony/transcript.ts';
import type { Context } from '../../context.ts';
import { exitCodes } from '../../exit-codes.ts';
import { Session } from '../../session.ts';
import {
  addTranscriptFlags,
  addTrustFlags,
  openProposal,
  placeOf,
  readTextFile,
  record,
  type TranscriptFlags,
  type TrustFlags,
} from './desk.ts';

interface JoinFlags extends TrustFlags, TranscriptFlags {
  out?: string;
}

export function registerJoin(root: Command, context: Context): void {
  const command = addTranscriptFlags(
    addTrustFlags(
      root
        .command('join')
        .summary('put signatures together into the next trust root')
        .description(
          'Check the signatures of several people on a proposal. Once the thresholds of the current version and of the ' +
            'next are met, write the trust root with all its versions: the file that clients pin.',
        )
        .argument('<proposal>', 'file that tally root propose wrote')
        .argument('<signatures...>', 'files that tally root sign wrote')
        .option('--out <file>', 'where to write it (default: trust-root-<version>.json beside the proposal)'),
    ),
  );
  command.action(async (path: string, signatures: string[]) => {
    await join(new Session(context, command), path, signatures, command.opts());
  });
}

async function join(
  session: Session,
  path: string,
  paths: readonly string[],
  flags: JoinFlags,
): Promise<void> {
  const open = await openProposal(session, path, flags);
  const { current, next, proposal, chain, holders } = open;
  const files: SignatureFile[] = [];
  for (const each of paths)
    files.push({ path: each, signature: parseSignature(await readTextFile(session, each), each) });
  const { envelope, progress } = await collect(current, next, proposal, files);
  const review = reviewOf(current, next, { proposal, holders, progress, now: session.context.now() });
  if (progress.some(({ met }) => !met)) {
    unfinished(session, review);
    return;
  }
  const envelopes = [...chain.envelopes, envelope];
  // The file that clients will read is judged by their own rules before it is written.
  if (!proposal.rehearsal) await verifyTrustChain(envelopes);
  const content = formatChain(proposal.rehearsal, envelopes);
  const out = flags.out ?? placeOf(path, proposal.rehearsal, `trust-root-${next.version}.json`);
  writeNewFile(out, content);
  record(session, flags, {
    what: 'join',
    rehearsal: proposal.rehearsal,
    facts: [
      ['version', next.version],
      ['payload', payloadHash(proposal)],
      ['file', out],
      ['sha256', sha256Text(content)],
    ],
  });
  finished(session, review, out);
}

function unfinished(session: Session, review: Review): void {
  session.print.answer({ ...resultOf(review), complete: false, path: null }, () => [
    ...rehearsalLines(review.rehearsal, session.print),
    'Not enough signatures yet; nothing was written.',
    ...progressLines(review.signatures),
  ]);
  session.context.setExitCode(exitCodes.refused);
}

function finished(session: Session, review: Review, path: string): void {
  session.print.answer({ ...resultOf(review), complete: true, path }, () => [
    ...rehearsalLines(review.rehearsal, session.print),
    `Wrote ${path}: version ${review.version} of the trust root, with all versions before it.`,
    ...progressLines(review.signatures),
    'Next: check it with tally root verify, and keep a copy with every key.',
  ]);
}

function resultOf({ rehearsal, version, payloadHash: hash, signatures }: Review): object {
  return { rehearsal, version, payloadHash: hash, signatures };
}
