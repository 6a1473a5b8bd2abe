/** `tally standby`: a second server for a log in PostgreSQL. */
import { createStandby, planStandby, type SystemDescription } from '@tallystick/server';
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { CliError, messageOf, usageError } from '../errors.ts';
import { asAddress, asNamedAddress } from '../flags/values.ts';
import { openSystem } from '../local-system.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';
import { addPortFlags, type PortFlags, portsOf } from './init.ts';

interface StandbyFlags extends PortFlags {
  address: string;
  here: string;
  logUrl?: string;
  cosigner?: Record<string, string>;
  dryRun: boolean;
}

interface StandbyMade {
  /** Data folder of the new server. */
  data: string;
  address: string;
  /** The server that is there. */
  here: { data: string; address: string };
  cosigners: Record<string, string>;
  /** Files outside of the folder that the new machine needs at the same paths. */
  needed: string[];
  /** Where the log key is. */
  logKey: 'file' | 'token' | 'service';
  dryRun: boolean;
}

export function registerStandby(program: Command, context: Context): void {
  const standby = program
    .command('standby')
    .summary('make a second server for a log in PostgreSQL')
    .description(
      'Several servers on one database: one writes, the others follow it, and one of them takes over when it is gone.',
    );
  const command = addPortFlags(
    standby
      .command('create')
      .summary('make the data folder of a second server')
      .description(
        'Make the data folder of a server that follows the log of this system and takes over when this one is gone. This system shares its log from its next start on. The folder holds the keys of the signer.',
      )
      .argument('<folder>', 'where to make it: it is not there yet, or empty')
      .requiredOption(
        '--address <url>',
        "the new server's listener for administrators, as callers reach it",
        asAddress,
      )
      .requiredOption('--here <url>', 'that of this system, as callers reach it', asAddress)
      .addOption(
        new Option(
          '--log-url <url>',
          'the public listener of whichever server writes: a load balancer, for replayers inside this system',
        ).argParser(asAddress),
      )
      .addOption(
        new Option(
          '--cosigner <name=address>',
          'where the new server finds a cosigner, if not where this one does; may be repeated',
        ).argParser(asNamedAddress),
      ),
  ).option('--dry-run', 'check it and change nothing', false);
  command.action(async (folder: string) => {
    const session = new Session(context, command);
    const made = await create(session, folder, command.opts<StandbyFlags>());
    session.print.answer(made, () => describe(made));
  });
}

async function create(session: Session, folder: string, flags: StandbyFlags): Promise<StandbyMade> {
  const { layout: from } = await openSystem(session.dataFolder);
  const { dryRun, logUrl } = flags;
  const options = {
    from: from.root,
    directory: folder,
    address: { there: flags.address, here: flags.here },
    cosigners: flags.cosigner ?? {},
  };
  try {
    const { unreachable, cosignerUrls, system, final } = await planStandby(options);
    if (unreachable.length > 0) throw noAddress(unreachable);
    if (!dryRun) {
      const further = {
        ports: portsOf(flags),
        now: session.context.now(),
        ...(logUrl !== undefined && { logUrl }),
      };
      await createStandby({ ...options, ...further });
    }
    return {
      data: final.root,
      address: flags.address,
      here: { data: from.root, address: flags.here },
      cosigners: cosignerUrls,
      needed: filesOutside(system),
      logKey: system.tokenPinFile ? 'token' : system.cloudLogKey ? 'service' : 'file',
      dryRun,
    };
  } catch (error) {
    if (error instanceof CliError || !(error instanceof Error) || error.name === 'StoreUnavailable')
      throw error;
    throw usageError(
      `No second server was made: ${messageOf(error)}.`,
      'Nothing was changed; correct it and run this again.',
    );
  }
}

/** A server without the address of a cosigner does not start. */
function noAddress(names: readonly string[]): CliError {
  return usageError(
    `The new server would not find ${names.join(', ')}.`,
    'Cosigners inside this system are on ports that change: move them out (tally cosigners set), or say with --cosigner where the new server finds them.',
  );
}

function filesOutside({ store, tokenPinFile, cloudLogKey }: SystemDescription): string[] {
  const certificate = new URL(store?.store ?? '').searchParams.get('sslrootcert');
  return [store?.storePasswordFile, certificate, tokenPinFile, cloudLogKey?.vaultTokenFile].filter(
    (path) => path !== undefined && path !== null,
  );
}

function describe(made: StandbyMade): string[] {
  const { data, address, here, cosigners, needed, dryRun, logKey } = made;
  const rows = properties([
    ['folder', data],
    ['address', address],
    ['this system', here.address],
    ...Object.entries(cosigners).map(([name, url]): [string, string] => [name, url]),
  ]);
  if (dryRun) return ['Would make a second server. A dry run: nothing was changed.', ...rows];
  const keys = logKey === 'file' ? 'all keys of the signer' : 'the keys of the signer but for the log key';
  const carried = `It holds ${keys} with their passphrase, and the token of administrators.`;
  const outside = needed.map((path) => `     ${path} has to be there, too, under the same path`);
  return [
    'Made a second server.',
    ...rows,
    '',
    'Next:',
    `  1. Start this system anew, before the new one: tally up --data ${here.data}`,
    `  2. Move ${data} to the other machine, and leave no copy here. ${carried}`,
    '     Over SSH: rsync -a --remove-source-files; else only encrypted to that machine',
    ...outside,
    `  3. There: tally up --data <folder>`,
    '  4. Look: tally status on both; one writes this log, and the other follows it',
  ];
}
