/**
 * Where a store in PostgreSQL is, as one URL without a secret:
 *
 *     postgres://user@host:5432/database?schema=tallystick&durability=quorum&sslmode=verify-full&sslrootcert=/ca.pem
 *
 * `sslcert` and `sslkey` name files with a certificate of ours, for servers that ask for one. `host=/folder` in place of a host name takes the Unix socket there. Nothing but these members is taken, so that a
 * misspelled one does not weaken anything in silence.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/** What an acknowledged append survives: the loss of a node, or the crash of the only one. */
export type PostgresDurability = 'quorum' | 'single-node';

export interface PostgresPlace {
  host: string;
  port: number;
  database: string;
  user: string | undefined;
  schema: string;
  durability: PostgresDurability;
  ssl: ConnectionOptions | false;
}

/** A URL that names no store, or one that must not be used. The message says what to do. */
export class PostgresUrlError extends Error {
  override readonly name = 'PostgresUrlError';
}

const members = ['schema', 'durability', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host'] as const;
const sslModes = ['verify-full', 'require', 'disable'] as const;
const defaultPort = 5432;

export function isPostgresUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text);
}

/** Throws PostgresUrlError. Reads the files that it names. */
export function parsePostgresUrl(text: string): PostgresPlace {
  const url = asUrl(text);
  if (url.password !== '') {
    throw new PostgresUrlError(
      'a URL with a password ends in process lists and logs: leave it out, and give the password in a file, in ' +
        'PGPASSWORD or in ~/.pgpass',
    );
  }
  const given = membersOf(url);
  const host = given.host ?? url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw new PostgresUrlError('the URL names no host: postgres://user@host/database');
  const database = decoded(url.pathname.slice(1));
  if (database === '') throw new PostgresUrlError('the URL names no database: postgres://user@host/database');
  const schema = given.schema ?? 'tallystick';
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new PostgresUrlError(`"${schema}" is no schema: use lower-case letters, digits and underscores`);
  return {
    host,
    port: url.port === '' ? defaultPort : Number(url.port),
    database,
    user: url.username === '' ? undefined : decoded(url.username),
    schema,
    durability: oneOf('durability', given.durability, ['quorum', 'single-node']),
    ssl: sslOf(host, given),
  };
}

function asUrl(text: string): URL {
  if (!isPostgresUrl(text) || !URL.canParse(text))
    throw new PostgresUrlError('this is not a URL like postgres://user@host:5432/database');
  return new URL(text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new PostgresUrlError(`"${text}" is not percent-encoded: write %25 for a percent sign`, {
      cause: error,
    });
  }
}

type Given = Partial<Record<(typeof members)[number], string>>;

function membersOf(url: URL): Given {
  const given: Given = {};
  for (const [name, value] of url.searchParams) {
    const known = members.find((member) => member === name);
    if (known === undefined)
      throw new PostgresUrlError(`the URL has "${name}", which is none of ${members.join(', ')}`);
    if (given[known] !== undefined) throw new PostgresUrlError(`the URL has "${name}" twice`);
    given[known] = value;
  }
  return given;
}

/** The first choice is the default. */
function oneOf<const T extends string>(
  name: string,
  value: string | undefined,
  choices: readonly [T, ...T[]],
): T {
  if (value === undefined) return choices[0];
  const chosen = choices.find((choice) => choice === value);
  if (chosen === undefined)
    throw new PostgresUrlError(`${name} is "${value}", which is none of ${choices.join(', ')}`);
  return chosen;
}

/** A name that is not this machine's is proven by a certificate, unless the URL says otherwise. */
function sslOf(host: string, given: Given): ConnectionOptions | false {
  const { sslmode, sslrootcert } = given;
  const isSocket = host.startsWith('/');
  const isLocal =
    isSocket || host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
  const mode = oneOf('sslmode', sslmode ?? (isLocal ? 'disable' : undefined), sslModes);
  const own = certificateOf(given);
  if (mode === 'disable') {
    if (own !== null) throw new PostgresUrlError('sslcert is shown over TLS alone: say sslmode=verify-full');
    return false;
  }
  if (isSocket) throw new PostgresUrlError('a Unix socket has no TLS: leave sslmode out');
  // Node compares the certificate with this name or address; pg names only names.
  const named: ConnectionOptions = { host, ...(isIP(host) === 0 && { servername: host }), ...own };
  if (mode === 'require') return { ...named, rejectUnauthorized: false };
  return {
    ...named,
    rejectUnauthorized: true,
    ...(sslrootcert !== undefined && { ca: readPem('sslrootcert', sslrootcert) }),
  };
}

function certificateOf({ sslcert, sslkey }: Given): { cert: string; key: string } | null {
  if (sslcert === undefined && sslkey === undefined) return null;
  if (sslcert === undefined || sslkey === undefined)
    throw new PostgresUrlError('sslcert and sslkey go together: name both files');
  const cert = readPem('sslcert', sslcert);
  const key = readPem('sslkey', sslkey);
  // As libpq has it: others must not be able to read the key.
  if ((statSync(sslkey).mode & 0o007) !== 0)
    throw new PostgresUrlError(`sslkey ${sslkey} can be read by everybody: run chmod 640 on it`);
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
  } catch (error) {
    throw new PostgresUrlError(`sslcert ${sslcert} and sslkey ${sslkey} are no certificate and key in PEM`, {
      cause: error,
    });
  }
  throw new PostgresUrlError(`sslkey ${sslkey} is not the key of the certificate in ${sslcert}`);
}

function readPem(member: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new PostgresUrlError(`${member} ${file} cannot be read: correct it or its permissions`, {
      cause: error,
    });
  }
}
