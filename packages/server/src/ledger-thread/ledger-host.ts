/** Opens the ledger on its store, signer and cosigners, and keeps them together until it closes. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { notes } from '@tallystick/contract';
import { base64, effectiveLock, effectiveMinEpoch, formatInstant, type TrustRoot } from '@tallystick/core';
import {
  envelopesOf,
  isPostgresUrl,
  Ledger,
  LedgerError,
  type LedgerTimes,
  ledgerTimes,
  type PostgresTrouble,
  Projections,
  type Store,
  StoreFenced,
  StoreUnavailable,
  ThreadedProjectionWriter,
  ThreadedStore,
} from '@tallystick/ledger';
import { SignerClient, type SignerHello } from '@tallystick/signer';
import type { ServerConfig } from '../config.ts';
import { newLicenseKey, newSubjectId } from '../identifiers.ts';
import { Quorum } from '../quorum/quorum.ts';
import { holdPostgres } from '../setup/store-place.ts';
import { readTrustRootFile, writeTrustRootFile } from '../trust-root-file.ts';
import { EventReporter } from './event-reporter.ts';
import type { FromLedger, LedgerStatus } from './messages.ts';
import { NamespaceKeys } from './namespace-keys.ts';
import { type RotationLimits, RotationSchedule } from './rotation-schedule.ts';
import { LedgerService } from './service.ts';
import { StoreTrouble, WatchedStore } from './watched-store.ts';

const statusIntervalMs = 250;
const rotationIntervalMs = 60_000;
const lastAnswersMs = 250;

/** What the ledger stands on. */
interface Foundation {
  /** Every version that the trust root file holds. */
  chain: TrustRoot[];
  /** The newest of them. */
  trust: TrustRoot;
  signer: SignerClient;
  hello: SignerHello;
  keys: NamespaceKeys;
  quorum: Quorum;
  store: Store;
  projectionWriter: ThreadedProjectionWriter;
  projections: Projections;
  times: LedgerTimes;
}

export class LedgerHost implements AsyncDisposable {
  readonly service: LedgerService;
  readonly #foundation: Foundation;
  readonly #store: WatchedStore;
  readonly #ledger: Ledger;
  readonly #reporter: EventReporter;
  readonly #timer: NodeJS.Timeout;
  readonly #rotating: NodeJS.Timeout;

  private constructor(
    foundation: Foundation,
    store: WatchedStore,
    ledger: Ledger,
    reporter: EventReporter,
    limits: RotationLimits,
    post: (message: FromLedger) => void,
  ) {
    this.#foundation = foundation;
    this.#store = store;
    this.#ledger = ledger;
    this.#reporter = reporter;
    this.service = new LedgerService(
      ledger,
      foundation.keys,
      (code) => ({ code, detail: notes[code] }),
      () => this.status(),
    );
    this.#timer = setInterval(() => post({ status: this.status() }), statusIntervalMs);
    const rotation = new RotationSchedule(
      ledger,
      limits,
      () => Date.now(),
      (message) => reporter.alarm('in_use', message),
    );
    this.#rotating = setInterval(() => void rotation.check(), rotationIntervalMs);
  }

  /** Rejects with a sentence for the operator where something that the ledger stands on is missing. */
  static async open(config: ServerConfig, post: (message: FromLedger) => void): Promise<LedgerHost> {
    // Told before there is anybody to tell: whoever opens the store hears of it from that alone.
    let onTrouble: (trouble: PostgresTrouble | null) => void = () => {};
    const foundation = await layFoundation(config, (trouble) => onTrouble(trouble));
    const { chain, signer, hello, keys, quorum, projections, projectionWriter, times } = foundation;
    let host: LedgerHost | null = null;
    const reporter = new EventReporter(quorum, (event) => {
      // The status goes first: whoever hears of a checkpoint must find it there.
      if (event.type === 'checkpoint.published' && host !== null) post({ status: host.status() });
      post({ events: [event] });
    });
    const store = new WatchedStore(foundation.store, (trouble) => {
      if (trouble !== null) reporter.alarm('not_committed', trouble.message);
    });
    onTrouble = (trouble) => {
      if (trouble instanceof StoreFenced) die(trouble);
      else store.report(trouble && new StoreTrouble(trouble.message, trouble.isOutcomeUnknown, {}));
    };
    const secret = createSecretKey(
      Buffer.from(readFileSync(config.licenseKeySecret, 'utf8').trim(), 'base64'),
    );
    const ledger = await Ledger.open({
      store,
      projections,
      projectionWriter,
      signer,
      cosigners: quorum,
      mark: hello.mark,
      signedBrake: async () => (await signer.hello()).brakes.find((brake) => brake.ns === config.ns) ?? null,
      trust: chain,
      saveTrust: async (longer) => writeTrustRootFile(config.trustRoot, envelopesOf(longer)),
      ns: config.ns,
      keys,
      indexKey: (key) => createHmac('sha256', secret).update(key).digest('base64url'),
      newId: newSubjectId,
      newLicenseKey,
      random: randomBytes,
      now: () => Date.now(),
      times,
      onEvent: (event) => {
        reporter.report(event);
        // A database comes back, and a start finds out what is in it.
        if (event.type === 'halted' && event.error.cause instanceof StoreUnavailable) die(event.error);
      },
      onProgress: (progress) => post({ progress }),
    });
    host = new LedgerHost(foundation, store, ledger, reporter, config.rotation, post);
    return host;
  }

