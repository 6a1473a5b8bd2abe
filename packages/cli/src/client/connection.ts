/**
 * Where the server is and how to be let in. By default this is `client.json` in the data folder, which
 * `tally init` writes; flags replace parts of it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { type ClientTls, readClientTls } from '@tallystick/witness/tls';
import { CliError, messageOf, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { isThere } from '../files.ts';
import { readSessionFile, sessionFilePath } from '../login/session-file.ts';
import { type Credential, readSigningKey, systemOf } from './credential.ts';

/** `<data>/client.json`. Members that are not listed are ignored, so that later versions may add some. */
export interface ClientFile {
  adminUrl: string;
  publicUrl: string;
  /** A bearer token; never shown. */
  token: string;
  /** File with a private key in PEM, by which requests are signed instead. Absolute, or relative to the data folder. */
  signingKeyFile: string;
  /** Absolute, or relative to the data folder. */
  trustRootFile: string;
  namespace: string;
  /** Files in PEM for https, as the flags of these names have it; absolute, or relative to the data folder. */
  caFile: string;
  clientCert: string;
  clientKey: string;
}

export interface ConnectionFlags {
  data?: string;
  url?: string;
  publicUrl?: string;
  tokenFile?: string;
  caFile?: string;
  clientCert?: string;
  clientKey?: string;
  signingKey?: string;
  /** Trust root of the system that requests are signed for; what a verb pins serves as well. */
  signedFor?: string;
  trustRoot?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const clientFileName = 'client.json';
const pathNames = ['trustRootFile', 'signingKeyFile', 'caFile', 'clientCert', 'clientKey'] as const;
const memberNames = ['adminUrl', 'publicUrl', 'token', 'namespace', ...pathNames] as const;

/** The data folder: a flag, `$TALLY_DATA`, or `./data`. */
export function dataFolder(flags: ConnectionFlags, env: Environment): string {
  return flags.data ?? env['TALLY_DATA'] ?? 'data';
}

/** Reads `client.json`; null where there is none. Throws a usage error for one that cannot be read. */
export function readClientFile(folder: string): Partial<ClientFile> | null {
  const path = join(folder, clientFileName);
  if (!existsSync(path)) return null;
  const found = parseClientFile(path);
  for (const name of pathNames) {
    const file = found[name];
    if (file !== undefined && !isAbsolute(file)) found[name] = join(folder, file);
  }
  return found;
}

function parseClientFile(path: string): Partial<ClientFile> {
  // The text holds a token, so no message may quote any of it.
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : messageOf(error);
    throw usageError(
      `${path} cannot be read: ${why}.`,
      'Repair the file, or name another folder with --data.',
    );
  }
  if (typeof value !== 'object' || value === null) {
    throw usageError(`${path} is not an object.`, 'Repair the file, or name another folder with --data.');
  }
  const members = new Map<string, unknown>(Object.entries(value));
  const known: Partial<ClientFile> = {};
  for (const name of memberNames) {
    const member = members.get(name);
    if (member === undefined || member === null) continue;
    if (typeof member !== 'string') throw usageError(`${path}: ${name} must be text.`, 'Repair the file.');
    known[name] = name === 'token' ? checkedToken(member, path) : member;
  }
  return known;
}

export interface AdminConnection {
  url: URL;
  credential: Credential;
  /** True where the credential is what tally login has kept. */
  isSession?: boolean;
}

/** The administrators' listener. Throws a usage error where it is not known. */
export function adminUrl(flags: ConnectionFlags, env: Environment): URL {
  const folder = dataFolder(flags, env);
  const url = flags.url ?? readClientFile(folder)?.adminUrl ?? noServer(folder, '--url and --token-file');
  return parseUrl(url, '--url');
}

