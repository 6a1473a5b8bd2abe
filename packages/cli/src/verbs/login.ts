/** `tally login`, `tally logout`, `tally enroll` and `tally invite`: people come and go. */
import { randomBytes } from 'node:crypto';
import { newSecretToken, secretTokenHash } from '@tallystick/gate/secret-token';
import { addDuration } from '@tallystick/license';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { asNatural } from '../flags/values.ts';
import { ask, clientAt, keep, type LoginResult, type LoginWay, logIn } from '../login/log-in.ts';
import { readSessionFile, removeSessionFile } from '../login/session-file.ts';
import type { Printer } from '../output/printer.ts';
import { Session } from '../session.ts';

interface LoginFlags {
  device?: boolean;
  password?: boolean;
  browser: boolean;
  stepUp?: boolean;
  account?: string;
  invitation?: string;
  port?: number;
}

export function registerLogin(program: Command, context: Context): void {
  const login = program
    .command('login')
    .summary('log in, in the browser, at the terminal, or from another machine')
    .description(
      'Log in: in the browser of this machine, with password and code at the terminal, or with a code that is typed into a browser elsewhere. The session is kept in the data folder, or below $XDG_CONFIG_HOME.',
    )
    .option('--no-browser', 'only say which address to open')
    .option('--port <number>', 'port that the browser comes back to (default: any)', asNatural)
    .option('--device', 'show a code to be typed into a browser on another machine')
    .option('--password', 'type password and code of the authenticator app here')
    .option('--account <email>', 'whose password it is')
    .option('--step-up', 'prove with a passkey that you are there, for what is sensitive')
    .option('--invitation <code>', 'enroll with an invitation first, in the browser');
  login.action(async () => {
    const session = new Session(context, login);
    const result = await logIn(session.loginPlace, wayOf(login.opts()));
    answer(session.print, result);
  });
  registerLogout(program, context);
  registerEnroll(program, context);
  registerInvite(program, context);
}

function wayOf(flags: LoginFlags): LoginWay {
  const { device, password, stepUp = false, invitation = null, account = null, browser, port = 0 } = flags;
  if ([device, password, stepUp || invitation !== null].filter((each) => each === true).length > 1)
    throw usageError(
      '--device, --password and what needs a browser are three ways to log in.',
      'Take one: codes of devices prove no presence, and passkeys are in browsers.',
    );
  if (device === true) return { by: 'device' };
  if (password === true) return { by: 'password', account };
  return { by: 'browser', opens: browser, stepUp, invitation, port };
}

function answer(print: Printer, result: LoginResult): void {
  const { principal, name, steppedUpAt } = result;
  print.answer(result, () => [
    `Logged in as ${name ?? principal}.`,
    ...(steppedUpAt === null ? ['What is sensitive asks for your passkey.'] : []),
  ]);
}

function registerLogout(program: Command, context: Context): void {
  const logout = program
    .command('logout')
    .summary('end the session')
    .description('End the session at the server, and remove it here.');
  logout.action(async () => {
    const session = new Session(context, logout);
    const place = session.loginPlace;
    const known = readSessionFile(place.file, place.url);
    if (known === null) throw usageError('Nobody is logged in here.', 'There is nothing to do.');
    // Removed in any case: what the server no longer knows is of no use either.
    removeSessionFile(place.file);
    await clientAt(place, { token: known.token }).call('session.end', { params: { id: known.session } });
    session.print.answer({ ended: known.session }, () => ['Logged out.']);
  });
}

function registerEnroll(program: Command, context: Context): void {
  const enroll = program
    .command('enroll')
    .argument('<invitation>')
    .summary('choose a password and take codes of an authenticator app, with an invitation')
    .description(
      'Choose a password and take one-time codes of an authenticator app, at the terminal. For a passkey, which is safer, open the invitation in a browser: tally login --invitation.',
    )
    .option('--dry-run', 'say who was invited, and change nothing');
  enroll.action(async (invitation: string) => {
    const session = new Session(context, enroll);
    const place = session.loginPlace;
    const client = clientAt(place, null);
    const { value: offer } = await client.call('enrollment.begin', { body: { invitation } });
    const { principal, name, account } = offer;
    if (enroll.opts<{ dryRun?: boolean }>().dryRun === true) {
      session.print.answer({ principal, name, account, dryRun: true }, () => [
        `The invitation is for ${name}.`,
      ]);
      return;
    }
    for (const line of [
      `Welcome, ${name}. Add this key to an authenticator app:`,
      `  ${offer.secret}`,
      `  ${offer.uri}`,
    ])
      place.say(line);
    const password = await askTwice(context);
    const code = await ask(context, 'Code that the app shows now: ', false);
    const { value } = await client.call('enrollment.finish', { body: { invitation, password, code } });
    answer(session.print, await keep(place, value.token));
    place.say(`Log in as ${account} from now on.`);
  });
}

async function askTwice(context: Context): Promise<string> {
  const first = await ask(context, 'New password, 12 characters or more: ', true);
  if ((await ask(context, 'The same again: ', true)) === first) return first;
  throw usageError('The two passwords differ.', 'Nothing was made; run it again.');
}

interface InviteFlags {
  within: string;
  dryRun?: boolean;
  reason?: string;
}

function registerInvite(program: Command, context: Context): void {
  const invite = program
    .command('invite')
    .argument('<principal>')
    .summary('make an invitation, with which a person gets a passkey, or a password and codes')
    .description(
      'Make an invitation for a person: good once, for a passkey or for a password with one-time codes, also in place of lost ones. Whoever has it becomes that person, so hand it over in person or over a channel that you trust.',
    )
    .option('--within <duration>', 'how long it is good', 'PT24H')
    .option('--reason <text>', 'why, for the log')
    .option('--dry-run', 'say what would happen and change nothing');
  invite.action(async (principal: string) => {
    const session = new Session(context, invite);
    const { within, dryRun = false, reason } = invite.opts<InviteFlags>();
    const invitation = newSecretToken('invite', randomBytes);
    const notAfter = endOf(within, context.now());
    const { value } = await session.admin().call('credential.create', {
      query: dryRun ? { dryRun } : {},
      body: {
        principal,
        kind: 'invitation',
        name: 'Invitation',
        // The server keeps what it can make of this, and never sees the invitation before it is used.
        lookup: secretTokenHash(invitation),
        notAfter,
      },
      idempotencyKey: context.newKey(),
      ...(reason === undefined ? {} : { reason }),
    });
    if (dryRun) {
      session.print.answer({ principal, notAfter, dryRun }, () => ['It could be made; nothing was changed.']);
      return;
    }
    const place = session.loginPlace;
    const { value: described } = await clientAt(place, null).call('login.describe');
    const page = `${described.invitationPage}#${invitation}`;
    const credential = value.document.id;
    session.print.answer({ principal, credential, invitation, page, notAfter }, () => [
      `Good once, until ${notAfter}. In a browser:`,
      `  ${page}`,
      'At a terminal:',
      `  tally enroll ${invitation}`,
    ]);
  });
}

/** The instant that comes a duration after `now`, in milliseconds. Throws a usage error. */
export function endOf(within: string, now: number): string {
  try {
    return addDuration(new Date(now).toISOString(), within);
  } catch {
    throw usageError(`--within ${within} is no duration.`, 'Give one such as PT24H or P3D.');
  }
}
