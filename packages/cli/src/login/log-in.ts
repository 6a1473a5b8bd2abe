/** Logs a person in, in the way that is asked for, and keeps the session. */
import type { CurrentCaller, LoggedIn } from '@tallystick/contract';
import type { ClientTls } from '@tallystick/witness/tls';
import { Client } from '../client/client.ts';
import type { Credential } from '../client/credential.ts';
import { briefRetries } from '../client/retry.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { IssuerClient } from './issuer-client.ts';
import { readSessionFile, writeSessionFile } from './session-file.ts';

export interface LoginPlace {
  context: Context;
  url: URL;
  tls: ClientTls;
  /** Where the session is kept. */
  file: string;
  say: (line: string) => void;
}

export type LoginWay =
  | { by: 'browser'; opens: boolean; stepUp: boolean; invitation: string | null; port: number }
  | { by: 'device' }
  | { by: 'password'; account: string | null };

export interface LoginResult {
  principal: string;
  name: string | null;
  session: string | null;
  strength: number;
  steppedUpAt: string | null;
}

export function clientAt({ context, url, tls, say }: LoginPlace, credential: Credential | null): Client {
  const { signal, sleep } = context;
  return new Client({ url, credential, tls, signal, sleep, retry: briefRetries, onRetry: say });
}

/** Throws CliError. The session before ends, where there is one. */
export async function logIn(place: LoginPlace, way: LoginWay): Promise<LoginResult> {
  return keep(place, await tokenBy(place, way));
}

async function tokenBy(place: LoginPlace, way: LoginWay): Promise<string> {
  const client = clientAt(place, null);
  if (way.by === 'password') return (await byPassword(place, client, way.account)).token;
  const { value: described } = await client.call('login.describe');
  const { context, tls, say } = place;
  const issuer = new IssuerClient({ described, tls, context, say });
  return way.by === 'device' ? issuer.byDevice() : issuer.inBrowser(way);
}

async function byPassword({ context }: LoginPlace, client: Client, named: string | null): Promise<LoggedIn> {
  const account = named ?? (await ask(context, 'Email: ', false));
  const password = await ask(context, 'Password: ', true);
  const code = await ask(context, 'Code from your authenticator app: ', false);
  return (await client.call('login.password', { body: { account, password, code } })).value;
}

export async function ask(context: Context, question: string, hidden: boolean): Promise<string> {
  const typed = await context.ask(question, { hidden });
  if (typed !== null) return typed.trim();
  throw usageError(
    'There is no terminal to type at.',
    'Run it in a terminal, or log in with tally login --device.',
  );
}

/** Writes the session down and says whose it is. */
export async function keep(place: LoginPlace, token: string): Promise<LoginResult> {
  const client = clientAt(place, { token });
  const { value: me } = await client.call('session.current');
  const { principal, name, session, strength, steppedUpAt } = me satisfies CurrentCaller;
  const before = readSessionFile(place.file, place.url);
  writeSessionFile(place.file, { server: place.url.origin, token, session: session ?? '', principal });
  // What is not used any longer is nobody else's to find; where it has ended already, so much the better.
  if (before !== null && before.session !== session)
    await clientAt(place, { token: before.token })
      .call('session.end', { params: { id: before.session } })
      .catch(() => null);
  return { principal, name, session, strength, steppedUpAt };
}
