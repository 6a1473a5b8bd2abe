/** `tally content-key`: keys that documents are sealed to on their way to a mirror, and who gets them sealed to which. */
import { base64, IntegrityError } from '@tallystick/core';
import { contentKeysOf, type Layout, layoutOf, writeContentKeys } from '@tallystick/server';
import {
  ConfigError,
  type ContentPublicKey,
  createContentKey,
  loadContentKey,
  parseContentPublicKey,
} from '@tallystick/witness';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { isThere } from '../files.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';

interface ChangeFlags {
  dryRun: boolean;
}

const nextStart = 'The server takes this in at its next start.';

export function registerContentKey(program: Command, context: Context): void {
  const parent = program
    .command('content-key')
    .summary('keys that documents are sealed to on their way to mirrors')
    .description(
      'A mirror gets documents sealed to a key of its own. Who has the private half can open them: keep it with the ' +
        'backups, and at the mirror only where that is to hand out license files.',
    );
  registerGenerate(parent, context);
  registerShow(parent, context);
  registerAllow(parent, context);
  registerForbid(parent, context);
  registerList(parent, context);
}

function registerGenerate(parent: Command, context: Context): void {
  const command = parent
    .command('generate')
    .summary('make a content key')
    .description('Make a content key, in a file that its owner alone can read. Prints the public half.')
    .requiredOption('--out <file>', 'where to write the private half: it is not there yet');
  command.action(() => {
    const session = new Session(context, command);
    const { out } = command.opts<{ out: string }>();
    const key = using(() => createContentKey(out), 'Name another file with --out.');
    tell(session, key, [
      '',
      `Wrote ${out}. Without it nobody opens what is sealed to this key: keep a copy.`,
      'Next, at the server: tally content-key allow <principal> <public key>',
    ]);
  });
}

function registerShow(parent: Command, context: Context): void {
  const command = parent
    .command('show')
    .summary('show the public half of a content key')
    .argument('<file>', 'file of tally content-key generate');
  command.action((file: string) => {
    const session = new Session(context, command);
    tell(
      session,
      using(() => loadContentKey(file), 'Name the file of tally content-key generate.'),
      [],
    );
  });
}

function registerAllow(parent: Command, context: Context): void {
  const command = parent
    .command('allow')
    .summary('have documents sealed to a content key for a principal')
    .description(
      `Have this system seal the documents that a principal fetches to a content key. ${nextStart} The principal needs ` +
        'the role content-mirror as well.',
    )
    .argument('<principal>', 'id of the principal that the mirror is')
    .argument('<key>', 'public half of the content key')
    .option('--dry-run', 'check, and change nothing', false);
  command.action((principal: string, text: string) => {
    const session = new Session(context, command);
    const { dryRun } = command.opts<ChangeFlags>();
    if (!/^prn_[0-9a-z]{26}$/.test(principal))
      throw usageError(
        `${principal} is not the id of a principal.`,
        'See tally principal list; it begins with prn_.',
      );
    const key = using(() => parseContentPublicKey(text), 'Give what tally content-key generate printed.');
    const layout = systemIn(session);
    const before = contentKeysOf(layout)[principal] ?? null;
    if (!dryRun) writeContentKeys(layout, { ...contentKeysOf(layout), [principal]: base64(key.raw) });
    const isChanged = before !== base64(key.raw);
    const answer = { principal, key: key.id, publicKey: base64(key.raw), before, changed: isChanged, dryRun };
    session.print.answer(answer, () => [
      isChanged ? `Documents for ${principal} are sealed to ${key.id}. ${nextStart}` : 'That is so already.',
      ...(dryRun ? ['Nothing was changed yet.'] : []),
    ]);
  });
}

function registerForbid(parent: Command, context: Context): void {
  const command = parent
    .command('forbid')
    .summary('hand no more documents to a principal')
    .description(`Forget the content key of a principal, so that it gets no documents. ${nextStart}`)
    .argument('<principal>', 'id of the principal that the mirror is')
    .option('--dry-run', 'check, and change nothing', false);
  command.action((principal: string) => {
    const session = new Session(context, command);
    const { dryRun } = command.opts<ChangeFlags>();
    const layout = systemIn(session);
    const { [principal]: before = null, ...others } = contentKeysOf(layout);
    if (!dryRun && before !== null) writeContentKeys(layout, others);
    session.print.answer({ principal, before, changed: before !== null, dryRun }, () => [
      before === null ? 'It has none.' : `${principal} gets no more documents. ${nextStart}`,
      ...(dryRun ? ['Nothing was changed yet.'] : []),
    ]);
  });
}

function registerList(parent: Command, context: Context): void {
  const command = parent.command('list').summary('list whose documents are sealed to which content key');
  command.action(() => {
    const session = new Session(context, command);
    const keys = Object.entries(contentKeysOf(systemIn(session))).map(([principal, publicKey]) => ({
      principal,
      key: parseContentPublicKey(publicKey).id,
      publicKey,
    }));
    session.print.answer({ keys }, () =>
      keys.length === 0 ? ['None.'] : keys.map(({ principal, key }) => `${principal}  ${key}`),
    );
  });
}

function tell(session: Session, { id, raw }: ContentPublicKey, more: readonly string[]): void {
  session.print.answer({ key: id, publicKey: base64(raw) }, () => [
    ...properties([
      ['key', id],
      ['public key', base64(raw)],
    ]),
    ...more,
  ]);
}

function systemIn({ dataFolder }: Session): Layout {
  const layout = layoutOf(dataFolder);
  if (isThere(layout.system)) return layout;
  throw usageError(`There is no system in ${layout.root}.`, 'Name its folder with --data.');
}

function using<T>(use: () => T, todo: string): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof IntegrityError) throw usageError('This is no public half of a content key.', todo);
    if (error instanceof ConfigError) throw usageError(`${error.message}.`, todo);
    throw error;
  }
}
