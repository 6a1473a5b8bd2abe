/** `tally root propose`: writes the next version of the trust root, for people to review. */
import type { Command } from 'commander';
import { newestOf } from '../../ceremony/chain-file.ts';
import { parseChanges } from '../../ceremony/changes.ts';
import { progressOf } from '../../ceremony/collect.ts';
import { writeNewFile } from '../../ceremony/new-file.ts';
import { checkProposal, formatProposal, payloadHash } from '../../ceremony/proposal.ts';
import { nextPayload } from '../../ceremony/propose.ts';
import { reviewOf } from '../../ceremony/review.ts';
import { describeReview } from '../../ceremony/review-text.ts';
import type { Context } from '../../context.ts';
import { Session } from '../../session.ts';
import {
  addTranscriptFlags,
  addTrustFlags,
  placeOf,
  readCurrent,
  readHolders,
  readTextFile,
  record,
  type TranscriptFlags,
  type TrustFlags,
} from './desk.ts';

interface ProposeFlags extends TrustFlags, TranscriptFlags {
  changes: string;
  out?: string;
  rehearsal?: boolean;
}

export function registerPropose(root: Command, context: Context): void {
  const command = addTranscriptFlags(
    addTrustFlags(
      root
        .command('propose')
        .summary('write the next version, for people to review')
        .description(
          'Write a proposal: the current version with the changes of a file made to it, and nothing else. It is refused ' +
            'where it could never follow the current version.',
        )
        .requiredOption('--changes <file>', 'what changes, as YAML')
        .option('--out <file>', 'where to write it (default: trust-root-<version>.proposal.json)')
        .option('--rehearsal', 'for practice: nothing that comes of it counts as a trust root'),
    ),
  );
  command.action(async () => {
    await propose(new Session(context, command), command.opts());
  });
}

async function propose(session: Session, flags: ProposeFlags): Promise<void> {
  const rehearsal = flags.rehearsal === true;
  const current = newestOf(await readCurrent(session, flags.from, rehearsal));
  const changes = parseChanges(await readTextFile(session, flags.changes), flags.changes);
  const proposal = { rehearsal, payload: nextPayload(current, changes, rehearsal) };
  const { now } = session.context;
  const next = checkProposal(current, proposal, now());
  const holders = new Map(await readHolders(session, flags.people));
  const path = flags.out ?? placeOf('.', rehearsal, `trust-root-${next.version}.proposal.json`);
  writeNewFile(path, formatProposal(proposal));
  record(session, flags, {
    what: 'propose',
    rehearsal,
    facts: [
      ['version', next.version],
      ['payload', payloadHash(proposal)],
      ['file', path],
    ],
  });
  const progress = progressOf(current, next, []);
  const review = reviewOf(current, next, { proposal, holders, progress, now: now() });
  session.print.answer({ path, review }, () => [
    ...describeReview(review, session.print),
    '',
    `Wrote ${path}. Next: everybody looks at it with tally root show, on a copy of their own.`,
  ]);
}
