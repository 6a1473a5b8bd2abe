/** `tally witness show-policy-line`: what the operator of a log needs of a witness. */
import { loadKeys } from '@tallystick/witness';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { Session } from '../../session.ts';
import { policyLines } from '../../witness/policy-lines.ts';
import { foreseen, WitnessFolder } from '../../witness/witness-folder.ts';
import { addFolderFlag, type FolderFlag } from './folder-flag.ts';

export function registerPolicyLine(parent: Command, context: Context): void {
  const command = addFolderFlag(
    parent
      .command('show-policy-line')
      .summary("print the witness's keys and address, for operators of logs")
      .description(
        'Print the lines of a C2SP tlog-policy that name this witness: one for each key, and the group that takes all of them. With --json also the same for the changes of tally root propose.',
      ),
  );
  command.action(() => {
    const { print } = new Session(context, command);
    const { keyFile, url, name } = new WitnessFolder(command.opts<FolderFlag>().folder).read();
    const lines = policyLines(
      foreseen(() => loadKeys(keyFile)),
      url ?? `https://${name}`,
    );
    print.answer(lines, () => lines.policy);
  });
}
