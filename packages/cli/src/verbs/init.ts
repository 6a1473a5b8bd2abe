/** `tally init`: makes a system in a folder. */

import { readFileSync } from 'node:fs';
import type { EdgeConfig } from '@tallystick/server';
import {
  type AccessLogDescription,
  type CloudLogKey,
  createSystem,
  freshLayout,
  type Layout,
  type StorePlace,
  type SystemAlgorithms,
  type SystemDescription,
  type SystemPorts,
  systemAlgorithms,
  type TokenOptions,
} from '@tallystick/server';
import { edgeProblem, noEdge, setEdge } from '@tallystick/server/edge';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { addEdgeFlags, type EdgeFlags, edgeOf } from '../flags/edge.ts';
import { asAlgorithms, asPostgresUrl } from '../flags/values.ts';
import type { Printer } from '../output/printer.ts';
import { Session } from '../session.ts';
import {
  describeQuorum,
  type PlannedQuorum,
  type PolicyFlags,
  planQuorum,
  stepsForCosigners,
} from '../witness/planned-quorum.ts';
import { checkInitValues, type InitValues } from './init-values.ts';

export interface InitFlags extends InitValues, PortFlags, PolicyFlags, EdgeFlags {
  live: boolean;
  algorithms: SystemAlgorithms;
  perpetualAlgorithms: SystemAlgorithms;
  pkcs11Module?: string;
  pkcs11Token?: string;
  pkcs11PinFile?: string;
  logKey?: string;
  vaultTokenFile?: string;
  store?: string;
  storePasswordFile?: string;
}

export function registerInit(program: Command, context: Context): void {
  const command = addInitFlags(
    program
      .command('init')
      .summary('make a system: keys, trust root, log and cosigners')
      .description(
        'Make a system in the data folder: keys, trust root, log and cosigners. "tally up" runs it, and makes one first where there is none.',
      ),
  ).option(
    '--dry-run',
    'look at folder, options and policy, and make nothing: no key, no token, no database',
    false,
  );
  command.action(async () => {
    const session = new Session(context, command);
    const flags = command.opts<InitFlags & { dryRun: boolean }>();
    await (flags.dryRun ? dryRunInit : runInit)(session.dataFolder, flags, context, session.print);
  });
}

const defaultPorts = { public: 7311, admin: 7312, ops: 7313 } as const;

/** Flags that `init` and a first `up` share. */
export function addInitFlags(command: Command): Command {
  return addEdgeFlags(
    addPortFlags(
      command
        .option('--namespace <name>', 'namespace of your licenses: [a-z][a-z0-9-]{0,30}', 'acme')
        .option('--name <text>', 'name of your company, for people', 'Acme')
        .option('--origin <name>', 'name of the log: an address of yours without a scheme', 'localhost/tally')
        .option('--live', 'a system for real customers; without it the namespace says "test"', false)
        .option('--support-email <address>', 'where customers turn to; travels in every license file')
        .option('--support-url <url>', 'where customers turn to; travels in every license file'),
    ),
  )
    .option('--offline-max <duration>', 'longest time that any client may go without fresh proof', 'P90D')
    .option(
      '--algorithms <list>',
      'what root, log and cosigners sign with: "ed25519,ml-dsa-44", or "ed25519" for a system without post-quantum keys',
      asAlgorithms,
      systemAlgorithms,
    )
    .option(
      '--perpetual-algorithms <list>',
      'what licenses without an end are signed with: "ed25519,ml-dsa-44" or "ed25519"',
      asAlgorithms,
      ['ed25519'] as const,
    )
    .option('--pkcs11-module <path>', 'make log, root and authority keys in a token, through this module')
    .option('--pkcs11-token <label>', 'the label of that token')
    .option(
      '--pkcs11-pin-file <path>',
      'file with its user PIN, mode 0600; "tally up" reads it at each start',
    )
    .option('--log-key <file>', 'a log key in AWS KMS or Vault, as tally keys describe wrote it')
    .option(
      '--vault-token-file <path>',
      'file with the token for Vault, mode 0600; a running signer reads it',
    )
    .option(
      '--store <url>',
      'keep the log in PostgreSQL: postgres://user@host/database. It has to commit to standbys, or the URL says durability=single-node',
      asPostgresUrl,
    )
    .option(
      '--store-password-file <path>',
      'file with the password of the database, mode 0600; without it PGPASSWORD and ~/.pgpass count',
    )
    .option(
      '--policy <file>',
      'who cosigns from the first trust root on, as a C2SP tlog-policy, in place of two witnesses and a replayer inside; without replayers in it, one is made inside',
    )
    .option('--allow-unreachable', 'make it although none of those cosigners answers', false);
}

