/** Opens the ledger on its store, signer and cosigners, and keeps them together until it closes. */
import { randomBytes } from 'node:crypto';
import { notes } from '@tallystick/contract/problems';
import {
  base64,
  effectiveLock,
  effectiveMinEpoch,
  entitledFrom,
  formatInstant,
  type TrustRoot,
} from '@tallystick/core';
import { Directory } from '@tallystick/gate';
import {
  envelopesOf,
  type HeldLease,
  Ledger,
  LedgerError,
  type LedgerEvent,
  type LedgerParts,
  type PostgresTrouble,
  type Store,
  StoreFenced,
  StoreUnavailable,
} from '@tallystick/ledger';
import type { SignerHello } from '@tallystick/signer/client';
import type { ServerConfig } from '../config.ts';
import { newLicenseKey, newSubjectId } from '../identifiers.ts';
import { writeTrustRootFile } from '../trust-root-file.ts';
import { EventReporter } from './event-reporter.ts';
import { clearFoundation, type Foundation } from './foundation.ts';
import { AccessRegister } from './gate/access-register.ts';
import { approvalsStatus } from './gate/approval-needs.ts';
import { Gatekeeper, governingOf } from './gate/gatekeeper.ts';
import { restoreCounts } from './gate/restore-counts.ts';
import type { Host } from './host.ts';
import type { FromLedger, LedgerStatus } from './messages.ts';
import { RotationSchedule } from './rotation-schedule.ts';
import { LedgerService } from './service.ts';
import { StoreTrouble, WatchedStore } from './watched-store.ts';

const statusIntervalMs = 250;
const rotationIntervalMs = 60_000;
const lastAnswersMs = 250;
const signerLookMs = 2000;
/** Its supervisor starts a signer again in less. */
const signerGoneMs = 10_000;

/** The log in a store that is held for writing, and what is known of it already. */
export interface HeldLog {
  store: Store;
  /** Told when the database fails or comes back while nothing is asked of it. */
  onTrouble: (listener: (trouble: PostgresTrouble | null) => void) => void;
  isGateOpen?: boolean;
  /** Of a log that several servers share. */
  shared?: SharedLog;
}

/** What a server that takes a log over knows of it. */
export interface SharedLog extends Pick<LedgerParts, 'state' | 'signed' | 'saveSigned'> {
  chain: readonly TrustRoot[];
  lease: HeldLease;
}

interface HostParts {
  foundation: Foundation;
  hello: SignerHello;
  lease: HeldLease | null;
  store: WatchedStore;
  ledger: Ledger;
  reporter: EventReporter;
  gatekeeper: Gatekeeper;
  register: AccessRegister;
  counting: Counting;
}

/** Finds out what was asked for before the start. */
interface Counting {
  done: Promise<void>;
  stop: () => void;
}

export class LedgerHost implements Host {
  readonly service: LedgerService;
  readonly gatekeeper: Gatekeeper;
  readonly #parts: HostParts;
  readonly #timer: NodeJS.Timeout;
  readonly #rotating: NodeJS.Timeout;
  readonly #looking: NodeJS.Timeout;
  #signerSeenAt = performance.now();

  private constructor(parts: HostParts, config: ServerConfig, post: (message: FromLedger) => void) {
    const { foundation, ledger, reporter } = parts;
    this.#parts = parts;
    this.gatekeeper = parts.gatekeeper;
    this.service = new LedgerService(
      ledger,
      foundation.keys,
      (code) => ({ code, detail: notes[code] }),
      () => this.status(),
      {
        needs: parts.gatekeeper.needs,
        onRecovery: (detail) => reporter.alarm('administrator_recovered', detail),
      },
    );
    this.#timer = setInterval(() => post({ status: this.status() }), statusIntervalMs);
    const rotation = new RotationSchedule(
      ledger,
      config.rotation,
      () => Date.now(),
      (message) => reporter.alarm('in_use', message),
    );
    this.#rotating = setInterval(() => void rotation.check(), rotationIntervalMs);
    this.#looking = setInterval(() => void this.#lookForSigner(), signerLookMs);
  }

