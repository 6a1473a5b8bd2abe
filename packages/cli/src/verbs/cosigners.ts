/** `tally cosigners`: where a system finds those who cosign its log. */
import { type CosignerAddress, cosignerAddresses, setCosignerAddresses } from '@tallystick/server';
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { asNamedAddress } from '../flags/values.ts';
import { openSystem } from '../local-system.ts';
import type { Printer } from '../output/printer.ts';
import { Session } from '../session.ts';

export function registerCosigners(program: Command, context: Context): void {
  const cosigners = program
    .command('cosigners')
    .summary('show and change where a system finds its cosigners')
    .description(
      'Where a system finds the cosigners of its trust root. Those of a new system run inside it, on ports that change; others are where the trust root says, or this system.',
    );
  registerList(cosigners, context);
  registerSet(cosigners, context);
}

function registerList(parent: Command, context: Context): void {
  const command = parent
    .command('list')
    .summary('show where they are')
    .description('Show where this system finds each cosigner of its trust root. Nobody is asked.');
  command.action(async () => {
    const session = new Session(context, command);
    const { layout } = await openSystem(session.dataFolder);
    const cosigners = await cosignerAddresses(layout);
    session.print.answer({ cosigners }, () => describe(cosigners, session.print));
  });
}

function registerSet(parent: Command, context: Context): void {
  const command = parent
    .command('set')
    .summary('say where a cosigner is')
    .description(
      'Say where this system finds cosigners, from its next start on; for it alone, and before what the trust root says. One that ran inside it has to be moved first: its folder, whole, while the system is stopped.',
    )
    .argument('<name=address...>', 'name of the cosigner, and its http or https address')
    .option('--dry-run', 'check it and change nothing', false);
  command.action(async (given: string[]) => {
    const session = new Session(context, command);
    const { dryRun } = command.opts<{ dryRun: boolean }>();
    const addresses = readAddresses(given);
    const { layout } = await openSystem(session.dataFolder);
    try {
      await setCosignerAddresses(layout, addresses, { dryRun });
    } catch (error) {
      throw usageError(`Nothing was changed: ${messageOf(error)}.`, 'Correct that and run it again.');
    }
    session.print.answer({ addresses, dryRun }, () => [
      ...Object.entries(addresses).map(
        ([name, address]) => `${dryRun ? 'Would find' : 'Finds'} ${name} at ${address}.`,
      ),
      dryRun ? 'A dry run: nothing was changed.' : 'Start the system anew, and look at tally status.',
    ]);
  });
}

function readAddresses(given: readonly string[]): Record<string, string> {
  try {
    return given.reduce<Record<string, string>>((known, text) => asNamedAddress(text, known), {});
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw usageError(
      `The addresses cannot be read: ${error.message}`,
      'See tally cosigners list for the names.',
    );
  }
}

function describe(cosigners: readonly CosignerAddress[], print: Printer): string[] {
  return print.table(cosigners, [
    { title: 'COSIGNER', value: ({ name }) => name },
    { title: 'ADDRESS', value: ({ address }) => address },
    { title: 'SAID BY', value: ({ source }) => (source === 'inside' ? 'runs inside this system' : source) },
  ]);
}
