/**
 * A whole system in one process, on given parts: real ledger, real signer logic, local cosigners.
 *
 * For tests of the parts in between; the processes, sockets and witnesses are tested as processes elsewhere.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { parseTrustRoot, type TrustRoot, utf8 } from '@tallystick/core';
import {
  Ledger,
  type LedgerEvent,
  type LedgerParts,
  ledgerTimes,
  MemoryStore,
  Projections,
  type Store,
  type SubmitResult,
} from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import {
  bootstrapIdentity,
  createIdentity,
  generateIdentityKeys,
  type Identity,
  keysInMemory,
  newLicenseKey,
  newSubjectId,
  onlineKeys,
  type SystemAlgorithms,
} from '@tallystick/server';
import {
  createMark,
  Governance,
  Journal,
  type KeystoreKey,
  Mark,
  Signer,
  type SignerOptions,
  type SigningKey,
  WitnessWatch,
} from '@tallystick/signer';
import { LocalCosigners } from './local-cosigners.ts';

export interface TestSystemOptions {
  store?: Store;
  projections?: Projections;
  /** Milliseconds; the real clock where left out. */
  now?: () => number;
  /** The cosigners' clock, where it is another one than everybody else's. */
  cosignersNow?: () => number;
  /** Milliseconds that only run, for the signer, where `now` may be set. */
  monotonic?: () => number;
  ns?: string;
  /** What root, log and cosigners sign with: Ed25519 where left out, because that is fast. */
  algorithms?: SystemAlgorithms;
  times?: Partial<LedgerParts['times']>;
  /** What perpetual licenses are signed with. */
  perpetual?: SystemAlgorithms;
  /** Its signer shares the log with others. */
  isShared?: boolean;
  /** Wraps the signer: for faults. */
  wrapSigner?: (signer: LedgerParts['signer']) => LedgerParts['signer'];
}

/** What outlives a restart of the ledger. */
export interface TestWorld {
  identity: Identity<SigningKey>;
  trust: TrustRoot;
  cosigners: LocalCosigners;
  store: Store;
  projections: Projections;
  signer: Signer;
  mark: Mark;
  journal: Journal;
  directory: string;
  options: TestSystemOptions;
  now: () => number;
}

export async function createWorld(options: TestSystemOptions = {}): Promise<TestWorld> {
  const now = options.now ?? (() => Date.now());
  const algorithms = options.algorithms ?? ['ed25519'];
  const cosigners = new LocalCosigners(options.cosignersNow ?? now, algorithms);
  const origin = 'tally.example/log';
  const ns = options.ns ?? 'acme';
  const content = {
    ns,
    name: 'Acme',
    mode: 'test',
    support: { name: null, email: null, url: null },
    origin,
    quorum: cosigners.quorum,
    now: now(),
    trustYears: 5,
    offlineMax: 'P90D',
    ...(options.perpetual && { perpetual: options.perpetual }),
  } as const;
  const identity = await createIdentity(
    content,
    keysInMemory(generateIdentityKeys(ns, algorithms, options.perpetual)),
  );
  const store = options.store ?? new MemoryStore();
  const documents = await bootstrapIdentity(store, identity, {
    random: randomBytes,
    now: now(),
    who: { kind: 'test', id: 'test' },
  });
  const directory = mkdtempSync(join(tmpdir(), 'tally-test-'));
  const markFile = join(directory, 'mark.db');
  await createMark(markFile, parseTrustRoot(identity.trustRoot), documents);
  const mark = Mark.open(markFile, origin);
  const journal = Journal.open(join(directory, 'journal'), mark, now);
  return {
    identity,
    trust: parseTrustRoot(identity.trustRoot),
    cosigners,
    store,
    projections: options.projections ?? new Projections(':memory:'),
    signer: startSigner(
      onlineKeys(identity.keys),
      { mark, journal },
      [parseTrustRoot(identity.trustRoot)],
      now,
      { isShared: options.isShared ?? false, monotonic: options.monotonic },
    ),
    mark,
    journal,
    directory,
    options,
    now,
  };
}

/** A signer on a mark, as its process begins: at first, and after each "restart". */
export function startSigner(
  keys: readonly KeystoreKey[],
  { mark, journal }: Pick<TestWorld, 'mark' | 'journal'>,
  versions: readonly TrustRoot[],
  now: () => number,
  // Left alone, a test's clock never steps, it only runs unevenly.
  { monotonic = now, ...options }: SignerOptions & { monotonic?: (() => number) | undefined } = {},
): Signer {
  const governance = new Governance(mark, versions);
  const clock = { now, monotonic };
  const witnesses = new WitnessWatch(
    () => governance.versions,
    mark,
    clock,
    () => {},
  );
  return new Signer(keys, { mark, governance, witnesses, journal }, now, options);
}

