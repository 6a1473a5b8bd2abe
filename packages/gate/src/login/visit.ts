/** What a request of the login pages belongs to, and what it may lack. */
import { timingSafeEqual } from 'node:crypto';
import type { Interaction, Wants } from './interactions.ts';
import { LoginError } from './login-error.ts';
import type { SiteRequest } from './site-types.ts';

/** A request that belongs to a login under way. */
export interface Visit {
  request: SiteRequest;
  interaction: Interaction;
  cookie: string;
}

export function needsPasskey(wants: Wants): boolean {
  if (wants.to === 'client') return wants.request.phishingResistant;
  return wants.to === 'browser' && wants.phishingResistant;
}

export function takeChallenge(interaction: Interaction): string {
  const { challenge } = interaction;
  interaction.challenge = null;
  if (challenge === null) throw begunElsewhere();
  return challenge;
}

export function invitationOf({ interaction }: Visit): string {
  if (interaction.invitation === null) throw begunElsewhere();
  return interaction.invitation;
}

export function isSame(given: string, known: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(known)];
  return a.length === b.length && timingSafeEqual(a, b);
}

export function begunElsewhere(): LoginError {
  const text = 'this login was begun elsewhere, or more than ten minutes ago: begin it again';
  return new LoginError('forbidden', text);
}

export function passkeyNeeded(): LoginError {
  return new LoginError(
    'forbidden',
    'this needs a passkey: log in with one, or ask for an invitation to make one',
  );
}
