import { formatVerifierKey } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { type CosignerConfig, parseConfig } from '../src/index.ts';
import { plainLog } from './support/plain-log.ts';

const { origin, vkey } = plainLog(1);
const base = {
  name: 'witness.example/w1',
  listen: { host: '127.0.0.1', port: 7380 },
  stateFile: 'state.db',
  keyFile: 'cosigner.key',
  logs: [{ origin, vkeys: [formatVerifierKey(vkey)] }],
};

function parse(members: object): CosignerConfig {
  return parseConfig(JSON.stringify({ ...base, ...members }), 'witness', '/srv/w');
}

describe('the configuration of a witness', () => {
  it('needs no more than name, address, files and logs', () => {
    expect(parse({})).toMatchObject({
      metrics: null,
      tls: null,
      url: null,
      limits: {},
      keyFile: '/srv/w/cosigner.key',
    });
  });

  it('may have an address for the operator, TLS, an address for logs, and limits', () => {
    const limits = { checkpointsPerSecond: 10, strangersPerSecond: 20 };
    const metrics = { host: '::1', port: 7381 };
    const tls = { certFile: 'tls.crt', keyFile: '/etc/tls.key' };
    expect(parse({ limits, metrics, tls, url: 'https://witness.example/w1/' })).toMatchObject({
      limits,
      metrics,
      tls: { certFile: '/srv/w/tls.crt', keyFile: '/etc/tls.key' },
      url: 'https://witness.example/w1',
    });
  });

  it.each<[object, string]>([
    [{ limits: { checkpointsPerSecond: 0 } }, 'limits.checkpointsPerSecond'],
    [{ limits: { strangersPerSecond: -1 } }, 'limits.strangersPerSecond'],
    [{ limits: { perSecond: 1 } }, 'limits.perSecond: unknown member'],
    [{ metrics: { host: '::1', port: 70_000 } }, 'metrics.port'],
    [{ tls: { certFile: 'tls.crt' } }, 'tls.keyFile'],
    [{ url: 'witness.example' }, 'url'],
    [{ logs: [] }, 'logs: none is listed'],
  ])('is refused with %j', (members, message) => {
    expect(() => parse(members)).toThrow(message);
  });
});
