/** `tally init`: makes a system in a folder. */
import { createSystem } from '@tallystick/server';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import type { Printer } from '../output/printer.ts';
import { Session } from '../session.ts';

export interface InitFlags {
  namespace: string;
  name: string;
  origin: string;
  live: boolean;
  supportEmail?: string;
  supportUrl?: string;
  publicPort: number;
  adminPort: number;
  opsPort: number;
  offlineMax: string;
}

export function registerInit(program: Command, context: Context): void {
  const command = addInitFlags(
    program
      .command('init')
      .summary('make a system: keys, trust root, log and cosigners')
      .description(
        'Make a system in the data folder: keys, trust root, log and cosigners. "tally up" runs it, and makes one first where there is none.',
      ),
  );
  command.action(async () => {
    const session = new Session(context, command);
    await runInit(session.dataFolder, command.opts(), context, session.print);
  });
}

const defaultPorts = { public: 7311, admin: 7312, ops: 7313 } as const;

/** Flags that `init` and a first `up` share. */
export function addInitFlags(command: Command): Command {
  return command
    .option('--namespace <name>', 'namespace of your licenses: [a-z][a-z0-9-]{0,30}', 'acme')
    .option('--name <text>', 'name of your company, for people', 'Acme')
    .option('--origin <name>', 'name of the log: an address of yours without a scheme', 'localhost/tally')
    .option('--live', 'a system for real customers; without it the namespace says "test"', false)
    .option('--support-email <address>', 'where customers turn to; travels in every license file')
    .option('--support-url <url>', 'where customers turn to; travels in every license file')
    .option('--public-port <n>', 'listener for clients', toPort, defaultPorts.public)
    .option('--admin-port <n>', 'listener for administrators', toPort, defaultPorts.admin)
    .option('--ops-port <n>', 'listener for metrics and health', toPort, defaultPorts.ops)
    .option('--offline-max <duration>', 'longest time that any client may go without fresh proof', 'P90D');
}

function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw usageError(`${text} is not a port.`, 'Give a number from 0 to 65535.');
  return port;
}

/** Makes a system and says where. */
export async function runInit(
  data: string,
  flags: InitFlags,
  context: Context,
  printer: Printer,
): Promise<void> {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(flags.namespace)) {
    throw usageError(
      `"${flags.namespace}" is not a namespace.`,
      'Use lower-case letters, digits and hyphens, at most 31.',
    );
  }
  if (!/^[^\s+]{1,200}$/.test(flags.origin)) {
    throw usageError(
      `"${flags.origin}" is not an origin.`,
      'Use a name like licenses.example.com/log, without spaces or plus.',
    );
  }
  const layout = await createSystem({
    directory: data,
    ns: flags.namespace,
    name: flags.name,
    mode: flags.live ? 'live' : 'test',
    support: { name: flags.name, email: flags.supportEmail ?? null, url: flags.supportUrl ?? null },
    origin: flags.origin,
    ports: { public: flags.publicPort, admin: flags.adminPort, ops: flags.opsPort },
    offlineMax: flags.offlineMax,
    now: context.now(),
  }).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw usageError(
      `The system was not made: ${message}.`,
      'Nothing was left behind; correct it and run init again.',
    );
  });
  const made = {
    data: layout.root,
    trustRoot: layout.trustRoot,
    offlineKeystore: layout.keys.offline,
    offlinePassphrase: layout.secrets.offlinePassphrase,
  };
  printer.answer(made, () => [
    `Made a system for namespace ${flags.namespace} in ${layout.root}`,
    '',
    `  ${layout.trustRoot}`,
    '    is what your applications pin.',
    `  ${layout.keys.offline} and ${layout.secrets.offlinePassphrase}`,
    '    are the root: move them to separate offline media.',
    '',
  ]);
}
