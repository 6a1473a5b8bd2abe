/** `tally access policy`: what callers may do: to look at, to try, and to put in force. */
import type { PolicyInForce, PolicyShadowBody, ShadowReport } from '@tallystick/contract';
import { decodeUtf8 } from '@tallystick/core';
import { defaultPolicyDocument, PolicyError, type PrincipalKind } from '@tallystick/gate';
import {
  comparePolicies,
  completedPolicy,
  failuresOf,
  PolicyEngine,
  readTable,
  type TableCase,
  unknownActions,
} from '@tallystick/gate/policy';
import type { PolicyContent } from '@tallystick/license';
import { type Command, Option } from 'commander';
import { describeComparison, describeFailures, describeShadow } from '../../access/describe-policy.ts';
import { type Candidate, formatPolicy, readCandidate, readOtherPolicy } from '../../access/policy-file.ts';
import type { Context } from '../../context.ts';
import { CliError, usageError } from '../../errors.ts';
import { exitCodes } from '../../exit-codes.ts';
import { readInput, writeFileAtomic } from '../../files.ts';
import { asInstant } from '../../flags/values.ts';
import { describeResult } from '../../output/results.ts';
import { StepProgress } from '../../output/step-progress.ts';
import { Session } from '../../session.ts';

export function registerAccessPolicy(access: Command, context: Context): void {
  const policy = access
    .command('policy')
    .summary('look at, try and publish what callers may do')
    .description(
      'What callers may do, as Cedar policies in a YAML file: show writes it, test, diff and shadow try another one, and publish puts it in force.',
    );
  registerShow(policy, context);
  registerTest(policy, context);
  registerDiff(policy, context);
  registerShadow(policy, context);
  registerPublish(policy, context);
}

function registerShow(parent: Command, context: Context): void {
  const command = parent
    .command('show')
    .summary('print the policy that is in force')
    .description('Print the policy that is in force, as a file to begin a change with.')
    .option('--default', 'the one that comes with this version, without asking a server')
    .option('--complete', 'add the actions of this version that its schema does not know')
    .option('--out <file>', 'write it to a file');
  command.action(async () => {
    const session = new Session(context, command);
    const flags = command.opts<{ default?: boolean; complete?: boolean; out?: string }>();
    const found = flags.default === true ? defaultPolicyDocument() : contentOf(await inForce(session));
    const content = flags.complete === true ? completedPolicy(found) : found;
    const engine = new PolicyEngine(content);
    const { policy, schema } = engine;
    const unknown = unknownActions(engine).map(({ action }) => action);
    if (flags.out !== undefined) await writeFileAtomic(flags.out, formatPolicy(content));
    if (unknown.length > 0) for (const line of describeUnknown(unknown)) session.print.say(line);
    session.print.answer({ ...content, hashes: { policy, schema }, unknownActions: unknown }, () =>
      flags.out === undefined ? formatPolicy(content).trimEnd().split('\n') : [`Wrote ${flags.out}.`],
    );
  });
}

/** Beside the policy, so that what is written stays one. */
function describeUnknown(actions: readonly string[]): string[] {
  return [
    `This version has actions that the policy does not know, which nobody may do: ${actions.join(', ')}.`,
    'Add them, and look who may do them then: tally access policy show --complete --out policy.yaml',
    '  tally access policy diff policy.yaml, and then shadow and publish it.',
  ];
}

async function inForce(session: Session): Promise<PolicyInForce> {
  return (await session.admin().call('policy.get')).value;
}

function contentOf({ schema, policies, approvals, durable, sessions }: PolicyInForce): PolicyContent {
  return { schema, policies, approvals, durable, sessions };
}

function registerTest(parent: Command, context: Context): void {
  const command = parent
    .command('test')
    .argument('<file>')
    .summary('check a policy, and what it decides against tables')
    .description(
      'Check that a policy is valid and can be put in force, and hold what it decides against decision tables. Asks no server. The exit code is 1 where a case is decided otherwise.',
    )
    .option('--table <file...>', 'decision tables as comma-separated values')
    .addOption(
      new Option('--kind <kind>', 'of the callers in tables that have a column for each role')
        .choices(['person', 'service', 'partner'])
        .default('person'),
    );
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const { table = [], kind } = command.opts<{ table?: string[]; kind: PrincipalKind }>();
    const { engine } = await readCandidate(file, context);
    const cases = (await Promise.all(table.map((path) => readTableFile(path, kind, context)))).flat();
    const failures = failuresOf(engine, cases);
    const { policy, schema } = engine;
    session.print.answer({ policy, schema, cases: cases.length, failures }, () => [
      `${file} is valid: policy ${policy}`,
      ...(cases.length === 0 ? [] : describeFailures(failures, cases.length, session.print)),
    ]);
    if (failures.length > 0) context.setExitCode(exitCodes.refused);
  });
}

