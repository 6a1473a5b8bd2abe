/**
 * Where a store in PostgreSQL is, as one URL without a secret:
 *
 *     postgres://user@host:5432/database?schema=tallystick&durability=quorum&sslmode=verify-full&sslrootcert=/ca.pem
 *
 * `host=/folder` in place of a host name takes the Unix socket there. Nothing but these members is taken, so that a
 * misspelled one does not weaken anything in silence.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
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

const members = ['schema', 'durability', 'sslmode', 'sslrootcert', 'host'] as const;
const sslModes = ['verify-full', 'require', 'disable'] as const;
const defaultPort = 5432;

export function isPostgresUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text);
}

/** Throws PostgresUrlError. Reads the file that `sslrootcert` names. */
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
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === '') throw new PostgresUrlError('the URL names no database: postgres://user@host/database');
  const schema = given.schema ?? 'tallystick';
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
    throw new PostgresUrlError(`"${schema}" is no schema: use lower-case letters, digits and underscores`);
  return {
    host,
    port: url.port === '' ? defaultPort : Number(url.port),
    database,
    user: url.username === '' ? undefined : decodeURIComponent(url.username),
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
function sslOf(host: string, { sslmode, sslrootcert }: Given): ConnectionOptions | false {
  const isSocket = host.startsWith('/');
  const isLocal = isSocket || host === 'localhost' || host === '::1' || host.startsWith('127.');
  const mode = oneOf('sslmode', sslmode ?? (isLocal ? 'disable' : undefined), sslModes);
  if (mode === 'disable') return false;
  if (isSocket) throw new PostgresUrlError('a Unix socket has no TLS: leave sslmode out');
  // Node compares the certificate with this name or address; pg names only names.
  const named: ConnectionOptions = isIP(host) === 0 ? { host, servername: host } : { host };
  if (mode === 'require') return { ...named, rejectUnauthorized: false };
  return {
    ...named,
    rejectUnauthorized: true,
    ...(sslrootcert !== undefined && { ca: readCa(sslrootcert) }),
  };
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new PostgresUrlError(`sslrootcert ${file} cannot be read: correct it or its permissions`, {
      cause: error,
    });
  }
}
