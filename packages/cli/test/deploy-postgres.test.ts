/** deploy/postgres: the settings without which a failover loses changes, or somebody reads along. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { routes } from '@tallystick/contract';
import { parsePostgresUrl } from '@tallystick/ledger/postgres-url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const folder = join(import.meta.dirname, '../../../deploy/postgres');
const patroni = readFileSync(join(folder, 'patroni.yml'), 'utf8');
const haproxy = readFileSync(join(folder, 'haproxy.cfg'), 'utf8');

interface PatroniFile {
  restapi: { certfile?: string; verify_client?: string };
  etcd3: { protocol?: string; hosts: string[] };
  bootstrap: {
    dcs: {
      ttl: number;
      loop_wait: number;
      retry_timeout: number;
      synchronous_mode: unknown;
      synchronous_node_count: number;
      synchronous_mode_strict: unknown;
      postgresql: { parameters: Record<string, unknown> };
    };
    initdb: (string | Record<string, string>)[];
  };
  postgresql: {
    authentication: Record<string, { sslmode?: string }>;
    parameters: Record<string, unknown>;
    pg_hba: string[];
  };
}

/** What is wrong with it, in names of settings. */
function problemsOfPatroni(text: string): string[] {
  const { restapi, etcd3, bootstrap, postgresql } = parse(text) as PatroniFile;
  const { dcs, initdb } = bootstrap;
  const parameters = { ...dcs.postgresql.parameters, ...postgresql.parameters };
  const checks: Record<string, boolean> = {
    synchronous_mode: dcs.synchronous_mode === 'quorum' && dcs.synchronous_node_count >= 1,
    synchronous_mode_strict: dcs.synchronous_mode_strict === true,
    // Patroni's own rules for them.
    ttl: dcs.ttl >= 20 && dcs.loop_wait + 2 * dcs.retry_timeout <= dcs.ttl,
    synchronous_standby_names: !('synchronous_standby_names' in parameters),
    durability: ['synchronous_commit', 'fsync', 'full_page_writes'].every(
      (name) => parameters[name] === 'on',
    ),
    initdb: initdb.includes('data-checksums'),
    ssl: parameters['ssl'] === 'on',
    replication: ['replication', 'rewind'].every(
      (name) => postgresql.authentication[name]?.sslmode === 'verify-full',
    ),
    pg_hba: postgresql.pg_hba.every((line) =>
      /^local .* (?:peer|scram-sha-256)$|^hostssl .* scram-sha-256$/.test(line),
    ),
    restapi: restapi.certfile !== undefined && /^(?:optional|required)$/.test(restapi.verify_client ?? ''),
    etcd3: etcd3.protocol === 'https' && etcd3.hosts.length === 3,
  };
  return Object.keys(checks).filter((name) => checks[name] !== true);
}

interface Section {
  name: string;
  lines: string[];
}

function sectionsOf(text: string): Section[] {
  const sections: Section[] = [];
  for (const line of text.split('\n').filter((each) => each.trim() !== '' && !each.trim().startsWith('#'))) {
    if (/^\S/.test(line)) sections.push({ name: line.trim(), lines: [] });
    else sections.at(-1)?.lines.push(line.trim());
  }
  return sections;
}

const writers = ['listen postgres', 'backend admin_writer', 'backend public_writer'];

function problemsOfHaproxy(text: string): string[] {
  const sections = sectionsOf(text);
  const missing = writers.filter((name) => !sections.some((section) => section.name === name));
  return [...missing, ...sections.flatMap(problemsOfSection)];
}

