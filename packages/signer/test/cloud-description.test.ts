import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { base64 } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { awsCredentialFiles } from '../src/cell/aws-files.ts';
import { publicKeyFromSpki, rawFromDer } from '../src/keystore/cloud-algorithms.ts';
import { readCloudDescription, writeCloudDescription } from '../src/keystore/cloud-description.ts';
import { readVaultTokenFile } from '../src/keystore/passphrase-file.ts';
import { checkServiceUrl } from '../src/keystore/service-url.ts';
import { scratchDirectory } from './support/scratch.ts';

describe('an ECDSA signature in DER', () => {
  const integer = (...bytes: number[]): number[] => [2, bytes.length, ...bytes];
  const sequence = (...content: number[]): Uint8Array => new Uint8Array([0x30, content.length, ...content]);
  const one = integer(1);
  const full = Array.from({ length: 32 }, () => 0x7f);

  it('is r and s of 32 bytes each, however short they are written', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    // One in 128 begins with a zero byte in r or s, which DER leaves out.
    for (let count = 0; count < 600; count++) {
      const message = randomBytes(20);
      const raw = rawFromDer(sign('sha256', message, privateKey));
      expect(raw).toHaveLength(64);
      expect(verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, raw)).toBe(true);
    }
    const shortest = rawFromDer(sequence(...one, ...integer(0, 0x80)));
    expect([...shortest.subarray(30, 32), ...shortest.subarray(62)]).toEqual([0, 1, 0, 0x80]);
  });

  it.each([
    ['empty', new Uint8Array()],
    ['no sequence', new Uint8Array([0x31, 6, ...one, ...one])],
    ['of another length than it says', new Uint8Array([0x30, 7, ...one, ...one])],
    ['longer than it says', new Uint8Array([...sequence(...one, ...one), 0])],
    ['of three numbers', sequence(...one, ...one, ...one)],
    ['of one number', sequence(...one)],
    ['cut short', sequence(...one, 2, 2, 1)],
    ['of something else than numbers', sequence(3, 1, 1, ...one)],
    ['of a negative number', sequence(...integer(0x80), ...one)],
    ['padded', sequence(...integer(0, 1), ...one)],
    ['of an empty number', sequence(...integer(), ...one)],
    ['of a zero', sequence(...integer(0), ...one)],
    ['of a number of 33 bytes', sequence(...integer(1, ...full), ...one)],
    ['in a long form', new Uint8Array([0x30, 0x81, 6, ...one, ...one])],
  ])('that is %s is refused', (_what, der) => {
    expect(() => rawFromDer(der)).toThrow(/signature of an unknown form/);
  });
});

describe('a public key that a service shows', () => {
  it.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, /of type rsa/],
    ['of another curve', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey, /of type P-384/],
  ])('is not taken where it is %s', (_what, key, words) => {
    expect(() => publicKeyFromSpki(key.export({ format: 'der', type: 'spki' }))).toThrow(words);
    expect(() => publicKeyFromSpki(key.export({ format: 'pem', type: 'spki' }).toString())).toThrow(words);
  });

  it('is not taken where it is none, or of small order', () => {
    expect(() => publicKeyFromSpki(new Uint8Array(44))).toThrow(/shows no public key/);
    const weak = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.alloc(32)]);
    expect(() => publicKeyFromSpki(weak)).toThrow(/nobody may use/);
  });
});

describe('the address of a service', () => {
  it.each([
    'https://vault.example:8200',
    'https://vpce-1.kms.eu-central-1.vpce.amazonaws.com/',
    'http://127.0.0.1:8200',
    'http://127.9.9.9',
    'http://[::1]:8200',
    'http://localhost:8200',
  ])('%s is one', (address) => {
    expect(checkServiceUrl(address).host).not.toBe('');
  });

  it.each([
    ['vault.example:8200', /leave out|not encrypted|not an address/],
    ['', /not an address/],
    ['http://vault.example:8200', /not encrypted/],
    ['http://10.0.0.1:8200', /not encrypted/],
    ['http://127.0.0.1.example', /not encrypted/],
    ['http://localhost.example', /not encrypted/],
    ['http://[::2]', /not encrypted/],
    ['ftp://127.0.0.1', /not encrypted/],
    ['https://me:secret@vault.example', /leave out the rest/],
    ['https://vault.example/v1', /leave out the rest/],
    ['https://vault.example/?x=1', /leave out the rest/],
  ])('%s is none for us', (address, words) => {
    expect(() => checkServiceUrl(address)).toThrow(words);
    expect(() => checkServiceUrl(address)).not.toThrow('secret');
  });
});

