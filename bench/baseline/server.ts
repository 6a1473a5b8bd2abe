/**
 * Starts the baseline server.
 *
 *     node bench/baseline/server.ts --directory DIR --customers 10000 --token SECRET [--synchronous FULL|OFF] [--postgres URL]
 *
 * `SYNCHRONOUS` in the environment is the default of `--synchronous`. Prints one JSON line once it listens,
 * `{"port": 40123, "customers": "DIR/customers.json"}`, and stops on SIGTERM.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CryptoKey, exportPKCS8, generateKeyPair, importPKCS8 } from 'jose';
import { PostgresBaselineStore } from './postgres-store.ts';
import { createService } from './service.ts';
import { BaselineStore, type Synchronous } from './store.ts';

const HOST = '127.0.0.1';

function parseSynchronous(text: string): Synchronous {
  if (text === 'FULL' || text === 'OFF') return text;
  throw new Error(`synchronous must be FULL or OFF, not ${text}`);
}

/** Writes a new key the way a vendor keeps one, as PKCS#8 PEM in a file, and imports it once. */
async function createSigningKey(directory: string): Promise<CryptoKey> {
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  const pem = await exportPKCS8(privateKey);
  writeFileSync(join(directory, 'signing-key.pem'), pem, { mode: 0o600 });
  return importPKCS8(pem, 'EdDSA');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      directory: { type: 'string' },
      customers: { type: 'string', default: '10000' },
      token: { type: 'string' },
      postgres: { type: 'string' },
      synchronous: { type: 'string', default: process.env.SYNCHRONOUS ?? 'FULL' },
    },
  });
  if (values.directory === undefined || values.token === undefined) {
    throw new Error('--directory and --token are required');
  }
  mkdirSync(values.directory, { recursive: true });
  const schema = `baseline_${randomBytes(6).toString('hex')}`;
  const store =
    values.postgres === undefined
      ? new BaselineStore(join(values.directory, 'baseline.sqlite'), parseSynchronous(values.synchronous))
      : await PostgresBaselineStore.create(values.postgres, schema);
  const customersPath = join(values.directory, 'customers.json');
  writeFileSync(customersPath, JSON.stringify(await store.seedCustomers(Number(values.customers))));

  const app = createService({
    store,
    signingKey: await createSigningKey(values.directory),
    keyId: 'baseline-1',
    adminToken: values.token,
    now: Date.now,
  });
  process.once('SIGTERM', () => {
    void app.close().then(() => store.close());
  });
  await app.listen({ host: HOST, port: 0 });
  const { port } = app.server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ port, customers: customersPath })}\n`);
}

await main();
