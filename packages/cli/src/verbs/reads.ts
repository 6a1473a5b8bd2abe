/** `list`, `show` and `history`, for every kind of subject. */
import type { HistoryItem, Item, LicenseItem, Listed, Page } from '@tallystick/contract';
import { type Command, Option } from 'commander';
import type { Client, Request } from '../client/client.ts';
import type { Context } from '../context.ts';
import { addFlags, bodyOfFlags, type Flag, type FlagValues } from '../flags/flag.ts';
import { asInstant, asNatural } from '../flags/values.ts';
import { historyColumns, listColumns } from '../output/columns.ts';
import { describeItem } from '../output/documents.ts';
import { Session } from '../session.ts';

const state = (choices: readonly string[]): Flag => ({
  flags: '--state <state>',
  description: 'only those in this state',
  path: ['state'],
  choices,
});
const filter = (name: string, description: string): Flag => ({
  flags: `--${name} <${name}>`,
  description: `only those of this ${description}`,
  path: [name],
});

const filters: Readonly<Record<Listed, readonly Flag[]>> = {
  product: [state(['active', 'retired'])],
  plan: [
    filter('product', 'product: id or code'),
    { ...filter('kind', 'kind'), choices: ['base', 'addon'] },
    state(['active', 'retired']),
  ],
  customer: [filter('reference', 'reference'), state(['active', 'merged', 'erased'])],
  license: [
    filter('customer', 'customer: id or reference'),
    filter('plan', 'plan: id or code'),
    filter('product', 'product: id or code'),
    state(['active', 'suspended', 'revoked']),
    {
      flags: '--expires-before <instant>',
      description: 'only those whose term ends earlier',
      path: ['expiresBefore'],
      read: asInstant,
    },
  ],
  principal: [state(['active', 'disabled'])],
  credential: [filter('principal', 'principal: id'), state(['active', 'revoked'])],
  approval: [
    { ...filter('author', 'author: id of a principal') },
    state(['pending', 'approved', 'rejected', 'withdrawn', 'executed']),
  ],
};

const LIMIT_DEFAULT = 50;
const PAGE_LENGTH_MAX = 200;

interface PageFlags {
  limit?: number;
  all?: boolean;
  cursor?: string;
}

export function registerList(parent: Command, context: Context, subject: Listed): void {
  const summary = `list ${subject}s, newest first`;
  const command = parent.command('list').summary(summary).description(`${summary}.`);
  addFlags(command, filters[subject]);
  addPageFlags(command);
  command.action(async () => {
    const session = new Session(context, command);
    const values: FlagValues = command.opts();
    const query = bodyOfFlags(filters[subject], values);
    const page = await readPages<Item | LicenseItem>(values, (part) =>
      callList(session.admin(), subject, { ...query, ...part }),
    );
    session.print.answer(page, () => session.print.table(page.items, listColumns(subject)));
    sayMore(session, page);
  });
}

export function registerShow(parent: Command, context: Context, subject: Listed): void {
  const summary = `show a ${subject} as it is now`;
  const command = parent.command('show').summary(summary).description(`${summary}.`).argument(`<${subject}>`);
  command.action(async (id: string) => {
    const session = new Session(context, command);
    const { value } = await session.admin().call(`${subject}.get`, { params: { id } });
    session.print.answer(value, () => describeItem(value, session.print));
  });
}

export function registerHistory(parent: Command, context: Context, subject: Listed): void {
  const summary = `list the revisions of a ${subject}, with who made them and why`;
  const command = parent
    .command('history')
    .summary(summary)
    .description(`${summary}.`)
    .argument(`<${subject}>`);
  addPageFlags(command);
  command.action(async (id: string) => {
    const session = new Session(context, command);
    const client = session.admin();
    const page = await readPages<HistoryItem>(command.opts(), async (query) => {
      const { value } = await client.call(`${subject}.history`, { params: { id }, query });
      return value;
    });
    session.print.answer(page, () => session.print.table(page.items, historyColumns));
    sayMore(session, page);
  });
}

function addPageFlags(command: Command): void {
  command
    .option('--limit <number>', `at most so many (default: ${LIMIT_DEFAULT})`, asNatural)
    .addOption(new Option('--all', 'all there are').conflicts('limit'))
    .option('--cursor <cursor>', 'go on where an earlier answer ended');
}

async function callList(client: Client, subject: Listed, query: object): Promise<Page<Item | LicenseItem>> {
  const request: Request<`${Listed}.list`> = { query };
  const { value } = await client.call(`${subject}.list`, request);
  return value;
}

/** Reads as many pages as are needed for the items that are wanted. */
async function readPages<T>(
  flags: PageFlags,
  read: (query: { limit: number; cursor?: string }) => Promise<Page<T>>,
): Promise<Page<T>> {
  const wanted = flags.all === true ? Number.POSITIVE_INFINITY : (flags.limit ?? LIMIT_DEFAULT);
  const items: T[] = [];
  let cursor: string | null = flags.cursor ?? null;
  do {
    const limit = Math.max(1, Math.min(PAGE_LENGTH_MAX, wanted - items.length));
    const page: Page<T> = await read({ limit, ...(cursor === null ? {} : { cursor }) });
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null && items.length < wanted);
  return { items, nextCursor: cursor };
}

function sayMore<T>(session: Session, { items, nextCursor }: Page<T>): void {
  if (nextCursor === null || session.print.json) return;
  session.print.say(`There are more than these ${items.length}: see --all, or --cursor ${nextCursor}`);
}
