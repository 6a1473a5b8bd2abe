/** Puts together what a decision is made on. */
import {
  type CredentialDocument,
  compareInstants,
  durationToSeconds,
  instantToMs,
  type PrincipalDocument,
} from '@tallystick/license';
import type { Asked, Caller } from '../caller.ts';
import type { DecisionInput } from '../policy/input.ts';
import type { Effect } from './effect.ts';
import type { Resource } from './resource.ts';

/** Under which circumstances a request is judged. */
export interface Circumstances {
  /** Now. Instant. */
  at: string;
  lock: string;
  epoch: number;
  /** True where the caller says why. */
  reason: boolean;
  /** True where others have approved it. */
  approved: boolean;
  /** How old proof of presence may be, as a duration. */
  stepUp: string;
  /** Roles that the schema knows. */
  roles: readonly string[];
}

/** The documents of a caller; null for the tokens of a system's folder, which have none. */
export interface Identity {
  principal: PrincipalDocument;
  credential: CredentialDocument;
}

/** The roles of a caller that has documents, for one resource at one instant, sorted. */
export function rolesFor({ principal, credential }: Identity, resource: Resource, at: string): string[] {
  const { product } = resource;
  const isIn = (products: string[] | null): boolean =>
    products === null || (product !== null && products.includes(product.id));
  if (principal.state !== 'active' || !isIn(credential.scope.products)) return [];
  const held = principal.roles.filter(
    ({ products, until }) => isIn(products) && (until === null || compareInstants(at, until) < 0),
  );
  return [...new Set(held.map(({ role }) => role))].sort();
}

/** What a decision about this request is made on. `roles` are those of the caller for the resource. */
export function describe(
  { caller, action, zone }: Asked,
  roles: readonly string[],
  resource: Resource,
  effect: Effect,
  circumstances: Circumstances,
): DecisionInput {
  const { at, lock, epoch, reason, approved } = circumstances;
  const time = new Date(instantToMs(at));
  const { managed = false, encrypted = false, attested = false } = caller.device ?? {};
  return {
    principal: {
      id: caller.principal,
      kind: caller.kind,
      // A role that the schema does not know would make the request invalid, and gives nothing anyway.
      roles: roles.filter((role) => circumstances.roles.includes(role)),
    },
    action,
    resource: {
      type: resource.type,
      product: resource.product?.code ?? null,
      state: resource.state,
      purpose: resource.purpose,
      own: resource.owner !== null && resource.owner === caller.principal,
    },
    context: {
      zone,
      strength: caller.strength,
      stepUp: isFresh(caller, circumstances),
      signed: caller.signed !== null,
      reason,
      approved,
      purpose: caller.purpose,
      networks: caller.networks,
      device: { managed, encrypted, attested },
      // Monday is 1.
      weekday: ((time.getUTCDay() + 6) % 7) + 1,
      hour: time.getUTCHours(),
      lock,
      epoch,
      ...effect,
    },
  };
}

/** An age equal to its limit is fresh; a time that has not come yet is none. */
function isFresh({ steppedUpAt }: Caller, { at, stepUp }: Circumstances): boolean {
  if (steppedUpAt === null) return false;
  const age = instantToMs(at) - instantToMs(steppedUpAt);
  return age >= -clockSlackMs && age <= durationToSeconds(stepUp) * 1000;
}

/** The log's time never runs backward, and so may be a little behind the clock. */
const clockSlackMs = 5_000;