/** Opens the ledger of a world: at first, and after each "restart". */
export async function openLedger(
  world: TestWorld,
  overrides: Partial<LedgerParts> = {},
): Promise<{ ledger: Ledger; events: LedgerEvent[] }> {
  const { identity, signer, store, projections, trust, cosigners, options, now } = world;
  const events: LedgerEvent[] = [];
  const direct: LedgerParts['signer'] = {
    markSize: async () => signer.describe().mark.size,
    signBatch: async (batch) => signer.signBatch(batch),
    abandon: (abandoned) => signer.abandon(abandoned),
    adopt: (entry, document) => signer.adopt(entry, document),
    adoptTrustRoot: (envelopes) => signer.adoptTrustRoot(envelopes),
    signPromise: async (statement) => signer.signPromise(statement),
    signCheckpoint: async (checkpoint, proof) => signer.signCheckpoint(checkpoint, proof),
    follow: (note, proof) => signer.follow(utf8(note), proof),
    clockProblem: async () => signer.clockProblem(),
    witnessed: (note, isFresh) => signer.witnessed(utf8(note), isFresh),
  };
  const ledger = await Ledger.open({
    store,
    projections,
    signer: options.wrapSigner?.(direct) ?? direct,
    cosigners,
    mark: signer.describe().mark,
    signedBrake: async () =>
      signer.describe().brakes.find((brake) => brake.ns === identity.namespace.ns) ?? null,
    trust: [trust],
    saveTrust: async () => {},
    ns: identity.namespace.ns,
    keys: { all: onlineKeys(identity.keys).map(({ publicKey }) => publicKey) },
    indexKey: (key) => createHmac('sha256', 'test').update(key).digest('base64'),
    newId: newSubjectId,
    newLicenseKey,
    random: randomBytes,
    now,
    times: { ...ledgerTimes, intervalMs: 5, retryMs: 5, ...options.times },
    onEvent: (event) => events.push(event),
    ...overrides,
  });
  return { ledger, events };
}

export async function closeWorld(world: TestWorld): Promise<void> {
  await world.journal[Symbol.asyncDispose]();
  world.mark[Symbol.dispose]();
  rmSync(world.directory, { recursive: true, force: true });
}

/** A ledger that takes changes, with a product `pro` sold under a plan `pro-yearly`. */
export class TestSystem {
  readonly world: TestWorld;
  ledger: Ledger;
  events: LedgerEvent[];

  private constructor(world: TestWorld, opened: { ledger: Ledger; events: LedgerEvent[] }) {
    this.world = world;
    this.ledger = opened.ledger;
    this.events = opened.events;
  }

  static async start(options: TestSystemOptions = {}): Promise<TestSystem> {
    const world = await createWorld(options);
    const system = new TestSystem(world, await openLedger(world));
    await system.ready();
    return system;
  }

  /** Resolves when changes are taken. */
  async ready(): Promise<void> {
    await this.ledger.whenPublished(1, 10_000);
    while (this.ledger.mutations !== null) await after(2);
  }

  /** Submits a command; throws where it is refused. */
  async run(command: Command, key?: string): Promise<Extract<SubmitResult, { changes: unknown }>> {
    const result = await this.submit(command, key);
    if ('refused' in result) throw new Error(`${result.refused.code}: ${result.refused.message}`);
    return result;
  }

  submit(command: Command, key?: string): Promise<SubmitResult> {
    const request =
      key === undefined ? null : { key, hash: new TextEncoder().encode(JSON.stringify(command)) };
    const cause = { who: { kind: 'test', id: 'test' }, why: null };
    return this.ledger.submit({ command, cause, request, dryRun: false });
  }

  /** Makes the product and plan that tests sell. */
  async sellPro(): Promise<void> {
    await this.run({
      type: 'product.create',
      code: 'pro',
      name: 'Pro',
      entitlements: { pdf: { type: 'boolean' }, tokens: { type: 'quota' } },
    });
    await this.run({
      type: 'plan.create',
      product: 'pro',
      code: 'pro-yearly',
      name: 'Pro, yearly',
      term: { length: 'P1Y' },
      entitlements: { pdf: { value: true }, tokens: { limit: 1000, per: 'P1M', over: 'block' } },
    });
  }

  /** Ends the ledger and opens it again on what the store holds. */
  async restart(overrides: Partial<LedgerParts> = {}): Promise<void> {
    await this.ledger[Symbol.asyncDispose]();
    const opened = await openLedger(this.world, overrides);
    this.ledger = opened.ledger;
    this.events = opened.events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ledger[Symbol.asyncDispose]();
    await closeWorld(this.world);
  }
}
