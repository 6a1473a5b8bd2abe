import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RealSystem } from './support/real-system.ts';

let system: RealSystem;

beforeAll(async () => {
  system = await RealSystem.create({ algorithms: ['ed25519'] });
});

afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
});

describe('a start says which file it is', () => {
  it.each<[string, (text: string) => string, RegExp]>([
    ['that was cut off', (text) => text.slice(0, 40), /system\.json is not a JSON object: repair it/],
    ['of a later version', (text) => text.replace('"v": 1', '"v": 2'), /system\.json is not of version 1/],
    [
      'with a port that is none',
      (text) => text.replace('"admin": 0', '"admin": "7312"'),
      /system\.json: the port admin must be a whole number from 0 to 65535/,
    ],
  ])('where system.json is one %s', async (_, damage, message) => {
    const { system: file } = system.layout;
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, damage(whole));
    await expect(system.up()).rejects.toThrow(message);
    writeFileSync(file, whole);
  });

  it('where client.json is damaged, and nothing of the token in it', async () => {
    const { client: file } = system.layout;
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, whole.slice(0, -3));
    const error: unknown = await system.up().catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/client\.json is not a JSON object/);
    expect(String(error)).not.toContain('tally_admin_');
    writeFileSync(file, whole);
  });

  it('where the keystore of the signer is missing', async () => {
    const { online: file } = system.layout.keys;
    renameSync(file, `${file}.away`);
    await expect(system.up()).rejects.toThrow(/online\.sealed/);
    renameSync(`${file}.away`, file);
  });
});

describe('a system without client.json', () => {
  it('starts, and writes where it is and nothing that opens it', async () => {
    const { token, ...others } = system.client;
    rmSync(system.layout.client);
    await system.up();
    const { admin, public: open } = system.supervisor.urls;
    expect(system.client).toEqual({ ...others, adminUrl: admin, publicUrl: open });
    expect(token).toMatch(/^tally_admin_/);
  });
});
