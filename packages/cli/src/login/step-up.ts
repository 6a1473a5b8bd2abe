/** Proof that somebody is there, when the server asks for it in the middle of a command. */
import type { Credential } from '../client/credential.ts';
import { clientAt, type LoginPlace, type LoginWay, logIn } from './log-in.ts';
import { readSessionFile } from './session-file.ts';

/** null where nobody is at the terminal to do it. */
export async function stepUp(place: LoginPlace): Promise<Credential | null> {
  const { context, say, file, url } = place;
  if (!context.stderr.isTTY) return null;
  say('This needs proof that you are there.');
  const session = readSessionFile(file, url);
  await logIn(place, await wayTo(place, session?.principal ?? null));
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
