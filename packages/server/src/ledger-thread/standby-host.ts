/** Follows a log that this server does not write, or not yet, and answers from what is published of it. */
import { notes, type ProblemCode } from '@tallystick/contract/problems';
import { base64, effectiveLock, effectiveMinEpoch, entitledFrom, formatInstant } from '@tallystick/core';
import { Directory } from '@tallystick/gate';
import { envelopesOf, Follower, LedgerError, type Store } from '@tallystick/ledger';
import type { ServerConfig } from '../config.ts';
import { writeTrustRootFile } from '../trust-root-file.ts';
import { EventReporter } from './event-reporter.ts';
import { FollowingSigner } from './following-signer.ts';
import type { Foundation } from './foundation.ts';
import { AccessRegister } from './gate/access-register.ts';
import { approvalsStatus } from './gate/approval-needs.ts';
import { Gatekeeper, governingOf } from './gate/gatekeeper.ts';
import type { Host } from './host.ts';
import type { FromLedger, LedgerStatus } from './messages.ts';
import { FollowedLog } from './served-log.ts';
import { LedgerService } from './service.ts';

const statusIntervalMs = 250;
/** Whoever was shut out at the server that writes is let in here for so long, and reads what is published. */
const registerIntervalMs = 1000;

export interface StandbyParts {
  /** For reading; closed with the host. */
  store: Store;
  /** Names the server that writes, for callers; null where none does. */
  writer: () => string | null;
  /** Why this one does not. */
  refusal: () => LedgerError;
}

export class StandbyHost implements Host {
  readonly service: LedgerService;
  readonly gatekeeper: Gatekeeper;
  readonly isCurrent = true;
  readonly #foundation: Foundation;
  readonly #store: Store;
  readonly #reporter: EventReporter;
  readonly #follower: Follower;
  readonly #signer: FollowingSigner;
  readonly #log: FollowedLog;
  readonly #writer: () => string | null;
  readonly #timer: NodeJS.Timeout;
  readonly #registering: NodeJS.Timeout;
  readonly #register: AccessRegister;

  private constructor(
    foundation: Foundation,
    { store, writer, refusal }: StandbyParts,
    { follower, reporter }: { follower: Follower; reporter: EventReporter },
    post: (message: FromLedger) => void,
  ) {
    this.#foundation = foundation;
    this.#store = store;
    this.#follower = follower;
    this.#reporter = reporter;
    this.#writer = writer;
    this.#signer = new FollowingSigner(foundation.signer, follower, (error) => {
      reporter.alarm(
        error.name === 'SignerUnavailable' ? 'signer_unavailable' : 'signer_refused',
        error.message,
      );
    });
    this.#log = new FollowedLog(follower, refusal);
    const directory = new Directory();
    this.gatekeeper = new Gatekeeper({
      directory,
      onAlarm: (detail) => reporter.alarm('forbidden', detail),
      now: () => formatInstant(Date.now()),
      governing: () => governingOf(this.#log),
    });
    this.service = new LedgerService(
      this.#log,
      foundation.keys,
      (code) => ({ code, detail: notes[code] }),
      () => this.status(),
      {
        needs: this.gatekeeper.needs,
        onRecovery: (detail) => reporter.alarm('administrator_recovered', detail),
      },
    );
    this.#timer = setInterval(() => post({ status: this.status() }), statusIntervalMs);
    this.#register = new AccessRegister(this.#log, directory, post);
    this.#registering = setInterval(() => void this.#follow(), registerIntervalMs);
  }

  /** Rejects with LedgerError where nothing is published yet, or what is there is not sound. */
  static async open(
    config: ServerConfig,
    foundation: Foundation,
    parts: StandbyParts,
    post: (message: FromLedger) => void,
  ): Promise<StandbyHost> {
    const { keys, projections, projectionWriter, indexKey, times, quorum, chain } = foundation;
    let host: StandbyHost | null = null;
    const reporter = new EventReporter(quorum, (event) => {
      // The status goes first: whoever hears of a checkpoint must find it there.
      if (event.type === 'checkpoint.published' && host !== null) post({ status: host.status() });
      post({ events: [event] });
    });
    const follower = await Follower.open({
      store: parts.store,
      projections,
      projectionWriter,
      trust: chain,
      saveTrust: async (longer) => writeTrustRootFile(config.trustRoot, envelopesOf(longer)),
      ns: config.ns,
      keys,
      indexKey,
      intervalMs: times.intervalMs,
      onPublished: (published) => reporter.report({ type: 'published', published }),
      onTrouble: (error) => {
        if (error !== null) reporter.alarm(problemOf(error), error.message);
      },
      onProgress: (progress) => post({ progress }),
    });
    host = new StandbyHost(foundation, parts, { follower, reporter }, post);
    await host.#follow();
    return host;
  }

  /** Takes in who may use the system as of what is published. */
  #follow(): Promise<void> {
    const { size } = this.#log.published;
    return this.#register.follow(size, (message) => this.#reporter.alarm('integrity', message));
  }

  status(): LedgerStatus {
    const { size, published, trust, governing, mutations } = this.#log;
    const { namespace, brake } = governing;
    const asOf = formatInstant(published.asOf * 1000);
    return {
      origin: trust.current.log.origin,
      writes: false,
      follows: this.#writer(),
      size,
      published: {
        size: published.size,
        root: base64(published.root),
        asOf,
        at: this.#reporter.lastPublishedAt ?? asOf,
      },
      pending: { count: 0, oldestAt: null, publishBy: null, trouble: null },
      quorum: this.#foundation.quorum.status,
      signer: this.#signer.status,
      namespace: {
        ns: namespace.ns,
        mode: namespace.mode,
        epoch: namespace.epoch,
        lock: effectiveLock(namespace, brake),
        minEpoch: effectiveMinEpoch(namespace, brake),
        gateFrom: entitledFrom(namespace, brake, 'gate', size),
      },
      approvals: approvalsStatus(this.gatekeeper.directory),
      mutations: { problem: mutations.problem, message: mutations.message },
    };
  }

  listen(isListening: boolean): void {
    this.#reporter.isListening = isListening;
  }

  alarm(error: unknown): void {
    const isKnown = error instanceof LedgerError;
    this.#reporter.alarm(isKnown ? problemOf(error) : 'internal', isKnown ? error.message : String(error));
  }

  /** Ends following, and hands over what is in memory; goes on answering from it. */
  async stopFollowing(): ReturnType<Follower['stop']> {
    await this.#signer[Symbol.asyncDispose]();
    return this.#follower.stop();
  }

  /** The foundation stays: it is somebody else's, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#registering);
    this.#register[Symbol.dispose]();
    await this.#signer[Symbol.asyncDispose]();
    await this.#follower[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }
}

function problemOf(error: Error): ProblemCode {
  return error instanceof LedgerError && error.problem !== 'stopping' ? error.problem : 'standby';
}