  /** Whether anybody follows events. */
  listen(isListening: boolean): void {
    this.#reporter.isListening = isListening;
  }

  /** Reports a failure that no caller can be blamed for. */
  alarm(error: unknown): void {
    this.#reporter.alarm(error instanceof LedgerError ? 'integrity' : 'internal', String(error));
  }

  status(): LedgerStatus {
    const { trust, hello, quorum, times } = this.#foundation;
    const { size, published, pending, mutations } = this.#ledger;
    const { namespace, brake } = this.#ledger.governing;
    const { trouble } = this.#store;
    const failing = trouble && { problem: 'not_committed' as const, message: trouble.message };
    const mark = published !== null && published.size >= hello.mark.size ? published : hello.mark;
    const instant = (ms: number | null): string | null => (ms === null ? null : formatInstant(ms));
    const { oldestAt, count } = pending;
    const publishBy = oldestAt === null ? null : oldestAt + times.promiseMs;
    return {
      origin: trust.log.origin,
      size,
      published: published && {
        size: published.size,
        root: base64(published.root),
        asOf: formatInstant(published.asOf * 1000),
        at: this.#reporter.lastPublishedAt ?? formatInstant(published.asOf * 1000),
      },
      pending: { count, oldestAt: instant(oldestAt), publishBy: instant(publishBy) },
      quorum: quorum.status,
      signer: {
        connected: this.#reporter.isSignerConnected,
        mark: { size: mark.size, root: base64(mark.root) },
      },
      namespace: {
        ns: namespace.ns,
        mode: namespace.mode,
        epoch: namespace.epoch,
        lock: effectiveLock(namespace, brake),
        minEpoch: effectiveMinEpoch(namespace, brake),
      },
      mutations: mutations === null ? failing : { problem: mutations.problem, message: mutations.message },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { quorum, signer, projections, projectionWriter, store } = this.#foundation;
    clearInterval(this.#timer);
    clearInterval(this.#rotating);
    await this.#ledger[Symbol.asyncDispose]();
    quorum.close();
    await signer[Symbol.asyncDispose]();
    projections[Symbol.dispose]();
    await projectionWriter[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  }
}

/** Ends the thread, and with it the server, once callers have been answered. */
function die(error: Error): void {
  setTimeout(() => {
    throw error;
  }, lastAnswersMs);
}

/** The SQLite store has a thread that writes; a database is another process anyway. */
async function openStore(
  config: ServerConfig,
  onTrouble: (trouble: PostgresTrouble | null) => void,
): Promise<Store> {
  if (isPostgresUrl(config.store)) return holdPostgres(config, { limits: config.databaseTimes, onTrouble });
  return ThreadedStore.open(config.store, { synchronous: config.synchronous });
}

async function layFoundation(
  config: ServerConfig,
  onTrouble: (trouble: PostgresTrouble | null) => void,
): Promise<Foundation> {
  const chain = await readTrustRootFile(config.trustRoot);
  const trust = chain.at(-1);
  if (trust === undefined) throw new Error(`${config.trustRoot} holds no trust root`);
  // The lock on the store comes first: a second server must not get as far as asking the signer.
  const store = await openStore(config, onTrouble);
  const signer = new SignerClient(config.signerSocket);
  const hello = await signer.hello();
  if (hello.origin !== trust.log.origin) throw new Error('the signer holds the key of another log');
  const projectionWriter = await ThreadedProjectionWriter.open(config.projections);
  return {
    chain,
    trust,
    signer,
    hello,
    keys: NamespaceKeys.open(signer, config.ns, hello, join(dirname(config.projections), 'public-keys.json')),
    quorum: new Quorum({
      policy: trust.quorum,
      urls: config.cosigners,
      timeoutMs: config.cosignerTimeoutMs,
      now: () => Date.now(),
    }),
    store,
    projectionWriter,
    projections: new Projections(config.projections, { readOnly: true }),
    times: { ...ledgerTimes, ...config.times },
  };
}
