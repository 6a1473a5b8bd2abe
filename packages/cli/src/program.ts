/** The program: global options, the verbs, and how a run ends. */
import { StoreUnavailable } from '@tallystick/ledger/store';
import { Command, CommanderError } from 'commander';
import type { Context } from './context.ts';
import { asDatabaseError } from './database-errors.ts';
import { CliError, messageOf, usageError } from './errors.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { Printer } from './output/printer.ts';
import { type Registration, verbSources, verbsNamed } from './verbs/index.ts';

const version = '0.1.0';

const exitCodeHelp = `
Exit codes:
  0    done; for verify: valid
  1    refused, not valid, or some rows of an import were not imported
  2    integrity: altered, not provable, or a log that was rolled back
  3    usage: the command line, a file or the configuration is wrong
  4    unavailable: the server cannot be reached or cannot do it now; try again
  130  interrupted`;

function makeProgram(context: Context, verbs: readonly Registration[]): Command {
  const program = new Command('tally')
    .description('Issue licenses that can be proven, and prove them.')
    .version(version)
    .option('--url <url>', "address of the administrators' listener (default: that of client.json)")
    .option('--public-url <url>', 'address of the public listener (default: that of client.json)')
    .option('--token-file <file>', 'file with a token or an API key (default: that of client.json)')
    .option('--signing-key <file>', 'file with a private key, to sign requests with instead of a token')
    .option(
      '--signed-for <file>',
      'trust root of the system that requests are signed for (default: that of client.json)',
    )
    .option('--ca-file <file>', 'authority that is believed over https (PEM; default: those of the system)')
    .option('--client-cert <file>', 'certificate that is shown over https (PEM)')
    .option('--client-key <file>', 'its key (PEM)')
    .option('--data <folder>', 'data folder with client.json (default: $TALLY_DATA or ./data)')
    .option('--json', 'answer in JSON')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', exitCodeHelp)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      // What is wrong with a command line is said in one place, with the rest of the errors.
      outputError: () => undefined,
      getOutHelpWidth: () => context.stdout.columns ?? 100,
      getErrHelpWidth: () => context.stderr.columns ?? 100,
    });
  for (const register of verbs) register(program, context);
  for (const command of descendants(program)) command.copyInheritedSettings(program);
  return program;
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)]);
}

/** Runs one command line, without the name of the program. Resolves to the exit code; prints what went wrong. */
export async function run(
  args: readonly string[],
  makeContext: (setExitCode: (code: number) => void) => Context,
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const context = makeContext((code) => {
    exitCode = code;
  });
  try {
    await runProgram(args, context);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
    const known = asCliError(error);
    new Printer(context, args.includes('--json')).error(known);
    return known.exitCode satisfies ExitCode;
  }
}

function isHelp(word: string | undefined): boolean {
  return word === '--help' || word === '-h';
}

/** With the verbs that its words name; with all of them for help, and to say which one may have been meant. */
async function runProgram(args: readonly string[], context: Context): Promise<void> {
  const parse = async (sources: typeof verbSources): Promise<void> => {
    const verbs = await Promise.all(sources.map(({ load }) => load()));
    await makeProgram(context, verbs).parseAsync([...args], { from: 'user' });
  };
  const named = verbsNamed(args);
  if (named.length === 0 || isHelp(args[0])) return parse(verbSources);
  try {
    await parse(named);
  } catch (error) {
    if (!(error instanceof CommanderError) || error.code !== 'commander.unknownCommand') throw error;
    await parse(verbSources);
  }
}

function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) return commandLineError(error);
  if (error instanceof StoreUnavailable) {
    return new CliError({
      exitCode: exitCodes.unavailable,
      code: 'store_unavailable',
      what: `The store cannot be used: ${error.message}.`,
      todo: 'Correct that, or wait until the database is back, and run it again.',
    });
  }
  const known = asDatabaseError(error);
  if (known !== null) return known;
  return new CliError({
    exitCode: exitCodes.refused,
    code: 'defect',
    what: `tally failed in a way that nobody foresaw: ${messageOf(error)}.`,
    todo: 'Please report this; nothing that was confirmed is lost.',
  });
}

function commandLineError(error: CommanderError): CliError {
  if (error.code === 'commander.help')
    return usageError('No command was given.', 'Choose one of those above.');
  const message = error.message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .trim();
  const what = `${message.charAt(0).toUpperCase()}${message.slice(1)}`;
  return usageError(/[.)?]$/.test(what) ? what : `${what}.`, 'See --help of the command for what it takes.');
}
