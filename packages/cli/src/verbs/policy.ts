/** `tally policy`: what a quorum asks for, and what it tolerates, counted in the people who run cosigners. */
import { decodeUtf8, type Policy, parsePolicy } from '@tallystick/core';
import { type Command, Option } from 'commander';
import { newestOf, parseChain } from '../ceremony/chain-file.ts';
import { decodeText } from '../ceremony/proposal.ts';
import { readClientFile } from '../client/connection.ts';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { readInput } from '../files.ts';
import { asPair } from '../flags/values.ts';
import { describePolicy, policyReport } from '../offline/policy-report.ts';
import { Session } from '../session.ts';

interface PolicyFlags {
  trustRoot?: string;
  policy?: string;
  operator: Map<string, string>;
}

export function registerPolicy(program: Command, context: Context): void {
  const policy = program
    .command('policy')
    .summary('show who has to cosign, and what that tolerates')
    .description(
      'What the quorum of a trust root or of a C2SP tlog-policy asks for and tolerates, counted in operators. Whose a cosigner is, is taken from the name of its keys, up to the first slash; --operator says otherwise.',
    );
  register(policy, context, 'show', 'show groups, operators, and what they tolerate');
  register(policy, context, 'check', 'the same, with exit code 1 where there is a warning');
}

function register(parent: Command, context: Context, verb: 'show' | 'check', summary: string): void {
  const command = parent
    .command(verb)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}. Nothing is asked over the network.`)
    .option('--trust-root <file>', 'a trust root (default: that of client.json)')
    .addOption(new Option('--policy <file>', 'a C2SP tlog-policy').conflicts('trustRoot'))
    .addOption(
      new Option('--operator <operator=cosigner>', 'whose a cosigner is; may be repeated')
        .argParser((text: string, known: Map<string, string>) => {
          const [operator, cosigner] = asPair(text);
          return new Map(known).set(cosigner, operator);
        })
        .default(new Map(), 'as the names of keys say'),
    );
  command.action(async () => {
    const session = new Session(context, command);
    const flags = command.opts<PolicyFlags>();
    const report = policyReport(await readPolicy(session, flags), flags.operator);
    const stranger = [...flags.operator.keys()].find(
      (name) => !report.cosigners.some((cosigner) => cosigner.name === name),
    );
    if (stranger !== undefined)
      throw usageError(`The policy has no cosigner ${stranger}.`, 'Name one as tally policy show lists it.');
    session.print.answer(report, () => describePolicy(report, session.print));
    if (verb === 'check' && report.warnings.length > 0) context.setExitCode(exitCodes.refused);
  });
}

async function readPolicy(session: Session, { trustRoot, policy }: PolicyFlags): Promise<Policy> {
  const { context } = session;
  if (policy !== undefined) {
    const bytes = await readInput(policy, context);
    try {
      return parsePolicy(decodeUtf8(bytes));
    } catch (error) {
      throw usageError(`${policy} is no policy: ${messageOf(error)}.`, 'Correct the file.');
    }
  }
  const path = trustRoot ?? readClientFile(session.dataFolder)?.trustRootFile;
  if (path === undefined)
    throw usageError('There is no policy to look at.', 'Name one with --trust-root or --policy.');
  const chain = await parseChain(decodeText(await readInput(path, context), path), path);
  return newestOf(chain).quorum;
}
