/** `tally root publish`: writes a new version of the trust root into a running log. */
import { base64 } from '@tallystick/core';
import type { Command } from 'commander';
import { altered } from '../../ceremony/refusal.ts';
import type { Context } from '../../context.ts';
import { Session } from '../../session.ts';
import { readSignedRevision } from '../namespace.ts';
import { readChain } from './desk.ts';

export function registerPublish(parent: Command, context: Context): void {
  const command = parent
    .command('publish')
    .argument('<file>')
    .summary('write a new version of the trust root into the running log')
    .description(
      'Write the versions that the log does not hold yet into it, so that they govern from there on: clients that pin an older one learn of them from their next license file. Doing it twice changes nothing more.',
    )
    .option(
      '--namespace <file>',
      'where the authority changes: the revision that the new one has signed (tally namespace propose --sign-anew)',
    )
    .option('--reason <text>', 'why it is logged now')
    .option('--dry-run', 'say whether it would be taken, ask new cosigners once, and change nothing');
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const flags = command.opts<{ namespace?: string; reason?: string; dryRun?: boolean }>();
    const chain = await readChain(session, file);
    if (chain.rehearsal) throw altered(`${file} comes from a rehearsal.`, 'Publish the real trust root.');
    const signed = flags.namespace === undefined ? null : await readSignedRevision(session, flags.namespace);
    const { value } = await session.admin().call('trust.publish', {
      query: flags.dryRun === true ? { dryRun: true } : {},
      body: { envelopes: chain.envelopes.map(base64), ...(signed && { namespace: signed }) },
      ...(flags.reason !== undefined && { reason: flags.reason }),
    });
    session.print.answer(value, () => [
      sentence(value, flags.dryRun === true),
      ...value.notes.map(({ detail }) => detail),
    ]);
  });
}

function sentence({ version, logged }: { version: number; logged: number }, isDryRun: boolean): string {
  if (logged === 0) return `Version ${version} governs the log already. Nothing was changed.`;
  if (isDryRun) return `Version ${version + logged} would be taken. Nothing was changed.`;
  return `Version ${version} governs the log from now on. Back up the new trust-root.json, and build it into what you ship next.`;
}
