/**
 * The configuration file of a cosigner process.
 *
 *     {"name": "witness.example/w1", "listen": {"host": "127.0.0.1", "port": 7380},
 *      "stateFile": "witness.db", "keyFile": "witness.key",
 *      "logs": [{"origin": "…", "vkeys": ["…"]}]}
 *
 * `metrics` is an address of its own for the operator, `tls` has `certFile` and `keyFile`, and `clientCaFile` with
 * `clientIds` where only the processes with these SPIFFE ids may ask for cosignatures; `url` says where logs find it,
 * and `limits` has `checkpointsPerSecond` of each log and `strangersPerSecond`; all of them may be left out.
 * A replayer's logs also have `logUrl`, `trustUrl`, `genesis` (base64) and, where entries are closed to outsiders,
 * `tokenFile`, and for https `tls` with `caFile`, `certFile` and `keyFile`; `follow` looks by itself at a log that does
 * not ask for cosignatures; `contents` has `file`, `tokenFile`, `publicKey` (base64) and, where documents are opened here,
 * `keyFile`. `workers` says how many threads check signatures. `tokenHashes` opens what a replayer
 * holds: for each reader the base64 of its token's SHA-256. Paths are relative to the file's folder.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  decodeBase64,
  hashLength,
  IntegrityError,
  isKeyName,
  noteSignatureType,
  parseVerifierKey,
  type VerifierKey,
} from '@tallystick/core';
import { parseContentPublicKey } from './contents/content-key.ts';
import type { ContentOptions } from './contents/mirror-contents.ts';
import { ConfigError, messageOf } from './errors.ts';
import { isSpiffeId } from './peer-identity.ts';
import type { ReplayerLog } from './replayer/replayer.ts';
import type { CosignerKind } from './state/state-file.ts';
import type { ClientTlsPaths } from './tls-files.ts';

export interface ListenConfig {
  host: string;
  /** 0 takes any free port. */
  port: number;
}

interface ProcessConfig {
  name: string;
  listen: ListenConfig;
  /** Where the operator reads metrics and health. */
  metrics: ListenConfig | null;
  /** Files in PEM; `clients` where only processes with these SPIFFE ids may ask for cosignatures. */
  tls: { certFile: string; keyFile: string; clients: { caFile: string; ids: string[] } | null } | null;
  /** Where logs find it, for what is printed; the submission prefix of tlog-witness. */
  url: string | null;
  limits: { checkpointsPerSecond?: number; strangersPerSecond?: number };
  stateFile: string;
  keyFile: string;
  /** Threads that check signatures. */
  workers: number;
}

export interface WitnessConfig extends ProcessConfig {
  kind: 'witness';
  logs: { origin: string; vkeys: VerifierKey[] }[];
}

export interface ReplayerConfig extends ProcessConfig {
  kind: 'replayer';
  logs: ReplayerLog[];
  /** SHA-256 of each token that opens tiles, entries and proofs. */
  tokenHashes: Uint8Array[];
}

export type CosignerConfig = WitnessConfig | ReplayerConfig;

const workersDefault = 2;
const workersMax = 64;

/** Reads and checks a configuration file. Throws ConfigError. */
export function loadConfig(path: string, kind: CosignerKind): CosignerConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`cannot read the configuration: ${messageOf(error)}`, { cause: error });
  }
  return parseConfig(text, kind, dirname(resolve(path)));
}

/**
 * Parses a configuration; relative paths start in `folder`. Throws ConfigError. `mayLackLogs` is for who writes one:
 * nothing serves without a log.
 */
