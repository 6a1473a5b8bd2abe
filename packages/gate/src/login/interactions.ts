/**
 * Logins that are under way in a browser, each known by a cookie. In memory alone: after a restart people begin again.
 */
import { hash } from 'node:crypto';
import type { PendingLogin } from './federation.ts';
import type { AuthorizationRequest } from './issuer/authorization-request.ts';
import { type Chance, newSecret, type Proven } from './people.ts';

/** What the person gets once it is known: the client its code, the browser a session, a terminal an answer. */
export type Wants =
  | { to: 'client'; request: AuthorizationRequest }
  | { to: 'browser'; returnTo: string; phishingResistant: boolean }
  | { to: 'device'; userCode: string | null };

export interface Interaction {
  wants: Wants;
  /** Stands in every form. */
  csrf: string;
  /** The challenge of a passkey ceremony, until it is answered. */
  challenge: string | null;
  /** A login at another issuer, until it comes back. */
  pending: PendingLogin | null;
  /** The invitation that the person has shown. */
  invitation: string | null;
  /** Who is there; only where it is asked for more. */
  proven: Proven | null;
  endsAt: number;
}

const lifeMs = 10 * 60_000;
/** A few hundred bytes each; beyond, the oldest go. */
const interactionsMax = 20_000;

export class Interactions {
  /** By hash of the cookie, oldest first. */
  readonly #interactions = new Map<string, Interaction>();
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Returns the value of the cookie. */
  begin(wants: Wants): { cookie: string; interaction: Interaction } {
    this.#makeRoom();
    const interaction: Interaction = {
      wants,
      csrf: newSecret(this.#chance),
      challenge: null,
      pending: null,
      invitation: null,
      proven: null,
      endsAt: this.#chance.now() + lifeMs,
    };
    return { cookie: this.#keep(interaction), interaction };
  }

  get(cookie: string | undefined): Interaction | undefined {
    const known = cookie === undefined ? undefined : this.#interactions.get(keyOf(cookie));
    return known !== undefined && known.endsAt > this.#chance.now() ? known : undefined;
  }

  /**
   * A new cookie and a new token for forms, as soon as it is known who is there: whoever planted the old ones has
   * nothing of it.
   */
  renew(cookie: string, interaction: Interaction): string {
    this.end(cookie);
    interaction.csrf = newSecret(this.#chance);
    return this.#keep(interaction);
  }

  end(cookie: string): void {
    this.#interactions.delete(keyOf(cookie));
  }

  #keep(interaction: Interaction): string {
    const cookie = newSecret(this.#chance);
    this.#interactions.set(keyOf(cookie), interaction);
    return cookie;
  }

  #makeRoom(): void {
    for (const [key, { endsAt }] of this.#interactions) {
      if (endsAt > this.#chance.now() && this.#interactions.size < interactionsMax) return;
      this.#interactions.delete(key);
    }
  }
}

const keyOf = (cookie: string): string => hash('sha256', cookie, 'base64');
