/** A ledger that can die at any moment and be opened again on what it had written by then. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as after } from 'node:timers/promises';
import { utf8 } from '@tallystick/core';
import {
  type Ledger,
  type LedgerEvent,
  type LedgerParts,
  MemoryStore,
  Projections,
  type Store,
  type SubmitResult,
} from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import {
  closeWorld,
  createWorld,
  FaultyStore,
  openLedger,
  type TestSystemOptions,
  type TestWorld,
} from '@tallystick/testkit';

type Parts = LedgerParts['signer'];
/** What may be done to the signer's answers: called before and after each request. */
export type SignerFault = (operation: keyof Parts, when: 'before' | 'after', request: unknown) => void;

/** The documents, as text, of a batch that the signer is asked to sign; none where it is asked for something else. */
export function documentsOf(request: unknown): string[] {
  const { records = [] } = (request ?? {}) as Partial<Parameters<Parts['signBatch']>[0]>;
  return records.map(({ content }) => Buffer.from(content?.document ?? []).toString());
}

export const indexKey = (key: string): string => createHmac('sha256', 'test').update(key).digest('base64');

export class CrashingSystem {
  readonly world: TestWorld;
  readonly inner: Store;
  store!: FaultyStore;
  ledger!: Ledger;
  events!: LedgerEvent[];
  projections!: Projections;
  /** Throws where the signer should fail. */
  signerFault: SignerFault | null = null;
  /** Milliseconds that the signer takes to answer. */
  signerDelayMs = 0;
  /** Arms the store of the next life before the ledger is opened on it. */
  onOpen: ((store: FaultyStore) => void) | null = null;
  #life = 0;
  #projectionsFile = '';
  #isAlive = { value: true };
  /** Those that died, each on its way out: their clean-up reaches nothing any more. */
  readonly #dead: { ended: Promise<void>; projections: Projections }[] = [];

  private constructor(world: TestWorld, inner: Store) {
    this.world = world;
    this.inner = inner;
  }

  static async start(options: TestSystemOptions = {}): Promise<CrashingSystem> {
    const inner = options.store ?? new MemoryStore();
    const system = new CrashingSystem(await createWorld({ ...options, store: inner }), inner);
    await system.open();
    await system.ready();
    return system;
  }

  /** Opens the ledger on what is there, with a copy of the projections as they are on the disk. */
  async open(): Promise<void> {
    const file = join(this.world.directory, `projections-${this.#life++}.db`);
    if (this.#projectionsFile !== '') copyDatabase(this.#projectionsFile, file);
    this.#projectionsFile = file;
    this.projections = new Projections(file);
    this.store = new FaultyStore(this.inner);
    this.onOpen?.(this.store);
    this.onOpen = null;
    this.#isAlive = { value: true };
    const { ledger, events } = await openLedger(this.world, {
      store: this.store,
      projections: this.projections,
      signer: this.#signer(this.#isAlive),
    });
    this.ledger = ledger;
    this.events = events;
  }

  get projectionsFile(): string {
    return this.#projectionsFile;
  }

  /** The process dies here: nothing that it does from now on reaches store, signer or projections. */
  async crash(): Promise<void> {
    this.store.kill();
    this.#isAlive.value = false;
    const projections = this.projections;
    const dying = this.ledger;
    await this.open();
    this.#dead.push({ ended: dying[Symbol.asyncDispose]().catch(() => {}), projections });
  }

  async ready(): Promise<void> {
    for (let waited = 0; this.ledger.mutations !== null; waited += 2) {
      if (waited > 10_000) throw this.ledger.mutations;
      await after(2);
    }
  }

  /** Resolves when everything durable is published. */
  async published(timeoutMs = 5000): Promise<void> {
    await this.ledger.whenPublished(this.ledger.size, timeoutMs);
  }

  submit(command: Command, key?: string, dryRun = false): Promise<SubmitResult> {
    const hash = new TextEncoder().encode(JSON.stringify(command));
    const cause = { who: { kind: 'test', id: 'test' }, why: null };
    return this.ledger.submit({ command, cause, request: key === undefined ? null : { key, hash }, dryRun });
  }

  /** Submits a command that must be carried out, and gives the id of its first subject. */
  async make(command: Command, key?: string): Promise<string> {
    const result = await this.submit(command, key);
    if ('refused' in result) throw new Error(`${result.refused.code}: ${result.refused.message}`);
    return result.changes[0]?.change.subject.id ?? '';
  }

  /** A product with a plan `pro`. */
  async sell(): Promise<void> {
    await this.make({ type: 'product.create', code: 'pro', name: 'Pro', entitlements: {} });
    await this.make({ type: 'plan.create', product: 'pro', code: 'pro', name: 'Pro', entitlements: {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store.mend();
    const ending = this.ledger[Symbol.asyncDispose]().then(
      () => true,
      () => true,
    );
    const isEnded = await Promise.race([ending, after(5000, false)]);
    this.projections[Symbol.dispose]();
    for (const { ended, projections } of this.#dead) {
      await Promise.race([ended, after(1000)]);
      projections[Symbol.dispose]();
    }
    await closeWorld(this.world);
    if (!isEnded) throw new Error('the ledger does not end');
  }

  #signer(alive: { value: boolean }): Parts {
    const { signer } = this.world;
    const ask = async <T>(
      operation: keyof Parts,
      request: unknown,
      act: () => T | Promise<T>,
    ): Promise<T> => {
      // A socket lies in between: answers never come in the same turn.
      await after(this.signerDelayMs);
      if (!alive.value) throw new Error('the process is dead');
      this.signerFault?.(operation, 'before', request);
      const answer = await act();
      this.signerFault?.(operation, 'after', request);
      return answer;
    };
    return {
      markSize: () => ask('markSize', null, () => signer.describe().mark.size),
      signBatch: (batch) => ask('signBatch', batch, () => signer.signBatch(batch)),
      abandon: (abandoned) => ask('abandon', abandoned, () => signer.abandon(abandoned)),
      adopt: (entry, document) => ask('adopt', document, () => signer.adopt(entry, document)),
      adoptTrustRoot: (envelopes) => ask('adoptTrustRoot', envelopes, () => signer.adoptTrustRoot(envelopes)),
      signPromise: (statement) => ask('signPromise', statement, () => signer.signPromise(statement)),
      signCheckpoint: (checkpoint, proof) =>
        ask('signCheckpoint', checkpoint, () => signer.signCheckpoint(checkpoint, proof)),
      follow: (note, proof) => ask('follow', note, () => signer.follow(utf8(note), proof)),
      clockProblem: async () => signer.clockProblem(),
      witnessed: (note, isFresh) => ask('witnessed', note, () => signer.witnessed(utf8(note), isFresh)),
    };
  }
}

/** What the disk holds of a database that is open elsewhere. */
export function copyDatabase(from: string, to: string): void {
  const database = new DatabaseSync(from);
  database.exec(`VACUUM INTO '${to}'`);
  database.close();
}

/** All rows of all tables of projections, for comparison. */
export function rowsOf(file: string): Record<string, unknown[]> {
  const database = new DatabaseSync(file, { readOnly: true });
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
  const rows: Record<string, unknown[]> = {};
  for (const { name } of tables) {
    const table = String(name);
    rows[table] = database
      .prepare(`SELECT * FROM "${table}" ORDER BY 1, 2`)
      .all()
      .map((row) => ({ ...row }));
  }
  database.close();
  return rows;
}