export interface PortFlags {
  publicPort: number;
  adminPort: number;
  opsPort: number;
}

export function addPortFlags(command: Command): Command {
  return command
    .option('--public-port <n>', 'listener for clients', toPort, defaultPorts.public)
    .option('--admin-port <n>', 'listener for administrators', toPort, defaultPorts.admin)
    .option('--ops-port <n>', 'listener for metrics and health', toPort, defaultPorts.ops);
}

export function portsOf({ publicPort, adminPort, opsPort }: PortFlags): SystemPorts {
  return { public: publicPort, admin: adminPort, ops: opsPort };
}

function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw usageError(`${text} is not a port.`, 'Give a number from 0 to 65535.');
  return port;
}

/** What the options say, looked at. */
interface CheckedInit {
  edge: Partial<EdgeConfig>;
  token: TokenOptions | null;
  cloud: CloudLogKey | null;
  store: StorePlace | null;
  planned: PlannedQuorum | null;
}

/** Throws CliError. */
async function checkInit(flags: InitFlags, context: Context): Promise<CheckedInit> {
  checkInitValues(flags, portsOf(flags));
  const edge = edgeOf(flags);
  const problem = edgeProblem({ ...noEdge, ...edge });
  if (problem !== null) throw usageError(`${problem}.`, 'Nothing was made; correct it and run init again.');
  const options = { edge, token: tokenOf(flags), cloud: cloudOf(flags), store: storeOf(flags) };
  return { ...options, planned: await planQuorum(flags, flags, context) };
}

async function dryRunInit(data: string, flags: InitFlags, context: Context, printer: Printer): Promise<void> {
  const { planned, store } = await checkInit(flags, context);
  let layout: Layout;
  try {
    layout = freshLayout(data);
  } catch (error) {
    throw notMade(error);
  }
  const made = {
    data: layout.root,
    ...(store && { store: store.store }),
    ...quorumAnswer(planned),
    dryRun: true,
  };
  printer.answer(made, () => [
    `Would make a system for namespace ${flags.namespace} in ${layout.root}. Nothing was made.`,
    ...(planned === null ? [] : ['', ...describeQuorum(planned, printer)]),
  ]);
}

function quorumAnswer(planned: PlannedQuorum | null): object {
  return planned === null ? {} : { policy: planned.report, cosigners: planned.cosigners };
}

function notMade(error: unknown): Error {
  return usageError(
    `The system was not made: ${messageOf(error)}.`,
    'Nothing was left behind; correct it and run init again.',
  );
}

