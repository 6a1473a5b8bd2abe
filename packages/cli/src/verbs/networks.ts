/** `tally networks`: what a system is told of networks, proxies and trust domains. */
import type { EdgeConfig } from '@tallystick/server';
import { noEdge, readEdge, setEdge } from '@tallystick/server/edge';
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { addEdgeFlags, type EdgeFlags, edgeOf } from '../flags/edge.ts';
import { openSystem } from '../local-system.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';

export function registerNetworks(program: Command, context: Context): void {
  const networks = program
    .command('networks')
    .summary('show and change the networks, proxies and trust domains that a system knows')
    .description(
      'What the system of the data folder is told of networks, proxies and trust domains. A server that runs by itself has this in its server.json.',
    );
  registerShow(networks, context);
  registerSet(networks, context);
}

function registerShow(parent: Command, context: Context): void {
  const command = parent
    .command('show')
    .summary('show what holds from the next start on')
    .description(
      'Show what holds from the next start on; tally status says what holds now. Nobody is asked.',
    );
  command.action(async () => {
    const session = new Session(context, command);
    const { layout } = await openSystem(session.dataFolder);
    const edge = readEdge(layout);
    session.print.answer(edge, () => describeEdge(edge));
  });
}

const kinds = ['networks', 'trusted-proxies', 'trust-domains'] as const;
const members = {
  networks: 'networks',
  'trusted-proxies': 'trustedProxies',
  'trust-domains': 'trustDomains',
} as const satisfies Record<(typeof kinds)[number], keyof EdgeConfig>;

function registerSet(parent: Command, context: Context): void {
  const command = addEdgeFlags(
    parent
      .command('set')
      .summary('replace networks, proxies or trust domains')
      .description(
        'Replace what is given, all of its kind, from the next start on; the other kinds stay as they are.',
      ),
  )
    .addOption(new Option('--none <kinds...>', 'have none of these any more').choices(kinds))
    .option('--dry-run', 'check it and change nothing', false);
  command.action(async () => {
    const session = new Session(context, command);
    const {
      none = [],
      dryRun,
      ...flags
    } = command.opts<EdgeFlags & { none?: (typeof kinds)[number][]; dryRun: boolean }>();
    const emptied = Object.fromEntries(none.map((kind) => [members[kind], noEdge[members[kind]]]));
    const changes = { ...emptied, ...edgeOf(flags) };
    if (Object.keys(changes).length === 0)
      throw usageError(
        'It is not said what to change.',
        'Give --network, --trusted-proxy, --trust-domain or --none.',
      );
    const { layout } = await openSystem(session.dataFolder);
    let edge: EdgeConfig;
    try {
      edge = setEdge(layout, changes, { dryRun });
    } catch (error) {
      throw usageError(`Nothing was changed: ${messageOf(error)}.`, 'Correct that and run it again.');
    }
    session.print.answer({ ...edge, dryRun }, () => [
      ...describeEdge(edge),
      dryRun ? 'A dry run: nothing was changed.' : 'Start the system anew, and look at tally status.',
    ]);
  });
}

function describeEdge({ networks, trustedProxies, trustDomains }: EdgeConfig): string[] {
  const named = Object.entries(networks).map(([name, ranges]): [string, string] => [
    `network ${name}`,
    ranges.join(', '),
  ]);
  const proxies = trustedProxies.map(({ addresses, spiffeId, secretFile }): [string, string] => [
    'trusted proxy',
    [addresses.join(', '), spiffeId, secretFile && `secret in ${secretFile}`]
      .filter((part) => part !== undefined)
      .join('; '),
  ]);
  const domains = trustDomains.map((domain): [string, string] => ['trust domain', domain]);
  const rows = [...named, ...proxies, ...domains];
  return rows.length === 0 ? ['No networks, trusted proxies or trust domains.'] : properties(rows);
}
