/** A real log in real SQLite files, with changes of every kind, to be checked and tampered with. */
import { createHmac } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { PublicKey, TrustRoot } from '@tallystick/core';
import { type IndexLicenseKey, Projections, SqliteStore, type Store } from '@tallystick/ledger';
import { onlineKeys } from '@tallystick/server';
import type { SigningAlgorithm, SigningKey } from '@tallystick/signer';
import { TestSystem, type TestSystemOptions } from '@tallystick/testkit';
import { type FsckOptions, type FsckParts, type FsckReport, fsck } from '../../src/index.ts';

/** As testkit's systems index license keys. */
export const indexKey: IndexLicenseKey = (key) => createHmac('sha256', 'test').update(key).digest('base64');

export interface VariedLog {
  folder: string;
  storeFile: string;
  projectionsFile: string;
  trust: TrustRoot;
  keys: PublicKey[];
  /** The keys of the signer, by usage and algorithm: Ed25519 where it is left out. */
  keyFor(usage: string, alg?: SigningAlgorithm): SigningKey;
  mark: { size: number; root: Uint8Array };
  ns: string;
  indexKey: IndexLicenseKey;
}

/** What `work` did with a fresh system, as files that nobody has open. */
export async function makeLog(
  work: (system: TestSystem, files: Pick<VariedLog, 'storeFile' | 'projectionsFile'>) => Promise<void>,
  options: TestSystemOptions = {},
): Promise<VariedLog> {
  const folder = mkdtempSync(join(tmpdir(), 'tally-audit-'));
  const storeFile = join(folder, 'ledger.db');
  const projectionsFile = join(folder, 'projections.db');
  const store = SqliteStore.create(storeFile, { synchronous: 'off' });
  const projections = new Projections(projectionsFile);
  const system = await TestSystem.start({ ...options, store, projections });
  const { identity, trust } = system.world;
  await work(system, { storeFile, projectionsFile });
  await system.ledger.whenPublished(system.ledger.size, 60_000);
  const online = onlineKeys(identity.keys);
  await system.ledger[Symbol.asyncDispose]();
  const { size, root } = system.world.signer.describe().mark;
  await system[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  projections[Symbol.dispose]();
  return {
    folder,
    storeFile,
    projectionsFile,
    trust,
    keys: online.map((key) => key.publicKey),
    keyFor(usage, alg = 'ed25519') {
      const key = online.find(
        ({ usages, publicKey }) => (usages as readonly string[]).includes(usage) && publicKey.alg === alg,
      );
      if (key === undefined) throw new Error(`no ${usage} key`);
      return key;
    },
    mark: { size, root },
    ns: identity.namespace.ns,
    indexKey,
  };
}

/** A few dozen changes: every record type that a command makes, more than one subject in some of them. */
export async function makeVariedLog(): Promise<VariedLog> {
  return makeLog(async (system) => {
    await system.sellPro();
    const settled = async (): Promise<void> => {
      await system.ledger.whenPublished(system.ledger.size, 10_000);
    };
    const idOf = async (command: Parameters<TestSystem['run']>[0], key?: string): Promise<string> =>
      (await system.run(command, key)).changes[0]?.change.subject.id ?? '';
    const contoso = await idOf({
      type: 'customer.create',
      reference: 'C-1',
      name: 'Contoso',
      email: 'a@contoso.example',
    });
    const fabrikam = await idOf({ type: 'customer.create', reference: 'C-2', name: 'Fabrikam' });
    const adatum = await idOf({ type: 'customer.create', reference: 'C-3', name: 'Adatum' });
    const licenses: string[] = [];
    for (const [nth, customer] of [contoso, fabrikam, adatum, contoso, fabrikam, adatum].entries()) {
      const companion = { order: `O-${nth}`, price: 4900, currency: 'EUR' };
      const issue = {
        type: 'license.issue',
        plan: 'pro-yearly',
        customer,
        licensee: `Licensee ${nth}`,
        companion,
      } as const;
      licenses.push(await idOf(issue, `order-${nth}`));
    }
    const [first = '', second = '', third = '', fourth = '', fifth = ''] = licenses;
    await settled();
    await system.run({ type: 'license.amend', license: first, licensee: 'Contoso Ltd' });
    await system.run({ type: 'license.suspend', license: second, reason: 'payment' });
    await system.run({ type: 'license.reinstate', license: second });
    await system.run({ type: 'license.renew', license: third });
    await settled();
    await system.run({ type: 'license.revoke', license: third, reason: 'refund' });
    await system.run({ type: 'license.replace', license: fourth });
    await system.run({ type: 'license.rekey', license: fifth });
    await system.run({ type: 'license.reissue', license: fifth });
    await system.run({ type: 'license.transfer', license: fifth, customer: contoso });
    await system.run({ type: 'customer.update', customer: adatum, reference: 'C-9' });
    await system.run({ type: 'product.update', product: 'pro', name: 'Professional' });
    await settled();
    await system.run({ type: 'customer.merge', customer: fabrikam, into: contoso });
    await settled();
    await system.run({ type: 'customer.erase', customer: adatum });
    await settled();
    await system.run({ type: 'license.issue', plan: 'pro-yearly', customer: contoso }, 'order-last');
  });
}

/** A copy of a log to tamper with, removed when disposed of. */
export class Copy implements Disposable {
  readonly log: VariedLog;

  constructor(log: VariedLog) {
    const folder = mkdtempSync(join(tmpdir(), 'tally-tampered-'));
    cpSync(log.folder, folder, { recursive: true });
    this.log = {
      ...log,
      folder,
      storeFile: join(folder, 'ledger.db'),
      projectionsFile: join(folder, 'projections.db'),
    };
  }

  /** Changes the store behind everybody's back. */
  tamper(work: (database: DatabaseSync) => void): void {
    change(this.log.storeFile, work);
  }

  tamperProjections(work: (database: DatabaseSync) => void): void {
    change(this.log.projectionsFile, work);
  }

  check(options: Partial<FsckOptions> = {}, parts: Partial<FsckParts> = {}): Promise<FsckReport> {
    return check(this.log, options, parts);
  }

  [Symbol.dispose](): void {
    removeLog(this.log);
  }
}

export function removeLog(log: VariedLog): void {
  rmSync(log.folder, { recursive: true, force: true });
}

export async function check(
  log: VariedLog,
  options: Partial<FsckOptions> = {},
  parts: Partial<FsckParts> = {},
): Promise<FsckReport> {
  await using store = SqliteStore.open(log.storeFile, { readOnly: true });
  return await fsck(partsOf(log, store, parts), {
    now: Math.floor(Date.now() / 1000),
    workers: 0,
    ...options,
  });
}

export function partsOf(log: VariedLog, store: Store, parts: Partial<FsckParts> = {}): FsckParts {
  const { trust, ns, keys, mark, storeFile, projectionsFile: file } = log;
  return {
    store,
    storeFile,
    genesis: trust.genesis,
    ns,
    keys,
    projections: { file, indexKey: log.indexKey },
    mark,
    ...parts,
  };
}

function change(file: string, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file);
  try {
    work(database);
  } finally {
    database.close();
  }
}