/** Makes a system and says where. */
export async function runInit(
  data: string,
  flags: InitFlags,
  context: Context,
  printer: Printer,
): Promise<void> {
  const { edge, token, cloud, store, planned } = await checkInit(flags, context);
  const layout = await createSystem({
    directory: data,
    ns: flags.namespace,
    name: flags.name,
    mode: flags.live ? 'live' : 'test',
    support: { name: flags.name, email: flags.supportEmail ?? null, url: flags.supportUrl ?? null },
    origin: flags.origin,
    ports: portsOf(flags),
    offlineMax: flags.offlineMax,
    algorithms: flags.algorithms,
    perpetual: flags.perpetualAlgorithms,
    now: context.now(),
    ...(token && { token }),
    ...(cloud && { cloud }),
    ...(store && { store }),
    ...(planned && { quorum: planned.quorum }),
  }).catch((error: unknown) => {
    throw notMade(error);
  });
  const { trustRoot, keys, secrets } = layout;
  if (Object.keys(edge).length > 0) setEdge(layout, edge);
  // Tokens have no ML-DSA.
  const hasSealedRoot =
    token === null || [...flags.algorithms, ...flags.perpetualAlgorithms].includes('ml-dsa-44');
  const made = {
    data: layout.root,
    trustRoot,
    ...(store && { store: store.store }),
    ...(token && { offlineToken: keys.offlineToken }),
    ...(hasSealedRoot && { offlineKeystore: keys.offline, offlinePassphrase: secrets.offlinePassphrase }),
    ...quorumAnswer(planned),
    ...(planned && { accessLog: accessLogOf(layout) }),
  };
  printer.answer(made, () => [
    `Made a system for namespace ${flags.namespace} in ${layout.root}`,
    '',
    `  ${trustRoot}`,
    '    is what your applications pin.',
    ...rootLines(layout, token, hasSealedRoot),
    '',
    ...(planned === null
      ? []
      : [
          ...describeQuorum(planned, printer),
          '',
          ...stepsForCosigners(planned, trustRoot, accessLogOf(layout).vkey),
        ]),
  ]);
}

/** The log of requests, which its witnesses have to know as well. */
function accessLogOf({ system }: Layout): AccessLogDescription {
  const { access } = JSON.parse(readFileSync(system, 'utf8')) as SystemDescription;
  if (access === undefined) throw new Error(`${system} names no access log`);
  return access;
}

/** Where the root is. */
function rootLines({ keys, secrets }: Layout, token: TokenOptions | null, hasSealedRoot: boolean): string[] {
  return [
    ...(token
      ? [
          `  ${keys.offlineToken}`,
          `    says where token "${token.label}" has the root: whoever has that token and its PIN has it, too.`,
        ]
      : []),
    ...(hasSealedRoot
      ? [
          `  ${keys.offline} and ${secrets.offlinePassphrase}`,
          `    are ${token ? 'what of the root no token holds' : 'the root'}: move them to separate offline media.`,
        ]
      : []),
  ];
}

/** The token that the flags name, all three or none. */
function tokenOf({
  pkcs11Module: module,
  pkcs11Token: label,
  pkcs11PinFile: pinFile,
}: InitFlags): TokenOptions | null {
  if (module === undefined && label === undefined && pinFile === undefined) return null;
  if (module === undefined || label === undefined || pinFile === undefined) {
    throw usageError(
      'A token needs its module, its label and its PIN.',
      'Give --pkcs11-module, --pkcs11-token and --pkcs11-pin-file together.',
    );
  }
  return { module, label, pinFile };
}

/** The database that the flags name for the log. */
function storeOf({ store, storePasswordFile }: InitFlags): StorePlace | null {
  if (store === undefined) {
    if (storePasswordFile === undefined) return null;
    throw usageError('A password needs a database.', 'Give --store with its URL.');
  }
  return { store, ...(storePasswordFile !== undefined && { storePasswordFile }) };
}

/** The log key in a service that the flags name. */
function cloudOf(flags: InitFlags): CloudLogKey | null {
  const { logKey: description, vaultTokenFile, pkcs11Module } = flags;
  if (description === undefined) {
    if (vaultTokenFile === undefined) return null;
    throw usageError(
      'Nothing is read from Vault without a log key there.',
      'Give --log-key with its description, or leave out --vault-token-file.',
    );
  }
  if (pkcs11Module !== undefined)
    throw usageError(
      'One log key cannot be in a token and in a service.',
      'Give --log-key or --pkcs11-module.',
    );
  return { description, ...(vaultTokenFile !== undefined && { vaultTokenFile }) };
}
