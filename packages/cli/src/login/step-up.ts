/** Proof that somebody is there, when the server asks for it in the middle of a command. */
import type { Credential } from '../client/credential.ts';
import { CliError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { clientAt, type LoginPlace, type LoginWay, logIn } from './log-in.ts';
import { readSessionFile } from './session-file.ts';

/** null where nobody is at the terminal to do it. */
export async function stepUp(place: LoginPlace): Promise<Credential | null> {
  const { context, say, file, url } = place;
  if (!context.stderr.isTTY) return null;
  say('This needs proof that you are there.');
  const session = readSessionFile(file, url);
  const { principal, name } = await logIn(place, await wayTo(place, session?.principal ?? null));
  if (session !== null && principal !== session.principal) throw somebodyElse(name ?? principal);
  const token = readSessionFile(file, url)?.token;
  return token === undefined ? null : { token };
}

/** With a passkey in the browser, or with password and code where the server takes them for it and no browser opens. */
async function wayTo(place: LoginPlace, account: string | null): Promise<LoginWay> {
  const { value } = await clientAt(place, null).call('login.describe');
  const browser = { by: 'browser', opens: true, stepUp: true, invitation: null, port: 0 } as const;
  if (!value.codesStepUp) return browser;
  const answer = await place.context.ask(
    'With a passkey in the browser, or with password and code? [passkey/code] ',
    {
      hidden: false,
    },
  );
  return answer?.trim().toLowerCase().startsWith('c') === true ? { by: 'password', account } : browser;
}

/** The command was somebody's; it is not carried out as somebody else's. */
function somebodyElse(name: string): CliError {
  return new CliError({
    exitCode: exitCodes.refused,
    code: 'somebody_else',
    what: `${name} is logged in now, and the command was somebody else's.`,
    todo: 'Nothing was changed. Run it again if it is meant so.',
  });
}
