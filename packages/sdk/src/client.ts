/** A license client: one product's license file, kept in a store, renewed over the network, judged offline. */
import { FetchError } from './errors.ts';
import { fetchBundle } from './fetch-bundle.ts';
import {
  current,
  type ImportOutcome,
  importBundle,
  type Standing,
  type StandingOptions,
} from './import-bundle.ts';
import { openPin, Pin } from './pin.ts';
import type { ClientClock } from './platform/system-clock.ts';
import type { ClientStore } from './store/store.ts';
import type { Verification, VerifyOptions } from './verify.ts';

export interface ClientOptions
  extends Pick<VerifyOptions, 'trustRoot' | 'namespace' | 'products' | 'buildTime' | 'release'> {
  store: ClientStore;
  /** `systemClock`, except in tests. */
  clock: ClientClock;
}

/** Where and with which key to fetch. */
export interface RefreshSource {
  url: string;
  licenseKey: string;
  timeoutMs?: number;
  signal?: AbortSignal;
  fetch?: typeof fetch;
}

export interface Refreshed extends Standing {
  /** Null where nothing could be fetched; `problem` says why. */
  imported: ImportOutcome | null;
  problem: FetchError | null;
}

/**
 * `check` never uses the network; nothing here starts by itself or calls home unasked. A license that was
 * replaced keeps its license key, and the server answers the key with the successor, so that `refresh` needs
 * no pointer to follow: the successor arrives as another, valid license and takes over.
 */
export class LicenseClient {
  readonly #options: ClientOptions;
  #pin: Promise<Pin> | null = null;
  /** The latest verified time, and the reading of the monotonic clock when this process learned it. */
  #verified: { at: number; reading: number } | null = null;
  /** Imports run one after the other, so that each is compared with the outcome of the one before. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Judges the license file in force, offline. Throws StoreError where the store cannot be read. */
  async check(ask: Pick<VerifyOptions, 'need'> = {}): Promise<Standing> {
    const standing = await current(this.#options.store, await this.#standingOptions(ask));
    this.#learn(standing.inForce);
    return standing;
  }

  /** Takes a license file that came by another way, such as a mail or a stick. Throws StoreError. */
  importFile(file: string | Uint8Array): Promise<ImportOutcome> {
    const turn = this.#queue.then(() => this.#importFile(file));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Fetches the newest license file and imports it. No network is no error; throws StoreError alone. */
  async refresh(source: RefreshSource): Promise<Refreshed> {
    try {
      const imported = await this.importFile(await fetchBundle(source));
      return { imported, problem: null, inForce: imported.inForce, damage: imported.damage };
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      return { imported: null, problem: error, ...(await this.check()) };
    }
  }

  async #importFile(file: string | Uint8Array): Promise<ImportOutcome> {
    const outcome = await importBundle(this.#options.store, file, await this.#standingOptions({}));
    this.#learn(outcome.candidate);
    this.#learn(outcome.inForce);
    return outcome;
  }

  async #standingOptions(ask: Pick<VerifyOptions, 'need'>): Promise<StandingOptions> {
    const { trustRoot, namespace, products, buildTime, release, clock } = this.#options;
    return {
      trustRoot: await this.#openedPin(trustRoot),
      namespace,
      products,
      now: clock.now(),
      ...(buildTime === undefined ? {} : { buildTime }),
      ...(release === undefined ? {} : { release }),
      ...(this.#verified === null ? {} : { runtime: this.#runtime(this.#verified) }),
      ...ask,
    };
  }

  /** A pin that cannot be opened is handed on as it is: the verdict says what is wrong with it. */
  async #openedPin(trustRoot: Pin | string): Promise<Pin | string> {
    if (trustRoot instanceof Pin) return trustRoot;
    this.#pin ??= openPin(trustRoot);
    return this.#pin.catch(() => trustRoot);
  }

  #runtime({ at, reading }: { at: number; reading: number }): { verified: number; elapsed: number } {
    return { verified: at, elapsed: this.#options.clock.monotonic() - reading };
  }

  /** The time now is at least a verified time plus what has passed since: whichever of them is later is kept. */
  #learn(verification: Verification | null): void {
    const at = verification?.proven?.asOf;
    if (at === undefined) return;
    const reading = this.#options.clock.monotonic();
    const known = this.#verified;
    if (known === null || at > known.at + (reading - known.reading)) this.#verified = { at, reading };
  }
}