export function parseConfig(
  text: string,
  kind: CosignerKind,
  folder: string,
  { mayLackLogs = false }: { mayLackLogs?: boolean } = {},
): CosignerConfig {
  const json = new Members(parseText(text), '', [
    'name',
    'listen',
    'stateFile',
    'keyFile',
    'logs',
    'metrics',
    'tls',
    'url',
    'limits',
    ...(kind === 'replayer' ? ['workers', 'tokenHashes'] : []),
  ]);
  const name = json.text('name');
  if (!isKeyName(name)) throw new ConfigError('name: has spaces, a plus or nothing in it');
  const common = {
    name,
    listen: parseListen(json.value('listen'), 'listen'),
    metrics: json.has('metrics') ? parseListen(json.value('metrics'), 'metrics') : null,
    tls: json.has('tls') ? parseTls(json.value('tls'), folder) : null,
    url: json.has('url') ? json.url('url') : null,
    limits: json.has('limits') ? parseLimits(json.value('limits')) : {},
    stateFile: resolve(folder, json.text('stateFile')),
    keyFile: resolve(folder, json.text('keyFile')),
    workers: json.has('workers') ? json.count('workers', workersMax) : workersDefault,
  };
  const logs = json.list('logs');
  const config: CosignerConfig =
    kind === 'witness'
      ? { ...common, kind, logs: logs.map((log, at) => parseLog(log, `logs[${at}]`)) }
      : {
          ...common,
          kind,
          logs: logs.map((log, at) => parseReplayedLog(log, `logs[${at}]`, folder)),
          tokenHashes: json.has('tokenHashes') ? json.list('tokenHashes').map(parseTokenHash) : [],
        };
  const origins = config.logs.map((log) => log.origin);
  if (new Set(origins).size !== origins.length) throw new ConfigError('logs: an origin is listed twice');
  if (origins.length === 0 && !mayLackLogs)
    throw new ConfigError('logs: none is listed; for a witness, tally witness add-log adds one');
  return config;
}

function parseListen(value: unknown, where: string): ListenConfig {
  const json = new Members(value, where, ['host', 'port']);
  return { host: json.text('host'), port: json.count('port', 65_535) };
}

function parseTls(value: unknown, folder: string): ProcessConfig['tls'] {
  const json = new Members(value, 'tls', ['certFile', 'keyFile', 'clientCaFile', 'clientIds']);
  if (json.has('clientCaFile') !== json.has('clientIds'))
    throw new ConfigError(
      'tls: clientCaFile says who issues clients their certificates, and clientIds which count: give both',
    );
  return {
    certFile: resolve(folder, json.text('certFile')),
    keyFile: resolve(folder, json.text('keyFile')),
    clients: json.has('clientIds')
      ? { caFile: resolve(folder, json.text('clientCaFile')), ids: json.list('clientIds').map(parseSpiffeId) }
      : null,
  };
}

function parseSpiffeId(value: unknown): string {
  if (typeof value === 'string' && isSpiffeId(value)) return value;
  throw new ConfigError('tls.clientIds: each is a SPIFFE id such as spiffe://tally.example/server');
}

