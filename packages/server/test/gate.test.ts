/** The gate of a server: its file, its secret, and what the log has it end. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Directory } from '@tallystick/gate';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Gate } from '../src/gate.ts';
import { credentialDocument, gateConfig, principalDocument } from './support/gate-config.ts';

let folder: string;
const open: Gate[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tally-gate-'));
});

afterEach(() => {
  for (const gate of open.splice(0)) gate.close();
  rmSync(folder, { recursive: true, force: true });
});

function openGate(directory = new Directory(), config = gateConfig(folder)): Gate {
  const gate = new Gate(config, 'system', directory, (error) => {
    throw error;
  });
  open.push(gate);
  return gate;
}

const start = (principal: string, credential: string): Parameters<Gate['sessions']['begin']>[0] => ({
  principal,
  credential,
  strength: 2,
  authenticatedAt: new Date().toISOString(),
  steppedUpAt: null,
  address: '127.0.0.1',
  userAgent: 'tally',
  device: null,
});

it('says what to do about a file that is none of its own', () => {
  writeFileSync(join(folder, 'gate.db'), 'not a database, and long enough to be looked at as one'.repeat(20));
  expect(() => openGate()).toThrow(/gate\.db cannot be used .*: if no other server has it, remove it/);
});

it('does not share its file', () => {
  const config = gateConfig(folder);
  openGate(new Directory(), config);
  expect(() => openGate(new Directory(), config)).toThrow(/gate\.db cannot be used/);
});

it('wants a whole secret', () => {
  const config = gateConfig(folder);
  writeFileSync(config.licenseKeySecret, 'AAAA');
  expect(() => openGate(new Directory(), config)).toThrow(/does not hold 32 bytes in base64/);
});

it('ends the sessions of what the log ends, when it ends', () => {
  const gate = openGate();
  for (const [principal, credential] of [
    ['prn_a', 'crd_a'],
    ['prn_a', 'crd_b'],
    ['prn_c', 'crd_c'],
    ['prn_d', 'crd_d'],
  ] as const) {
    gate.sessions.begin(start(principal, credential));
  }
  gate.follow([
    credentialDocument({ id: 'crd_a', principal: 'prn_a', state: 'revoked' }),
    principalDocument({ id: 'prn_c', state: 'disabled' }),
    principalDocument({ id: 'prn_d' }),
  ]);
  expect(gate.sessions.list().map(({ credential }) => credential)).toEqual(['crd_d', 'crd_b']);
});