function problemsOfSection({ name, lines }: Section): string[] {
  const starting = (word: string): string[] => lines.filter((line) => line.startsWith(word));
  const servers = starting('server ').map((line) => `${line} ${starting('default-server ').join(' ')}`);
  const remote = servers.filter((line) => !/^server \S+ 127\.0\.0\.1:/.test(line));
  const binds = starting('bind ').filter((line) => !line.startsWith('bind 127.0.0.1:'));
  const isPassedOn = lines.includes('mode tcp');
  const checks: Record<string, boolean> = {
    // Who asks whether it is the one that writes, and cuts the connections to one that no longer is.
    primary:
      !writers.includes(name) ||
      (lines.includes(`http-check send meth GET uri ${routes['primary.get'].path}`) &&
        lines.includes('http-check expect status 200') &&
        remote.every(
          (line) => line.includes(' check ') && line.includes('on-marked-down shutdown-sessions'),
        )),
    'TLS to others': remote.every(
      (line) =>
        line.includes('verify required') &&
        line.includes('verifyhost ') &&
        line.includes(' check-ssl ') &&
        (isPassedOn || line.includes(' ssl ')),
    ),
    'TLS of its own': binds.every((line) => line.includes(' ssl ')),
    'a certificate of whoever comes':
      name === 'frontend public' || binds.every((line) => line.endsWith(' verify required')),
    'operators alone':
      name !== 'frontend own_ops' ||
      lines.some((line) => line.startsWith('http-request deny unless { path ')),
    'ports of tally init': servers.every((line) => !line.includes('127.0.0.1:') || /:731[123] /.test(line)),
  };
  return Object.keys(checks)
    .filter((what) => checks[what] !== true)
    .map((what) => `${name}: ${what}`);
}

function altered(text: string, from: RegExp, to: string): string {
  const result = text.replace(from, to);
  if (result === text) throw new Error(`nothing is like ${from}`);
  return result;
}

describe('the configuration of Patroni', () => {
  it('keeps what a quorum of nodes confirmed, and lets nobody in without TLS and password', () => {
    expect(problemsOfPatroni(patroni)).toEqual([]);
  });

  it.each<[string, RegExp, string]>([
    ['synchronous_mode', /synchronous_mode: quorum/, 'synchronous_mode: true'],
    ['synchronous_mode_strict', /synchronous_mode_strict: true/, 'synchronous_mode_strict: false'],
    ['ttl', /retry_timeout: 5/, 'retry_timeout: 10'],
    ['synchronous_standby_names', /ssl: "on"/, 'ssl: "on"\n    synchronous_standby_names: "*"'],
    ['durability', /ssl: "on"/, 'ssl: "on"\n    synchronous_commit: local'],
    ['initdb', /^ +- data-checksums\n/m, ''],
    ['ssl', /ssl: "on"/, "ssl: 'off'"],
    ['replication', /sslmode: verify-full/, 'sslmode: require'],
    ['pg_hba', /hostssl tally tally/, 'host tally tally'],
    ['pg_hba', /10\.0\.0\.0\/8 scram-sha-256/, '10.0.0.0/8 trust'],
    ['restapi', /verify_client: optional/, 'verify_client: none'],
    ['etcd3', /protocol: https/, 'protocol: http'],
  ])('would be noticed without %s', (name, from, to) => {
    expect(problemsOfPatroni(altered(patroni, from, to))).toEqual([name]);
  });
});

describe('the configuration of HAProxy', () => {
  it('leads to whoever writes, over TLS with names proven', () => {
    expect(problemsOfHaproxy(haproxy)).toEqual([]);
  });

  it.each<[string, RegExp, string]>([
    ['listen postgres: primary', / on-marked-down shutdown-sessions/, ''],
    ['listen postgres: primary', /uri \/primary/, 'uri /health'],
    ['listen postgres: TLS to others', / verifyhost a\.tally\.example/, ''],
    ['frontend own_admin: a certificate of whoever comes', /(bind :9312 .*) verify required/, '$1'],
    ['frontend admin: TLS of its own', /bind :8444 ssl/, 'bind :8444'],
    ['frontend own_ops: operators alone', /^ +http-request deny unless.*\n/m, ''],
    ['backend own_admin: ports of tally init', /127\.0\.0\.1:7312/, '127.0.0.1:8312'],
    ['backend admin_writer', /^backend admin_writer$/m, 'backend writer'],
  ])('would be noticed otherwise: %s', (problem, from, to) => {
    expect(problemsOfHaproxy(altered(haproxy, from, to))).toContain(problem);
  });

  it('has the server reach the database under a name, because TLS is off to 127.0.0.1', () => {
    const [url = ''] = /postgres:\/\/\S+/.exec(haproxy) ?? [];
    const place = parsePostgresUrl(url.replace(/sslrootcert=[^&]*/, ''));
    expect(place).toMatchObject({ port: 5000, durability: 'quorum', ssl: { rejectUnauthorized: true } });
    expect(haproxy).toContain(`bind 127.0.0.1:${place.port}`);
    expect(parsePostgresUrl(url.replace(place.host, '127.0.0.1').replace(/\?.*/, '')).ssl).toBe(false);
  });
});