function parseLimits(value: unknown): ProcessConfig['limits'] {
  const names = ['checkpointsPerSecond', 'strangersPerSecond'] as const;
  const json = new Members(value, 'limits', names);
  const given = names
    .filter((name) => json.has(name))
    .map((name) => [name, json.count(name, 1_000_000)] as const);
  const none = given.find(([, limit]) => limit === 0);
  if (none !== undefined) throw new ConfigError(`limits.${none[0]}: nothing at all would be answered with 0`);
  return Object.fromEntries(given);
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`the configuration is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

function parseLog(value: unknown, where: string): { origin: string; vkeys: VerifierKey[] } {
  return readLog(new Members(value, where, ['origin', 'vkeys']));
}

function parseReplayedLog(value: unknown, where: string, folder: string): ReplayerLog {
  const json = new Members(value, where, [
    'origin',
    'vkeys',
    'logUrl',
    'trustUrl',
    'tokenFile',
    'genesis',
    'follow',
    'tls',
    'contents',
  ]);
  const token = json.has('tokenFile') ? readToken(resolve(folder, json.text('tokenFile'))) : undefined;
  return {
    ...readLog(json),
    logUrl: json.url('logUrl'),
    trustUrl: json.url('trustUrl'),
    token,
    ...(json.has('tls') && { tls: parseClientTls(json.value('tls'), `${where}.tls`, folder) }),
    ...(json.has('contents') && {
      contents: parseContents(json.value('contents'), `${where}.contents`, folder),
    }),
    follow: json.has('follow') && json.flag('follow'),
    genesis: json.checked('genesis', (text) => decodeBase64(text, hashLength)),
  };
}

function parseContents(value: unknown, where: string, folder: string): ContentOptions {
  const json = new Members(value, where, ['file', 'tokenFile', 'publicKey', 'keyFile']);
  return {
    file: resolve(folder, json.text('file')),
    token: readToken(resolve(folder, json.text('tokenFile'))),
    publicKey: json.checked('publicKey', parseContentPublicKey),
    keyFile: json.has('keyFile') ? resolve(folder, json.text('keyFile')) : null,
  };
}

function parseClientTls(value: unknown, where: string, folder: string): ClientTlsPaths {
  const names = ['caFile', 'certFile', 'keyFile'] as const;
  const json = new Members(value, where, names);
  const given = names
    .filter((name) => json.has(name))
    .map((name) => [name, resolve(folder, json.text(name))]);
  return Object.fromEntries(given) as ClientTlsPaths;
}

function readLog(json: Members): { origin: string; vkeys: VerifierKey[] } {
  const origin = json.text('origin');
  const vkeys = json.list('vkeys').map((value) => {
    if (typeof value !== 'string') throw new ConfigError(`${json.name('vkeys')}: not text`);
    const vkey = failingAsConfig(json.name('vkeys'), () => parseVerifierKey(value));
    if (vkey.name !== origin || vkey.type === noteSignatureType.ed25519Cosignature) {
      throw new ConfigError(`${json.name('vkeys')}: ${vkey.name} is not a key of the log ${origin}`);
    }
    return vkey;
  });
  if (vkeys.length === 0) throw new ConfigError(`${json.name('vkeys')}: none is listed`);
  return { origin, vkeys };
}

function parseTokenHash(value: unknown, at: number): Uint8Array {
  const where = `tokenHashes[${at}]`;
  if (typeof value !== 'string') throw new ConfigError(`${where}: not text`);
  return failingAsConfig(where, () => decodeBase64(value, hashLength));
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`cannot read the token: ${messageOf(error)}`, { cause: error });
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new ConfigError(`${path} does not hold a token`);
  return token;
}

function failingAsConfig<T>(where: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof IntegrityError)
      throw new ConfigError(`${where}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The members of an object in the configuration; a misspelled one is an error rather than a default. */
class Members {
  readonly #members: Record<string, unknown>;
  readonly #where: string;

  constructor(value: unknown, where: string, known: readonly string[]) {
    this.#where = where;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ConfigError(`${where === '' ? 'the configuration' : where}: not an object`);
    }
    this.#members = value as Record<string, unknown>;
    const unknown = Object.keys(value).find((name) => !known.includes(name));
    if (unknown !== undefined) throw new ConfigError(`${this.name(unknown)}: unknown member`);
  }

  name(member: string): string {
    return this.#where === '' ? member : `${this.#where}.${member}`;
  }

  has(member: string): boolean {
    return this.#members[member] !== undefined;
  }

  value(member: string): unknown {
    return this.#members[member];
  }

  text(member: string): string {
    const value = this.value(member);
    if (typeof value !== 'string' || value === '')
      throw new ConfigError(`${this.name(member)}: text is missing`);
    return value;
  }

  checked<T>(member: string, parse: (text: string) => T): T {
    return failingAsConfig(this.name(member), () => parse(this.text(member)));
  }

  count(member: string, max: number): number {
    const value = this.value(member);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
      throw new ConfigError(`${this.name(member)}: not a number from 0 to ${max}`);
    }
    return value;
  }

  flag(member: string): boolean {
    const value = this.value(member);
    if (typeof value !== 'boolean') throw new ConfigError(`${this.name(member)}: not true or false`);
    return value;
  }

  list(member: string): unknown[] {
    const value = this.value(member);
    if (!Array.isArray(value)) throw new ConfigError(`${this.name(member)}: not a list`);
    return value;
  }

  /** An http or https address, without its final slash. */
  url(member: string): string {
    const text = this.text(member);
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
      throw new ConfigError(`${this.name(member)}: not an http address`);
    }
    return text.replace(/\/+$/, '');
  }
}

export { Members, parseText, readToken };
