/** `tally root publish`: writes a new version of the trust root into a running log. */
import { base64 } from '@tallystick/core';
import type { Command } from 'commander';
import { altered } from '../../ceremony/refusal.ts';
import type { Context } from '../../context.ts';
import { Session } from '../../session.ts';
import { readChain } from './desk.ts';

export function registerPublish(parent: Command, context: Context): void {
  const command = parent
    .command('publish')
    .argument('<file>')
    .summary('write a new version of the trust root into the running log')
    .description(
      'Write the versions that the log does not hold yet into it, so that they govern from there on: clients that pin an older one learn of them from their next license file. Doing it twice changes nothing more.',
    );
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const chain = await readChain(session, file);
    if (chain.rehearsal) throw altered(`${file} comes from a rehearsal.`, 'Publish the real trust root.');
    const { value } = await session.admin().call('trust.publish', {
      body: { envelopes: chain.envelopes.map(base64) },
    });
    session.print.answer(value, () => [
      value.logged === 0
        ? `Version ${value.version} governs the log already. Nothing was changed.`
        : `Version ${value.version} governs the log from now on. Back up the new trust-root.json, and build it into what you ship next.`,
    ]);
  });
}
