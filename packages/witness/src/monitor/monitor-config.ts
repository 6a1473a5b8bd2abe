/**
 * The configuration file of a monitor, `monitor.json` in its folder:
 *
 *     {"logs": [{"trustRoot": "trust-root.json", "logUrl": "https://…/log", "trustUrl": "https://…/trust",
 *                "tokenFile": "mirror.token", "witnesses": [{"name": "witness.example/w1", "url": "https://…"}],
 *                "staleSeconds": 900, "behindSeconds": 60}]}
 *
 * Paths are relative to the folder. `tokenFile` may be left out: then only checkpoints are compared.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseTrustRootFile, verifyTrustChain } from '@tallystick/core';
import { Members, parseText, readToken } from '../config.ts';
import { ConfigError, messageOf } from '../errors.ts';
import type { WatchedLogConfig } from './log-monitor.ts';

/** Where the files of a monitor are, in its folder. */
export interface MonitorLayout {
  config: string;
  key: string;
  state: string;
  evidence: string;
  promises: string;
}

export function monitorLayout(folder: string): MonitorLayout {
  const path = (name: string): string => join(folder, name);
  return {
    config: path('monitor.json'),
    key: path('monitor.key'),
    state: path('monitor.db'),
    evidence: path('evidence'),
    promises: path('promises'),
  };
}

export const monitorDefaults = { staleSeconds: 900, behindSeconds: 60 } as const;

const secondsMax = 365 * 86_400;

/** Reads and checks it, and the trust roots that it names. Throws ConfigError. */
export async function loadMonitorConfig(folder: string): Promise<WatchedLogConfig[]> {
  const { config } = monitorLayout(folder);
  let text: string;
  try {
    text = readFileSync(config, 'utf8');
  } catch (error) {
    throw new ConfigError(`cannot read the configuration: ${messageOf(error)}`, { cause: error });
  }
  return parseMonitorConfig(text, folder);
}

/** As `loadMonitorConfig`, for the text of a configuration; relative paths start in `folder`. */
export async function parseMonitorConfig(text: string, folder: string): Promise<WatchedLogConfig[]> {
  const json = new Members(parseText(text), '', ['logs']);
  const logs: WatchedLogConfig[] = [];
  for (const [at, value] of json.list('logs').entries())
    logs.push(await readLog(value, `logs[${at}]`, folder));
  const origins = logs.map(({ trust: [{ log }] }) => log.origin);
  if (logs.length === 0) throw new ConfigError('logs: none is listed');
  if (new Set(origins).size !== origins.length) throw new ConfigError('logs: an origin is listed twice');
  return logs;
}

async function readLog(value: unknown, where: string, folder: string): Promise<WatchedLogConfig> {
  const names = [
    'trustRoot',
    'logUrl',
    'trustUrl',
    'tokenFile',
    'witnesses',
    'staleSeconds',
    'behindSeconds',
  ];
  const json = new Members(value, where, names);
  const seconds = (name: 'staleSeconds' | 'behindSeconds'): number =>
    json.has(name) ? json.count(name, secondsMax) : monitorDefaults[name];
  return {
    trust: await readTrust(resolve(folder, json.text('trustRoot'))),
    logUrl: json.url('logUrl'),
    trustUrl: json.url('trustUrl'),
    token: json.has('tokenFile') ? readToken(resolve(folder, json.text('tokenFile'))) : undefined,
    witnesses: json.list('witnesses').map((item, at) => {
      const witness = new Members(item, `${where}.witnesses[${at}]`, ['name', 'url']);
      return { name: witness.text('name'), url: witness.url('url') };
    }),
    staleSeconds: seconds('staleSeconds'),
    behindSeconds: seconds('behindSeconds'),
  };
}

async function readTrust(path: string): Promise<WatchedLogConfig['trust']> {
  try {
    const [first, ...others] = await verifyTrustChain(parseTrustRootFile(readFileSync(path, 'utf8')));
    if (first === undefined) throw new Error('it holds no version');
    return [first, ...others];
  } catch (error) {
    throw new ConfigError(`${path} is no trust root: ${messageOf(error)}`, { cause: error });
  }
}
