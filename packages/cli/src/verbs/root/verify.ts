/** `tally root verify`: checks the whole chain of a trust root, and prints it. */
import { hex, keyFingerprintText, parseInstant, signersOf, type TrustRoot } from '@tallystick/core';
import type { Command } from 'commander';
import { type Chain, checkContinues, newestOf } from '../../ceremony/chain-file.ts';
import type { Holders } from '../../ceremony/key-line.ts';
import { altered } from '../../ceremony/refusal.ts';
import { type ReviewedKey, reviewedKey } from '../../ceremony/review.ts';
import { rehearsalLines } from '../../ceremony/review-text.ts';
import type { Context } from '../../context.ts';
import { exitCodes } from '../../exit-codes.ts';
import { type PolicyReport, policyReport, toleranceLines } from '../../offline/policy-report.ts';
import type { Printer } from '../../output/printer.ts';
import { printable, properties } from '../../output/table.ts';
import { Session } from '../../session.ts';
import { addTranscriptFlags, readChain, readHolders, record, type TranscriptFlags } from './desk.ts';

interface VerifyFlags extends TranscriptFlags {
  known?: string;
  people?: string;
  rehearsal?: boolean;
}

interface VersionReport {
  version: number;
  hash: string;
  expires: string;
  threshold: number;
  keys: ReviewedKey[];
  /** Keys of this version and of the one before that signed it. */
  signers: ReviewedKey[];
}

export function registerVerifyRoot(root: Command, context: Context): void {
  const command = addTranscriptFlags(
    root
      .command('verify')
      .summary('check the whole chain of a trust root')
      .description(
        'Check that every version of a trust root follows from the one before, and print them. The exit code is 1 when ' +
          'the newest has expired, or is older than a known one, and 2 when the chain does not hold.',
      )
      .argument('<file>', 'trust root, as clients pin it')
      .option('--known <file>', 'a trust root that you have: the file has to continue it')
      .option('--people <file>', 'your own list of public-key lines, to see names beside keys')
      .option('--rehearsal', 'accept what a rehearsal wrote'),
  );
  command.action(async (path: string) => {
    await verify(new Session(context, command), path, command.opts());
  });
}

async function verify(session: Session, path: string, flags: VerifyFlags): Promise<void> {
  const chain = await readChain(session, path);
  if (chain.rehearsal && flags.rehearsal !== true) {
    throw altered(
      `${path} comes from a rehearsal, and is no trust root.`,
      'Look at it with --rehearsal; never give it to a client.',
    );
  }
  if (flags.known !== undefined) checkContinues(await readChain(session, flags.known), chain);
  const newest = newestOf(chain);
  const versions = await reportsOf(chain, await readHolders(session, flags.people));
  const expired = parseInstant(newest.expires) <= session.context.now();
  const facts = [
    ['version', newest.version],
    ['payload', hex(newest.hash)],
    ['file', path],
  ] as const;
  record(session, flags, { what: 'verify', rehearsal: chain.rehearsal, facts });
  const answer = { valid: !expired, expired, rehearsal: chain.rehearsal, origin: newest.log.origin };
  const { tolerance, warnings } = policyReport(newest.quorum);
  const quorum = { tolerance, warnings };
  session.print.answer({ ...answer, genesis: hex(newest.genesis), versions, quorum }, () => [
    ...rehearsalLines(chain.rehearsal, session.print),
    headline(newest, expired, session.print),
    ...properties([
      ['log', newest.log.origin],
      ['genesis', hex(newest.genesis)],
    ]),
    ...versions.flatMap(describeVersion),
    '',
    ...quorumLines(quorum, session.print),
  ]);
  if (expired) session.context.setExitCode(exitCodes.refused);
}

async function reportsOf({ versions }: Chain, holders: Holders): Promise<VersionReport[]> {
  const reports: VersionReport[] = [];
  for (const [at, { version, hash, expires, root, envelope }] of versions.entries()) {
    const before = versions[at - 1]?.root.keys ?? [];
    const known = new Map([...before, ...root.keys].map((key) => [keyFingerprintText(key), key]));
    const signers = await signersOf(envelope, [...known.values()]);
    reports.push({
      version,
      hash: hex(hash),
      expires,
      threshold: root.threshold,
      keys: root.keys.map((key) => reviewedKey(key, holders)),
      signers: signers.map((key) => reviewedKey(key, holders)),
    });
  }
  return reports;
}

/** Whom all of it trusts to tell of a second history. */
function quorumLines(quorum: Pick<PolicyReport, 'tolerance' | 'warnings'>, print: Printer): string[] {
  return [
    ...toleranceLines(quorum),
    ...quorum.warnings.map(({ message }) => `${print.style('yellow', 'Warning:')} ${printable(message)}`),
  ];
}

function headline({ version, expires }: TrustRoot, expired: boolean, print: Printer): string {
  if (expired) return `${print.style('red', 'EXPIRED')}  Version ${version} holds, and ended at ${expires}.`;
  return `${print.style('green', 'VALID')}  Every version follows from the one before, up to version ${version}.`;
}

function describeVersion({ version, hash, expires, threshold, keys, signers }: VersionReport): string[] {
  const name = ({ id, holder }: ReviewedKey): string =>
    holder === null ? id : `${id} (${printable(holder)})`;
  return [
    '',
    `Version ${version}  ${hash}`,
    ...properties([
      ['  expires', expires],
      ['  root', `${threshold} of ${keys.length}: ${keys.map(name).join(', ')}`],
      ['  signed by', signers.map(name).join(', ')],
    ]),
  ];
}
