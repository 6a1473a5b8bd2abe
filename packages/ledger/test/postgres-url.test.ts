import { describe, expect, it } from 'vitest';
import { PostgresUrlError, parsePostgresUrl } from '../src/store/postgres/postgres-url.ts';

const on = (host: string, members = '') => parsePostgresUrl(`postgres://app@${host}/log${members}`);

describe('the URL of a store on PostgreSQL', () => {
  it('means a quorum, a schema of its own and the usual port', () => {
    expect(on('db.example')).toMatchObject({
      host: 'db.example',
      port: 5432,
      database: 'log',
      user: 'app',
      schema: 'tallystick',
      durability: 'quorum',
    });
  });

  it.each(['db.example', '10.0.0.7', '[2001:db8::1]', '127.db.example'])(
    'proves %s by its certificate, if nobody says otherwise',
    (host) => {
      expect(on(host).ssl).toMatchObject({ rejectUnauthorized: true, host: host.replace(/[[\]]/g, '') });
      expect(on(host, '?sslmode=require').ssl).toMatchObject({ rejectUnauthorized: false });
      expect(on(host, '?sslmode=disable').ssl).toBe(false);
    },
  );

  it.each(['127.0.0.1', '127.8.8.8', 'localhost', '[::1]'])('needs no certificate of %s, and can', (host) => {
    expect(on(host).ssl).toBe(false);
    expect(on(host, '?sslmode=verify-full').ssl).toMatchObject({ rejectUnauthorized: true });
  });

  it('takes a Unix socket', () => {
    const place = parsePostgresUrl('postgres:///log?host=/run/postgresql');
    expect(place).toMatchObject({ host: '/run/postgresql', user: undefined, ssl: false });
  });

  it.each([
    ['mysql://a/b', 'not a URL like'],
    ['postgres://a', 'names no database'],
    ['postgres:///b', 'names no host'],
    ['postgres://u:p@a/b', 'leave it out'],
    ['postgres://a/%zz', '"%zz" is not percent-encoded'],
    ['postgres://%zz@a/b', '"%zz" is not percent-encoded'],
    ['postgres://a/b?sslmode=prefer', 'none of verify-full, require, disable'],
    ['postgres://a/b?durability=async', 'none of quorum, single-node'],
    ['postgres://a/b?schema=A%22b', 'is no schema'],
    ['postgres://a/b?schema=a&schema=b', 'twice'],
    ['postgres://a/b?options=-c%20fsync%3Doff', 'has "options"'],
    ['postgres:///b?host=/run&sslmode=verify-full', 'a Unix socket has no TLS'],
    ['postgres://a/b?sslrootcert=/none', 'cannot be read'],
    ['postgres://a/b?sslcert=/none', 'go together'],
    ['postgres://a/b?sslcert=/none&sslkey=/none', 'sslcert /none cannot be read'],
    ['postgres://localhost/b?sslcert=/none&sslkey=/none', 'sslcert /none cannot be read'],
  ])('is refused as %s', (url, says) => {
    expect(() => parsePostgresUrl(url)).toThrow(PostgresUrlError);
    expect(() => parsePostgresUrl(url)).toThrow(says);
  });
});
