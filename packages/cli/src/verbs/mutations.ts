/** The verbs that change something: all alike, from the table of flags. */
import type { CommandType, LicenseResult, MutationResult } from '@tallystick/contract';
import type { Command } from 'commander';
import type { Request } from '../client/client.ts';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../errors.ts';
import { checkWritable, readJsonFile, writeFileAtomic } from '../files.ts';
import { bodyFlags } from '../flags/bodies.ts';
import { addFlags, anyGiven, bodyOfFlags, type FlagValues } from '../flags/flag.ts';
import { asNatural } from '../flags/values.ts';
import { describeResult } from '../output/results.ts';
import { Session } from '../session.ts';

export interface MutationVerb {
  command: CommandType;
  name: string;
  summary: string;
  /** What the one argument is called; null for commands that create. */
  argument: string | null;
}

export interface CommonFlags {
  fromFile?: string;
  dryRun?: boolean;
  reason?: string;
  idempotencyKey?: string;
  /** Seconds, or true for the default of the server. */
  wait?: number | true;
  expectedRev?: number;
  out?: string;
}

const WAIT_SECONDS_MAX = 30;

export function registerMutation(parent: Command, context: Context, verb: MutationVerb): void {
  const command = parent.command(verb.name).summary(verb.summary).description(`${verb.summary}.`);
  if (verb.argument !== null) command.argument(`<${verb.argument}>`);
  addFlags(command, bodyFlags[verb.command]);
  command.option(
    '--from-file <file>',
    'the body of the request as JSON, instead of flags; - for standard input',
  );
  addCommonFlags(command);
  if (verb.argument !== null) {
    command.option('--expected-rev <number>', 'refuse when the subject has another revision', asNatural);
  }
  if (verb.command.startsWith('license.')) {
    command.option('--out <file>', 'wait for publication and write the license file');
  }
  command.action(async (...parameters: unknown[]) => {
    const id = verb.argument === null ? null : (parameters[0] as string);
    await mutate(new Session(context, command), verb, id, command.opts());
  });
}

export function addCommonFlags(command: Command): void {
  command
    .option('--dry-run', 'say what would happen and change nothing')
    .option('--reason <text>', 'why, for the log')
    .option('--idempotency-key <key>', 'makes it safe to repeat the command (default: a random UUID)')
    .option('--wait [seconds]', 'wait until the change is published', readWait);
}

function readWait(text: string): number {
  const seconds = asNatural(text);
  if (seconds <= WAIT_SECONDS_MAX) return seconds;
  throw usageError(`--wait is at most ${WAIT_SECONDS_MAX} seconds.`, 'Give less.');
}

async function mutate(
  session: Session,
  verb: MutationVerb,
  id: string | null,
  values: FlagValues,
): Promise<void> {
  const { out, ...given } = values as CommonFlags;
  const idempotencyKey = given.idempotencyKey ?? session.context.newKey();
  const body = await readBody(session, verb, values);
  if (out !== undefined) await checkWritable(out);
  const flags = { ...given, idempotencyKey, ...(out === undefined ? {} : { out }) };
  const result = await sendCommand(session, verb.command, { id, body, flags });
  if (out !== undefined) {
    await saveBundle(session, out, result).catch((error: unknown) => {
      throw error instanceof CliError ? afterTheChange(error, result, idempotencyKey) : error;
    });
  }
  session.print.answer(result, () => describeResult(result, session.print));
}

/** The answer is lost with the file that could not be written, a license key with it: the same request has it again. */
function afterTheChange(
  error: CliError,
  { document }: MutationResult | LicenseResult,
  idempotencyKey: string,
): CliError {
  return error
    .ending(`The change itself is made, to ${document.id}: repeat it with the same key to see the answer.`)
    .withIdempotencyKey(idempotencyKey);
}

/** Asks for a command; an error that leaves open whether it was carried out says how to repeat it. */
export async function sendCommand(
  session: Session,
  command: CommandType,
  { id, body, flags }: { id: string | null; body: unknown; flags: CommonFlags },
): Promise<MutationResult | LicenseResult> {
  const client = session.admin();
  const idempotencyKey = flags.idempotencyKey ?? session.context.newKey();
  const request: Request<CommandType> = {
    query: queryOf(flags),
    body: body as Request<CommandType>['body'],
    idempotencyKey,
    ...(id === null ? {} : { params: { id } }),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
  };
  return client.call(command, request).then(
    ({ value }) => value,
    (error: unknown) => {
      const mayHaveHappened = error instanceof CliError && error.options.code !== 'usage';
      throw mayHaveHappened ? error.withIdempotencyKey(idempotencyKey) : error;
    },
  );
}

/** Either the flags or a file; both would leave open which one wins. */
async function readBody(session: Session, verb: MutationVerb, values: FlagValues): Promise<unknown> {
  const flags = bodyFlags[verb.command];
  const { fromFile, expectedRev } = values as CommonFlags;
  if (fromFile === undefined) {
    return { ...bodyOfFlags(flags, values), ...(expectedRev === undefined ? {} : { expectedRev }) };
  }
  if (anyGiven(flags, values) || expectedRev !== undefined) {
    throw usageError(
      '--from-file stands for the whole body.',
      'Leave out the other flags, or put them into the file.',
    );
  }
  return readJsonFile(fromFile, session.context);
}

function queryOf(flags: CommonFlags): { dryRun?: boolean; wait?: 'published'; waitMs?: number } {
  const waits = flags.wait !== undefined || flags.out !== undefined;
  return {
    ...(flags.dryRun === true ? { dryRun: true } : {}),
    ...(waits ? { wait: 'published' } : {}),
    ...(typeof flags.wait === 'number' ? { waitMs: flags.wait * 1000 } : {}),
  };
}

async function saveBundle(
  session: Session,
  path: string,
  result: MutationResult | LicenseResult,
): Promise<void> {
  if ('bundle' in result && result.bundle !== undefined) {
    await writeFileAtomic(path, JSON.stringify(result.bundle));
    session.print.say(`Wrote the license file ${path}.`);
  } else if (!result.dryRun) {
    session.print.say(
      `No license file yet: get it later with tally bundle ${result.document.id} --out ${path}`,
    );
  }
}
