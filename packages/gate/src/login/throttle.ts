/**
 * How often somebody may fail: per account from one address, per account from everywhere, and per address.
 *
 * A try is counted before it is made and given back where it succeeds, so that a thousand at once are no way around.
 * Accounts that do not exist are counted like others, so that the answer tells nothing about them.
 */
import { hostOf } from '../authenticate/address.ts';
import { LoginError } from './login-error.ts';

export interface ThrottleLimit {
  tries: number;
  windowMs: number;
}

export interface ThrottleLimits {
  /** One account from one address. */
  pair: ThrottleLimit;
  /** One account from everywhere. Passkeys are not counted, so that its owner still gets in while others guess. */
  account: ThrottleLimit;
  /** One address, whatever the account; of IPv6 a /64. */
  address: ThrottleLimit;
}

const minute = 60_000;
const throttleLimits: ThrottleLimits = {
  pair: { tries: 5, windowMs: 15 * minute },
  account: { tries: 30, windowMs: 60 * minute },
  address: { tries: 30, windowMs: 15 * minute },
};

/** Counters that are kept; beyond, those that end first go. Each costs a stranger a try. */
const countersMax = 50_000;
/** Characters of an account's name that tell it from others: an address of e-mail has no more. */
const nameLengthMax = 254;

interface Counter {
  tries: number;
  endsAt: number;
}

export class Throttle {
  readonly #counters = new Map<string, Counter>();
  readonly #now: () => number;
  readonly #limits: ThrottleLimits;

  constructor(now: () => number, limits: ThrottleLimits = throttleLimits) {
    this.#now = now;
    this.#limits = limits;
  }

  /** Counts a try; throws LoginError where there were too many. Returns what gives it back. */
  take(account: string, address: string): () => void {
    const from = hostOf(address);
    const name = account.slice(0, nameLengthMax);
    const names: [string, ThrottleLimit][] = [
      [`pair ${from} ${name}`, this.#limits.pair],
      [`account ${name}`, this.#limits.account],
      [`address ${from}`, this.#limits.address],
    ];
    const full = names.flatMap(([each, { tries }]) => {
      const known = this.#known(each);
      return known !== undefined && known.tries >= tries ? [known] : [];
    });
    if (full.length > 0) {
      const waitMs = Math.max(...full.map(({ endsAt }) => endsAt - this.#now()));
      const minutes = Math.ceil(waitMs / minute);
      throw new LoginError(
        'rate_limited',
        `there were too many tries: wait ${minutes} min, or use a passkey`,
      );
    }
    // Only now: whoever may try no more adds nothing that others would have to make room for.
    const counters = names.map(([each, limit]) => this.#counter(each, limit));
    for (const counter of counters) counter.tries += 1;
    return () => {
      for (const counter of counters) counter.tries -= 1;
    };
  }

  #known(name: string): Counter | undefined {
    const known = this.#counters.get(name);
    return known !== undefined && known.endsAt > this.#now() ? known : undefined;
  }

  #counter(name: string, { windowMs }: ThrottleLimit): Counter {
    const known = this.#known(name);
    if (known !== undefined) return known;
    this.#counters.delete(name);
    if (this.#counters.size >= countersMax) this.#makeRoom();
    const counter = { tries: 0, endsAt: this.#now() + windowMs };
    this.#counters.set(name, counter);
    return counter;
  }

  /** Counters stand in the order in which they began. */
  #makeRoom(): void {
    const now = this.#now();
    for (const [name, { endsAt }] of this.#counters) if (endsAt <= now) this.#counters.delete(name);
    for (const name of this.#counters.keys()) {
      if (this.#counters.size < countersMax) break;
      this.#counters.delete(name);
    }
  }
}