  /** Rejects with a sentence for the operator where something that the ledger stands on is missing. */
  static async open(
    config: ServerConfig,
    foundation: Foundation,
    held: HeldLog,
    post: (message: FromLedger) => void,
  ): Promise<LedgerHost> {
    const { signer, keys, quorum, projections, projectionWriter, times, indexKey } = foundation;
    const directory = new Directory();
    let register: AccessRegister | null = null;
    const { lease, chain = foundation.chain, ...known } = held.shared ?? {};
    const hello = await signer.hello();
    let host: LedgerHost | null = null;
    const reporter = new EventReporter(quorum, (event) => {
      // The status goes first: whoever hears of a checkpoint must find it there.
      if (event.type === 'checkpoint.published' && host !== null) post({ status: host.status() });
      post({ events: [event] });
    });
    const store = new WatchedStore(held.store, (trouble) => {
      if (trouble !== null) reporter.alarm('not_committed', trouble.message);
    });
    held.onTrouble((trouble) => {
      if (trouble instanceof StoreFenced) die(trouble);
      else store.report(trouble && new StoreTrouble(trouble.message, trouble.isOutcomeUnknown, {}));
    });
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
      indexKey,
      newId: newSubjectId,
      newLicenseKey,
      random: randomBytes,
      now: () => Date.now(),
      times,
      onEvent: (event) => {
        // Before anybody hears of it: who was shut out is out by then.
        if (event.type === 'durable') register?.take(event.changes);
        reporter.report(event);
        // A database comes back, and a start finds out what is in it.
        if (event.type === 'halted' && event.error.cause instanceof StoreUnavailable) die(event.error);
        // Another server may be able to write it.
        if (isOver(event)) lease?.offer();
      },
      onProgress: (progress) => post({ progress }),
      ...known,
    });
    register = new AccessRegister(ledger, directory, post);
    await register.load((message) => reporter.alarm('integrity', message));
    const gatekeeper = openGatekeeper(ledger, directory, reporter, { config, held });
    const counting = startCounting(ledger, gatekeeper);
    const judging = { gatekeeper, register, counting };
    const parts = { foundation, hello, lease: lease ?? null, store, ledger, reporter, ...judging };
    host = new LedgerHost(parts, config, post);
    return host;
  }

  get isCurrent(): boolean {
    return this.#parts.lease?.isHeld ?? true;
  }

  /** Whether anybody follows events. */
  listen(isListening: boolean): void {
    this.#parts.reporter.isListening = isListening;
  }

  /** Reports a failure that no caller can be blamed for. */
  alarm(error: unknown): void {
    this.#parts.reporter.alarm(error instanceof LedgerError ? 'integrity' : 'internal', String(error));
  }

  status(): LedgerStatus {
    const { foundation, hello, ledger, store } = this.#parts;
    const { quorum, times } = foundation;
    const { size, published, pending, trouble: publishing, mutations, trust } = ledger;
    const { namespace, brake } = ledger.governing;
    const { trouble } = store;
    const failing = trouble && { problem: 'not_committed' as const, message: trouble.message };
    const mark = published !== null && published.size >= hello.mark.size ? published : hello.mark;
    const instant = (ms: number | null): string | null => (ms === null ? null : formatInstant(ms));
    const { oldestAt, count } = pending;
    const publishBy = oldestAt === null ? null : oldestAt + times.promiseMs;
    return {
      origin: trust.current.log.origin,
      writes: this.isCurrent,
      follows: null,
      size,
      published: published && {
        size: published.size,
        root: base64(published.root),
        asOf: formatInstant(published.asOf * 1000),
        at: this.#parts.reporter.lastPublishedAt ?? formatInstant(published.asOf * 1000),
      },
      pending: {
        count,
        oldestAt: instant(oldestAt),
        publishBy: instant(publishBy),
        trouble: publishing?.message ?? null,
      },
      quorum: quorum.status,
      signer: {
        connected: this.#parts.reporter.isSignerConnected,
        mark: { size: mark.size, root: base64(mark.root) },
      },
      namespace: {
        ns: namespace.ns,
        mode: namespace.mode,
        epoch: namespace.epoch,
        lock: effectiveLock(namespace, brake),
        minEpoch: effectiveMinEpoch(namespace, brake),
        gateFrom: entitledFrom(namespace, brake, 'gate', size),
      },
      approvals: approvalsStatus(this.#parts.gatekeeper.directory),
      mutations: mutations === null ? failing : { problem: mutations.problem, message: mutations.message },
    };
  }

  /** Without a signer nothing is written here, and perhaps by another server. */
  async #lookForSigner(): Promise<void> {
    const { foundation, lease } = this.#parts;
    if (lease === null) return;
    try {
      await foundation.signer.hello();
      this.#signerSeenAt = performance.now();
    } catch {
      // Whoever asks it for something is told why.
      if (performance.now() - this.#signerSeenAt > signerGoneMs) lease.offer();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { foundation, lease, ledger, store, counting } = this.#parts;
    this.#parts.register[Symbol.dispose]();
    counting.stop();
    await counting.done;
    clearInterval(this.#timer);
    clearInterval(this.#looking);
    clearInterval(this.#rotating);
    await ledger[Symbol.asyncDispose]();
    // Only now: whoever takes over may begin at once.
    await lease?.[Symbol.asyncDispose]();
    await clearFoundation(foundation);
    await store[Symbol.asyncDispose]();
  }
}

/** Whether this server will take no change any more, whatever comes back. */
function isOver(event: LedgerEvent): boolean {
  if (event.type === 'halted') return true;
  return (
    event.type === 'trouble' && event.error instanceof LedgerError && event.error.problem === 'log_behind'
  );
}

/** Ends the thread, and with it the server, once callers have been answered. */
export function die(error: Error): void {
  setTimeout(() => {
    throw error;
  }, lastAnswersMs);
}

function startCounting(ledger: Ledger, gatekeeper: Gatekeeper): Counting {
  const ending = new AbortController();
  const done = restoreCounts(ledger, gatekeeper, Date.now(), ending.signal);
  return { done, stop: () => ending.abort() };
}

function openGatekeeper(
  ledger: Ledger,
  directory: Directory,
  reporter: EventReporter,
  { config, held }: { config: ServerConfig; held: HeldLog },
): Gatekeeper {
  const gatekeeper = new Gatekeeper({
    directory,
    onAlarm: (detail) => reporter.alarm('forbidden', detail),
    now: () => formatInstant(Date.now()),
    governing: () => governingOf(ledger),
    isOpen: held.isGateOpen === true,
    mayActAlone: config.mayActAlone,
    keepAtLeast: config.accessLog?.keepAtLeast,
  });
  gatekeeper.announceUnknown();
  return gatekeeper;
}