async function readTableFile(path: string, kind: PrincipalKind, context: Context): Promise<TableCase[]> {
  const text = decodeUtf8(await readInput(path, context));
  try {
    return readTable(text, kind);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw usageError(`${path}: ${error.message}.`, 'Correct the table.');
  }
}

function registerDiff(parent: Command, context: Context): void {
  const command = parent
    .command('diff')
    .argument('[file]')
    .summary('say what a policy changes')
    .description(
      'Say what a policy changes against the one that is in force: which policies and lines, and what each role may do more or less.',
    )
    .option('--default', 'in place of a file: the one that comes with this version')
    .option('--against <file>', 'another policy to compare it with, without asking a server');
  command.action(async (file: string | undefined) => {
    const session = new Session(context, command);
    const { against, default: isDefault = false } = command.opts<{ against?: string; default?: boolean }>();
    if ((file !== undefined) === isDefault)
      throw usageError('It is not said what to compare.', 'Give a file, or --default.');
    const after =
      file === undefined ? candidateOf(defaultPolicyDocument()) : await readCandidate(file, context);
    const before = against === undefined ? await current(session) : await readOtherPolicy(against, context);
    const comparison = comparePolicies(before, after);
    const hashes = ({ engine: { policy, schema } }: Candidate) => ({ policy, schema });
    session.print.answer({ before: hashes(before), after: hashes(after), ...comparison }, () =>
      describeComparison(comparison, session.print),
    );
  });
}

async function current(session: Session): Promise<Candidate> {
  return candidateOf(contentOf(await inForce(session)));
}

function candidateOf(content: PolicyContent): Candidate {
  return { content, engine: new PolicyEngine(content) };
}

function registerShadow(parent: Command, context: Context): void {
  const command = parent
    .command('shadow')
    .argument('<file>')
    .summary('say which verdicts a policy would have flipped')
    .description(
      'Have the server decide again what was decided in a span of time, changes and everything else that was asked, under another policy, and say which verdicts flip: what would have been denied, and what would have been allowed. Publishing asks for that, of the last seven days at least. The exit code is 1 where a verdict flips, or where not all could be decided again.',
    )
    .option('--from <instant>', 'the first decision to look at (default: the first)', asInstant)
    .option('--to <instant>', 'where to end (default: now, which publishing asks for)', asInstant);
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const span = command.opts<Pick<PolicyShadowBody, 'from' | 'to'>>();
    const { content } = await readCandidate(file, context);
    const { schema, policies } = content;
    const report = await shadow(session, { schema, policies, ...span });
    session.print.answer(report, () => describeShadow(report, session.print));
    if (report.denied + report.allowed + report.unknown > 0) context.setExitCode(exitCodes.refused);
  });
}

/** The server answers how far it is until it is done. */
async function shadow(session: Session, body: PolicyShadowBody): Promise<ShadowReport> {
  using progress = new StepProgress(session.context, session.print);
  const admin = session.admin();
  for (;;) {
    const { value } = await admin.call('policy.shadow', { body });
    if (value.report !== null) return value.report;
    if (value.progress !== null) progress.onProgress(value.progress);
  }
}

interface PublishFlags {
  reason?: string;
  dryRun?: boolean;
  despiteShadow?: boolean;
  idempotencyKey?: string;
}

function registerPublish(parent: Command, context: Context): void {
  const command = parent
    .command('publish')
    .argument('<file>')
    .summary('put a policy in force')
    .description(
      'Put a policy in force, for every request from the moment that it is in the log. The server refuses one on which tally access policy shadow was not run within a day, or that flips verdicts, unless that is asked for: then the log says so.',
    )
    .option('--reason <text>', 'why, for the log')
    .option('--dry-run', 'say whether it would be taken and change nothing')
    .option(
      '--despite-shadow',
      'also where verdicts flip, or nobody looked; needs --reason, and is logged with it',
    )
    .option('--idempotency-key <key>', 'makes it safe to repeat the command (default: a random UUID)');
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const flags = command.opts<PublishFlags>();
    const candidate = await readCandidate(file, context);
    const idempotencyKey = flags.idempotencyKey ?? context.newKey();
    const { value } = await session
      .admin()
      .call('policy.publish', {
        query: flags.dryRun === true ? { dryRun: true } : { wait: 'published' },
        body: { ...candidate.content, ...(flags.despiteShadow === true && { despiteShadow: true }) },
        idempotencyKey,
        ...(flags.reason === undefined ? {} : { reason: flags.reason }),
      })
      .catch((error: unknown) => {
        throw error instanceof CliError ? error.withIdempotencyKey(idempotencyKey) : error;
      });
    session.print.answer(value, () => describeResult(value, session.print));
  });
}
