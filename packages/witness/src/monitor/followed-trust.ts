/**
 * The trust root of a watched log, followed from the pinned versions on. A version is taken in as clients take it, signed by
 * the threshold before and by its own, and only once its leaf is in the tree that the monitor has verified: one that was
 * signed and never logged governs nobody.
 */
import {
  checkTrustStep,
  encodeEnvelope,
  equalBytes,
  IntegrityError,
  type LogTree,
  leafHash,
  parseTrustRoot,
  type TrustRoot,
  verifyTrustStep,
} from '@tallystick/core';
import { ConfigError } from '../errors.ts';
import { fetchBytes, type HttpSource } from '../replayer/http-source.ts';
import { Unavailable } from '../replayer/violation.ts';
import type { WatchedLogConfig } from './log-monitor.ts';
import type { MonitorState } from './monitor-state.ts';

const envelopeLengthMax = 1024 * 1024;

export class FollowedTrust {
  readonly #log: WatchedLogConfig;
  readonly #state: MonitorState;
  readonly #http: HttpSource;
  readonly #chain: [TrustRoot, ...TrustRoot[]];

  /** Throws ConfigError where what was followed before is no continuation of the pinned versions. */
  constructor(log: WatchedLogConfig, state: MonitorState, http: Pick<HttpSource, 'timeoutMs' | 'signal'>) {
    this.#log = log;
    this.#state = state;
    this.#http = { ...http, baseUrl: log.trustUrl };
    const [first, ...others] = log.trust;
    this.#chain = [first, ...others];
    const { origin } = first.log;
    for (const bytes of state.trustRoots(origin)) {
      const known = parseTrustRoot(bytes);
      const pinned = log.trust[known.version - 1];
      if (pinned === undefined) this.#follow(known);
      else if (!equalBytes(pinned.hash, known.hash)) throw other(origin, known.version);
    }
  }

  get newest(): TrustRoot {
    return this.#chain.at(-1) ?? this.#chain[0];
  }

  /**
   * What to watch under the newest version: whom it took out is asked no more, and whom it brought in where it says. A name
   * that no version has is a mistake, which asking shows.
   */
  get log(): WatchedLogConfig {
    const log = this.#log;
    const namesOf = ({ quorum }: TrustRoot): string[] => quorum.witnesses.map(({ vkey }) => vkey.name);
    const members = new Map(this.newest.quorum.witnesses.map(({ vkey, url }) => [vkey.name, url]));
    const gone = new Set(this.#chain.flatMap(namesOf).filter((name) => !members.has(name)));
    const kept = log.witnesses.filter(({ name }) => !gone.has(name));
    const added = [...members].flatMap(([name, url]) =>
      url === null || kept.some((each) => each.name === name) ? [] : [{ name, url }],
    );
    return { ...log, trust: this.#chain, witnesses: [...kept, ...added] };
  }

  /**
   * Takes in what the log serves and `tree` holds. Returns how many versions that were, and what is wrong with one that it
   * serves; null for nothing. What it does not serve now is asked for again.
   */
  async advance(tree: LogTree): Promise<{ taken: number; problem: string | null }> {
    for (let taken = 0; ; taken++) {
      try {
        const bytes = await fetchBytes(this.#http, `${this.newest.version + 1}`, envelopeLengthMax);
        const isTaken = bytes !== null && (await this.#take(parseTrustRoot(bytes), tree));
        if (!isTaken) return { taken, problem: null };
      } catch (error) {
        if (error instanceof Unavailable) return { taken, problem: null };
        if (!(error instanceof IntegrityError)) throw error;
        return { taken, problem: `version ${this.newest.version + 1} of the trust root: ${error.message}` };
      }
    }
  }

  async #take(next: TrustRoot, tree: LogTree): Promise<boolean> {
    const { origin } = this.newest.log;
    const entry = encodeEnvelope(next.envelope);
    const index = tree.indexOf(leafHash(entry));
    if (index === undefined) return false;
    if (next.log.origin !== origin)
      throw new IntegrityError('TRUST_INVALID', `it is of another log: ${next.log.origin}`);
    await verifyTrustStep(this.newest, next, index);
    this.#state.addTrustRoot(origin, next.version, entry);
    this.#chain.push(next);
    return true;
  }

  #follow(known: TrustRoot): void {
    try {
      checkTrustStep(this.newest, known);
      this.#chain.push(known);
    } catch (error) {
      if (error instanceof IntegrityError) throw other(known.log.origin, known.version);
      throw error;
    }
  }
}

function other(origin: string, version: number): ConfigError {
  return new ConfigError(
    `version ${version} of the trust root of ${origin} that the log holds is not the one in the file, or does not follow from ` +
      'it: keep both, and find out which of them people signed',
  );
}
