/** `tally session` and `tally whoami`: who is logged in, and as whom this is. */
import type { CurrentCaller, SessionView } from '@tallystick/contract';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { type Column, properties } from '../output/table.ts';
import { Session } from '../session.ts';

const columns: readonly Column<SessionView>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'PRINCIPAL', value: ({ principal }) => principal },
  { title: 'STRENGTH', value: ({ strength }) => strength, align: 'right' },
  { title: 'SINCE', value: ({ startedAt }) => startedAt },
  { title: 'SEEN', value: ({ seenAt }) => seenAt },
  { title: 'FROM', value: ({ address }) => address },
  { title: 'WITH', value: ({ agent, current }) => (current ? `${agent} (this one)` : agent) },
];

export function registerSessions(program: Command, context: Context): void {
  const family = program.command('session').summary('who is logged in').description('Who is logged in.');
  const list = family
    .command('list')
    .summary('list sessions')
    .description('List your sessions at this server, newest first.')
    .option('--all', "everybody's");
  list.action(async () => {
    const session = new Session(context, list);
    const all = list.opts<{ all?: boolean }>().all === true;
    const { value } = await session.admin().call('session.list', { query: { all } });
    session.print.answer(value, () => session.print.table(value.items, columns));
  });
  const end = family
    .command('end')
    .summary('end a session at once')
    .description('End a session of yours, or as an administrator that of anybody, at once.')
    .argument('<session>');
  end.action(async (id: string) => {
    const session = new Session(context, end);
    const { value } = await session.admin().call('session.end', { params: { id } });
    session.print.answer(value, () => [`${value.ended} has ended.`]);
  });
}

export function registerWhoami(program: Command, context: Context): void {
  const command = program
    .command('whoami')
    .summary('say as whom the server sees you')
    .description('Say as whom the server sees you, how that was proven, and which roles you have.');
  command.action(async () => {
    const session = new Session(context, command);
    const { value } = await session.admin().call('session.current');
    session.print.answer(value, () => [
      session.print.style('bold', `${value.kind} ${value.principal}`),
      ...properties(rowsOf(value)),
    ]);
  });
}

function rowsOf(caller: CurrentCaller): (readonly [string, string | null])[] {
  const { name, roles, credential, session, strength, steppedUpAt, address, networks, device, signed } =
    caller;
  const facts = Object.entries(device ?? {}).flatMap(([fact, value]) => (value === true ? [fact] : []));
  return [
    ['name', name],
    ['roles', roles.map(roleText).join(', ') || 'none'],
    ['credential', `${credential}, strength ${strength}${signed ? ', signed' : ''}`],
    ['session', session],
    ['presence shown', steppedUpAt],
    ['address', [address, ...networks].join(', ')],
    ['device', device === null ? null : [device.id ?? 'unnamed', ...facts].join(', ')],
  ];
}

function roleText({ role, products, until }: CurrentCaller['roles'][number]): string {
  const where = products === null ? '' : ` for ${products.join(' and ')}`;
  return `${role}${where}${until === null ? '' : ` until ${until}`}`;
}