describe('a description of cloud keys', () => {
  const key = {
    id: 'tally-log:1',
    alg: 'ed25519',
    key: base64(new Uint8Array(32).fill(9)),
    usages: ['log'],
    ns: null,
  };
  const vault = {
    v: 1,
    service: 'vault-transit',
    address: 'https://vault.example:8200',
    mount: 'transit',
    namespace: null,
    ca: '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n',
    keys: [key],
  };
  const aws = { v: 1, service: 'aws-kms', region: 'eu-central-1', endpoint: null, keys: [key] };

  function write(content: unknown): string {
    const file = join(scratchDirectory(), 'cloud.json');
    writeFileSync(file, JSON.stringify(content), { mode: 0o644 });
    return file;
  }

  it.each([vault, aws])('is read as it was written, and written once', (right) => {
    const copy = join(scratchDirectory(), 'copy.json');
    writeCloudDescription(copy, readCloudDescription(write(right)));
    expect(JSON.parse(readFileSync(copy, 'utf8'))).toEqual(right);
    expect(() => writeCloudDescription(copy, readCloudDescription(write(right)))).toThrow('EEXIST');
  });

  it.each([
    ['of another service', { ...aws, service: 'gcp-kms' }],
    ['of no service', { v: 1, module: 'x.so', token: 'tally', keys: [] }],
    ['of another version', { ...aws, v: 2 }],
    ['of a member more', { ...vault, token: 'hvs.secret' }],
    ['of a member less', { v: 1, service: 'aws-kms', region: 'eu-central-1', keys: [key] }],
    ['of a key with a member more', { ...aws, keys: [{ ...key, version: 2 }] }],
    ['of an unknown usage', { ...aws, keys: [{ ...key, usages: ['everything'] }] }],
  ])('%s is refused', (_what, content) => {
    expect(() => readCloudDescription(write(content))).toThrow(/is not a description of cloud keys/);
  });

  it('that leads in the clear to elsewhere, or that others can write, is refused', () => {
    expect(() => readCloudDescription(write({ ...vault, address: 'http://vault.example' }))).toThrow(
      /not encrypted/,
    );
    expect(() => readCloudDescription(write({ ...aws, endpoint: 'http://kms.example' }))).toThrow(
      /not encrypted/,
    );
    const file = write(aws);
    chmodSync(file, 0o664);
    expect(() => readCloudDescription(file)).toThrow(/chmod 644/);
  });
});

describe('a file with a token of Vault', () => {
  function write(text: string, mode: number): string {
    const file = join(scratchDirectory(), 'vault.token');
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  }

  it('gives the token without the end of its line', () => {
    expect(readVaultTokenFile(write('hvs.tests\n', 0o600))).toBe('hvs.tests');
  });

  it('is refused where others can reach it, where it is empty, and where it is missing', () => {
    expect(() => readVaultTokenFile(write('hvs.tests', 0o640))).toThrow(/Vault token file .* chmod 600/);
    expect(() => readVaultTokenFile(write('\n', 0o600))).toThrow(/is empty: write a token/);
    expect(() => readVaultTokenFile('/nowhere/token')).toThrow(/Vault token file cannot be read: ENOENT/);
  });
});

it('the files of AWS credentials are those that its variables name, else those of the home folder', () => {
  const [config, credentials, ...others] = awsCredentialFiles({});
  expect([config, credentials].map((path) => path?.split('/').slice(-2).join('/'))).toEqual([
    '.aws/config',
    '.aws/credentials',
  ]);
  expect(others).toEqual([]);
  const named = {
    AWS_CONFIG_FILE: '/a',
    AWS_SHARED_CREDENTIALS_FILE: '/b',
    AWS_WEB_IDENTITY_TOKEN_FILE: '/c',
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/d',
  };
  expect(awsCredentialFiles(named)).toEqual(['/a', '/b', '/c', '/d']);
});
