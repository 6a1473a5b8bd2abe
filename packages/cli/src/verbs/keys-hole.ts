/** `tally keys affected` and `tally keys reissue`: what becomes of the licenses that a stolen key may have made. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { readInput, writeFileAtomic } from '../files.ts';
import { asNatural } from '../flags/values.ts';
import { currentTrust } from '../governing/current.ts';
import { type Affected, affectedBy } from '../governing/hole.ts';
import { isNamed } from '../governing/revision.ts';
import { Session } from '../session.ts';

export function registerAffected(parent: Command, context: Context): void {
  const command = parent
    .command('affected')
    .argument('<key>')
    .summary('list the licenses that an ended key leaves without a valid signature')
    .description(
      'List the licenses whose newest record this key signed at a log index or later: their files no longer verify. Review the list, delete the lines that are not yours, and give the rest to tally keys reissue.',
    )
    .requiredOption('--from-index <index>', 'the log index at which the key was ended', asNatural)
    .option('--out <file>', 'write the ids, one a line, for review');
  command.action(async (name: string) => {
    const session = new Session(context, command);
    const { fromIndex, out } = command.opts<{ fromIndex: number; out?: string }>();
    const { namespace } = await currentTrust(session);
    const key = namespace.document.keys.find((listed) => isNamed(listed, name));
    if (key === undefined) throw usageError(`The namespace lists no key ${name}.`, 'See tally keys list.');
    const affected: Affected[] = [];
    for await (const license of affectedBy(session, { key: key.id, from: fromIndex })) affected.push(license);
    if (out !== undefined) await writeFileAtomic(out, affected.map(lineOf).join(''));
    session.print.answer({ affected }, () => describe(session, affected, out));
  });
}

/** What a reviewer needs to know stands behind the id, as a comment. */
function lineOf({ id, at, plan, licensee, state }: Affected): string {
  const who = (licensee ?? '-').replaceAll(/[\r\n]/g, ' ');
  return `${id}  # ${at} ${plan} ${state} ${who}\n`;
}

function describe(session: Session, affected: readonly Affected[], out: string | undefined): string[] {
  if (affected.length === 0) return ['No license is affected.'];
  return [
    ...session.print.table(affected, [
      { title: 'LICENSE', value: ({ id }) => id },
      { title: 'ENTRY', value: ({ index }) => index, align: 'right' },
      { title: 'AT', value: ({ at }) => at },
      { title: 'PLAN', value: ({ plan }) => plan },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'LICENSEE', value: ({ licensee }) => licensee },
    ]),
    '',
    out === undefined
      ? 'With --out they are written to a file, to be reviewed and given to tally keys reissue.'
      : `Wrote ${out}. Review it, delete the lines that are not yours, then: tally keys reissue ${out}`,
  ];
}

export function registerReissue(parent: Command, context: Context): void {
  const command = parent
    .command('reissue')
    .argument('<file>')
    .summary('sign the licenses of a reviewed list anew')
    .description(
      'Sign the licenses of a reviewed list anew, each once: after an interruption the same command goes on where it stopped.',
    )
    .option('--reason <text>', 'why, for the log', 'signed anew after a key was ended')
    .option('--dry-run', 'say what would happen and change nothing');
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const flags = command.opts<{ reason: string; dryRun?: boolean }>();
    const ids = readIds(new TextDecoder().decode(await readInput(file, context)), file);
    const counts = await reissueAll(session, ids, flags);
    session.print.answer(counts, () => [
      `${counts.reissued} signed anew, ${counts.before} were already${counts.dryRun ? '; a dry run: nothing was changed' : ''}.`,
    ]);
  });
}

function readIds(text: string, file: string): string[] {
  const ids = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  const wrong = ids.find((id) => !/^lic_[0-9a-z]{26}$/.test(id));
  if (wrong !== undefined)
    throw usageError(
      `${file}: "${wrong}" is not the id of a license.`,
      'Keep one id a line, as tally keys affected wrote them.',
    );
  return [...new Set(ids)];
}

async function reissueAll(
  session: Session,
  ids: readonly string[],
  { reason, dryRun = false }: { reason: string; dryRun?: boolean },
): Promise<{ reissued: number; before: number; dryRun: boolean }> {
  const client = session.admin();
  const current = await currentTrust(session);
  // The brake that ended the key names this round: a later one signs anew what this one did.
  const round = `reissue-${current.brake.document.epoch}-${current.brake.document.rev}`;
  let before = 0;
  for (const [done, id] of ids.entries()) {
    const { value } = await client.call('license.reissue', {
      params: { id },
      query: dryRun ? { dryRun } : {},
      body: {},
      idempotencyKey: `${round}-${id}`,
      reason,
    });
    if (value.notes.some(({ code }) => code === 'replayed')) before += 1;
    if ((done + 1) % 100 === 0) session.print.say(`${done + 1} of ${ids.length}`);
  }
  return { reissued: ids.length - before, before, dryRun };
}