/** The administrators' listener, and what to show there. Throws a usage error where either is missing. */
export function adminConnection(flags: ConnectionFlags, env: Environment): AdminConnection {
  const folder = dataFolder(flags, env);
  const file = readClientFile(folder);
  const url = adminUrl(flags, env);
  if (flags.signingKey !== undefined && flags.tokenFile !== undefined) {
    throw usageError('--signing-key and --token-file stand for two callers.', 'Leave one of them out.');
  }
  const signedBy = (path: string): Credential => {
    return {
      signingKey: readSigningKey(path),
      system: systemOf(flags.signedFor ?? flags.trustRoot ?? file?.trustRootFile),
    };
  };
  if (flags.signingKey !== undefined) return { url, credential: signedBy(flags.signingKey) };
  if (flags.tokenFile !== undefined) return { url, credential: { token: readTokenFile(flags.tokenFile) } };
  const session = readSessionFile(sessionFilePath(folder, env), url);
  if (session !== null) return { url, credential: { token: session.token }, isSession: true };
  if (file?.token === undefined && file?.signingKeyFile === undefined) {
    throw usageError(
      'There is nothing to show to the server.',
      'Log in with tally login, or name a file with a token with --token-file, or with a key with --signing-key.',
    );
  }
  // A credential goes only to the server that it came with.
  if (file.adminUrl === undefined || parseUrl(file.adminUrl, 'adminUrl').origin !== url.origin) {
    throw usageError(
      `The credential in ${join(folder, clientFileName)} is for another server than ${url.origin}.`,
      'Name a file with the token for this one with --token-file.',
    );
  }
  if (file.signingKeyFile !== undefined) return { url, credential: signedBy(file.signingKeyFile) };
  return { url, credential: { token: file.token as string } };
}

/** The public listener, which takes no token. Throws a usage error where it is not known. */
export function publicConnection(flags: ConnectionFlags, env: Environment): URL {
  const folder = dataFolder(flags, env);
  const file = readClientFile(folder);
  return parseUrl(flags.publicUrl ?? file?.publicUrl ?? noServer(folder, '--public-url'), '--public-url');
}

/** Whom to believe over https, and what to show there. Throws a usage error for files that cannot be used. */
export function connectionTls(flags: ConnectionFlags, env: Environment): ClientTls {
  const file = readClientFile(dataFolder(flags, env));
  const caFile = flags.caFile ?? file?.caFile;
  // A certificate and a key of two places would not belong together.
  const own = flags.clientCert === undefined && flags.clientKey === undefined ? (file ?? {}) : flags;
  const { clientCert, clientKey } = own;
  try {
    return readClientTls({
      ...(caFile !== undefined && { caFile }),
      ...(clientCert !== undefined && { certFile: clientCert }),
      ...(clientKey !== undefined && { keyFile: clientKey }),
    });
  } catch (error) {
    throw usageError(`${messageOf(error)}.`, 'Check --ca-file, --client-cert and --client-key.');
  }
}

function noServer(folder: string, flag: string): never {
  // Where it is there after all, it names no server.
  isThere(join(folder, clientFileName));
  throw new CliError({
    exitCode: exitCodes.usage,
    code: 'no_server',
    what: `No server is known: there is no usable ${join(folder, clientFileName)}.`,
    todo: `Run tally init, name the data folder with --data, or the server with ${flag}.`,
  });
}

function parseUrl(text: string, name: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw usageError(`${name} is not an http or https address.`, 'Give one such as http://127.0.0.1:7312.');
  }
  if (url.username !== '' || url.password !== '') {
    throw usageError(`${name} holds a user name or password.`, 'Leave it out; tokens come from a file.');
  }
  return url;
}

function readTokenFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`The token file cannot be read: ${messageOf(error)}.`, 'Check --token-file.');
  }
  return checkedToken(text.trim(), path);
}

/** A token with other characters would end up in an error message of the HTTP library. */
function checkedToken(token: string, path: string): string {
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw usageError(`${path} holds no token.`, 'A token is printable ASCII without spaces.');
}
