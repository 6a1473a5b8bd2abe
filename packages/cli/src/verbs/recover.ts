/** `tally recover`: a new way in where nobody can let anybody in any more, by the word of the namespace's authority. */
import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { decodeBase64, type NamespaceDocument, type RecoveryStatement } from '@tallystick/core';
import { newSecretToken, secretTokenHash } from '@tallystick/gate/secret-token';
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';
import {
  describeRevision,
  formatRevision,
  hashOfRevision,
  proposeRevision,
  type Revision,
} from '../governing/revision.ts';
import { clientAt } from '../login/log-in.ts';
import { Session } from '../session.ts';
import { endOf } from './login.ts';
import { readSignedRevision } from './namespace.ts';

interface ProposeFlags {
  out: string;
  name?: string;
  email?: string;
  principal?: string;
  within: string;
  lock?: NamespaceDocument['lock'];
  raiseEpoch?: boolean;
  reason: string;
}

export function registerRecover(program: Command, context: Context): void {
  const recover = program
    .command('recover')
    .summary('let an administrator in where nobody else can, with the key of the authority');
  registerPropose(recover, context);
  registerSubmit(recover, context);
}

function registerPropose(parent: Command, context: Context): void {
  const command = parent
    .command('propose')
    .summary('write a statement that lets somebody in, for the authority to sign')
    .description(
      'Write a revision of the namespace that lets somebody in as administrator, for its authority to review and sign, and make the invitation that it is for. Nothing changes before it is submitted.',
    )
    .requiredOption('--out <file>', 'where to write it')
    .option('--name <name>', 'who is to be a new administrator')
    .option('--email <address>', 'the address of the new administrator')
    .addOption(
      new Option('--principal <prn_…>', 'an administrator whose passkey or codes are lost').conflicts([
        'name',
        'email',
      ]),
    )
    .option('--within <duration>', 'how long it is good, a week at most', 'PT24H')
    .option('--lock <level>', 'set the lock as well, where the namespace is locked against it')
    .option('--raise-epoch', 'begin a new epoch as well: what the brake says of this one counts no more')
    .requiredOption('--reason <text>', 'why, for the log');
  command.action(async () => {
    const session = new Session(context, command);
    const flags = command.opts<ProposeFlags>();
    const invitation = newSecretToken('invite', randomBytes);
    const revision = await propose(session, flags, secretTokenHash(invitation));
    const { out } = flags;
    await writeFileAtomic(out, formatRevision(revision));
    const [hash, changes] = [hashOfRevision(revision), describeRevision(revision)];
    session.print.answer({ file: out, hash, changes, invitation }, () => [
      ...changes,
      '',
      'The invitation, for that person alone. Keep it until the statement is submitted; it is shown only now:',
      `  ${invitation}`,
      `Wrote ${out}. Next: the authority reviews and signs it, where its key is:`,
      `  tally namespace show ${out}`,
      `  tally namespace sign ${out} --keystore <offline.sealed> --passphrase-file <file> --hash ${hash.slice(0, 8)}`,
      'Then, here:',
      `  tally recover submit ${out}`,
    ]);
  });
}

async function propose(session: Session, flags: ProposeFlags, invitation: string): Promise<Revision> {
  const { name = null, email = null, principal = null, within, lock, reason } = flags;
  if ((name === null) === (principal === null))
    throw usageError(
      'It is not said who is to be let in.',
      'Give --name for a new administrator, or --principal for one who lost passkey or codes.',
    );
  const now = session.context.now();
  const until = endOf(within, now);
  const recovery: RecoveryStatement = { principal, name, email, invitation, until };
  const { value: draft } = await clientAt(session.loginPlace, null).call('recovery.describe');
  return proposeRevision({
    previous: { entry: decodeBase64(draft.entry), document: draft.document },
    changes: {
      add: [],
      end: [],
      limits: [],
      size: 0,
      ...(lock === undefined ? {} : { lock }),
      raisesEpoch: flags.raiseEpoch === true,
      signsAnew: false,
    },
    why: reason,
    who: userInfo().username,
    now,
    salt: randomBytes(32),
    recovery,
  });
}

function registerSubmit(parent: Command, context: Context): void {
  const command = parent
    .command('submit')
    .argument('<file>')
    .summary('hand a signed statement in, and have the invitation made')
    .description(
      'Hand in a statement that the authority has signed: it is logged, and the invitation that it is for becomes good. Needs no login. Doing it twice changes nothing more.',
    )
    .option('--dry-run', 'say whether it would be taken and change nothing');
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const body = await readSignedRevision(session, file);
    const { dryRun = false } = command.opts<{ dryRun?: boolean }>();
    const place = session.loginPlace;
    const client = clientAt(place, null);
    const { value } = await client.call('recovery.submit', { query: dryRun ? { dryRun } : {}, body });
    if (dryRun) {
      session.print.answer(value, () => ['A dry run: it would be taken, and nothing was changed.']);
      return;
    }
    const { value: described } = await client.call('login.describe');
    session.print.answer(value, () => [
      `${value.principal} is let in by revision of the namespace at entry ${value.namespace} of the log.`,
      `The invitation is good once, until ${value.until}. In a browser:`,
      `  ${described.invitationPage}#<invitation>`,
      'At a terminal:',
      '  tally enroll <invitation>',
    ]);
  });
}
