/** Where `tally login` keeps the session: in the data folder, or where there is none among the person's own settings. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf, usageError } from '../errors.ts';

export interface SessionFile {
  /** Origin of the server that it is for; it is shown to no other. */
  server: string;
  /** A bearer token; never shown. */
  token: string;
  /** `ses_…` */
  session: string;
  principal: string;
}

export function sessionFilePath(folder: string, env: Readonly<Record<string, string | undefined>>): string {
  if (existsSync(folder)) return join(folder, 'session.json');
  return join(env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'tallystick', 'session.json');
}

/** null where there is none for this server. Throws a usage error for a file that cannot be read, without a word of it. */
export function readSessionFile(path: string, server: URL): SessionFile | null {
  if (!existsSync(path)) return null;
  const remedy = 'Remove it, and log in again with tally login.';
  let value: Partial<Record<keyof SessionFile, unknown>>;
  try {
    value = JSON.parse(readFileSync(path, 'utf8')) as typeof value;
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : messageOf(error);
    throw usageError(`${path} cannot be read: ${why}.`, remedy);
  }
  const { server: known, token, session, principal } = value;
  const isWhole = [known, token, session, principal].every((member) => typeof member === 'string');
  if (!isWhole || !/^[\x21-\x7e]{1,512}$/.test(token as string))
    throw usageError(`${path} holds no session.`, remedy);
  return known === server.origin ? (value as SessionFile) : null;
}

/** Whole or not at all, for its owner alone. */
export function writeSessionFile(path: string, session: SessionFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  writeFileSync(partial, `${JSON.stringify(session, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(partial, path);
}

export function removeSessionFile(path: string): void {
  rmSync(path, { force: true });
}
