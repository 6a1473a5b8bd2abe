/**
 * What a decision is made on: everything that Cedar sees, and nothing else.
 *
 * Because nothing else is seen, a verdict may be remembered under the canonical encoding of its input and the
 * hashes of policy set and schema.
 */
import { base64, domainHash, hashDomain, isProfileText, utf8 } from '@tallystick/core';

/** Kinds of principals; the last two are the tokens of a system's folder. */
export const principalKinds = ['person', 'service', 'partner', 'bootstrap', 'mirror'] as const;
export type PrincipalKind = (typeof principalKinds)[number];

export const resourceTypes = [
  'Namespace',
  'Brake',
  'Product',
  'Plan',
  'Customer',
  'License',
  'Principal',
  'Credential',
  'Policy',
  'Approval',
  'Session',
  'Log',
] as const;
export type ResourceType = (typeof resourceTypes)[number];

export const inputZones = ['public', 'admin', 'ops'] as const;

export interface DecisionInput {
  principal: {
    id: string;
    kind: PrincipalKind;
    /** Sorted; only those that hold for this resource now. */
    roles: string[];
  };
  /** Name of the route or command, one of `actions`. */
  action: string;
  resource: {
    type: ResourceType;
    /** Product code, where the resource has one. */
    product: string | null;
    state: string | null;
    /** Of licenses and plans. */
    purpose: string | null;
    /** The caller's own principal, credential, session or approval request. */
    own: boolean;
  };
  context: {
    zone: (typeof inputZones)[number];
    strength: number;
    /** A WebAuthn assertion that is recent enough. */
    stepUp: boolean;
    signed: boolean;
    reason: boolean;
    approved: boolean;
    purpose: string | null;
    /** Sorted. */
    networks: string[];
    /** All false where unknown. */
    device: { managed: boolean; encrypted: boolean; attested: boolean };
    /** 1 = Monday, UTC */
    weekday: number;
    /** 0–23, UTC */
    hour: number;
    lock: string;
    epoch: number;
    /** Days that a change makes a term longer; null where it does not, -1 for without end. */
    extendsDays: number | null;
    /** Days of a new term; null where there is none, -1 for without end. */
    termDays: number | null;
    /** null where the change says nothing of seats, -1 for unlimited. */
    seats: number | null;
    /** Roles that a change of a principal adds or takes away, sorted. */
    rolesChanged: string[];
  };
}

const domain = hashDomain('tallystick/decision-input/v1');

/**
 * The one encoding of an input: members in the order printed above, lists sorted, nothing besides. Throws
 * TypeError where a member that holds others is missing, a list is none, or a number is none.
 */
export function canonicalInput(input: DecisionInput): string {
  return JSON.stringify(copyInput(input));
}

/** base64 of `H(domain || 00 || canonical input)`. */
export function inputHash(canonical: string): string {
  return base64(domainHash(domain, utf8(canonical)));
}

/** A plain copy, so that what is checked is what is evaluated. Members that an input does not have are left behind. */
function copyInput({ principal, action, resource, context }: DecisionInput): DecisionInput {
  const { device } = context;
  return {
    principal: { id: principal.id, kind: principal.kind, roles: sorted(principal.roles) },
    action,
    resource: {
      type: resource.type,
      product: finite(resource.product),
      state: finite(resource.state),
      purpose: finite(resource.purpose),
      own: resource.own,
    },
    context: {
      zone: context.zone,
      strength: context.strength,
      stepUp: context.stepUp,
      signed: context.signed,
      reason: context.reason,
      approved: context.approved,
      purpose: finite(context.purpose),
      networks: sorted(context.networks),
      device: { managed: device.managed, encrypted: device.encrypted, attested: device.attested },
      weekday: context.weekday,
      hour: context.hour,
      lock: context.lock,
      epoch: context.epoch,
      extendsDays: finite(context.extendsDays),
      termDays: finite(context.termDays),
      seats: finite(context.seats),
      rolesChanged: sorted(context.rolesChanged),
    },
  };
}

/** JSON has null for a number that is none, and null means that there is no such amount. */
function finite<T>(value: T): T {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError('not a number');
  return value;
}

/** Text can be spread, too, and would then be a list of its letters. */
function sorted(list: string[]): string[] {
  if (!Array.isArray(list)) throw new TypeError('not a list');
  return [...list].sort();
}

const TEXT_LENGTH_MAX = 256;
const LIST_LENGTH_MAX = 64;

type Check = (value: unknown) => boolean;

const isText: Check = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= TEXT_LENGTH_MAX && isProfileText(value);
const isFlag: Check = (value) => typeof value === 'boolean';
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const isOneOf =
  (words: readonly unknown[]): Check =>
  (value) =>
    words.includes(value);
const isCount =
  (min: number, max = Number.MAX_SAFE_INTEGER): Check =>
  (value) =>
    Number.isSafeInteger(value) &&
    !Object.is(value, -0) &&
    (value as number) >= min &&
    (value as number) <= max;
const isSet: Check = (value) =>
  Array.isArray(value) &&
  value.length <= LIST_LENGTH_MAX &&
  value.every((item, at) => isText(item) && (at === 0 || value[at - 1] < item));

const isDevice: Check = (value) => {
  const { managed, encrypted, attested } = value as Record<string, unknown>;
  return isFlag(managed) && isFlag(encrypted) && isFlag(attested);
};

const checks: { [P in 'principal' | 'resource' | 'context']: Record<keyof DecisionInput[P], Check> } = {
  principal: { id: isText, kind: isOneOf(principalKinds), roles: isSet },
  resource: {
    type: isOneOf(resourceTypes),
    product: orNull(isText),
    state: orNull(isText),
    purpose: orNull(isText),
    own: isFlag,
  },
  context: {
    zone: isOneOf(inputZones),
    strength: isCount(1, 3),
    stepUp: isFlag,
    signed: isFlag,
    reason: isFlag,
    approved: isFlag,
    purpose: orNull(isText),
    networks: isSet,
    device: isDevice,
    weekday: isCount(1, 7),
    hour: isCount(0, 23),
    lock: isText,
    epoch: isCount(0),
    extendsDays: orNull(isCount(-1)),
    termDays: orNull(isCount(-1)),
    seats: orNull(isCount(-1)),
    rolesChanged: isSet,
  },
};

/**
 * Reads a canonical encoding back. Returns what is wrong with it as a string: a member of another type or out
 * of its range, a list with something twice in it, text that the JSON profile does not have.
 */
export function readCanonicalInput(canonical: string): DecisionInput | string {
  const input = JSON.parse(canonical) as DecisionInput;
  if (!isText(input.action)) return 'the input has no action';
  for (const part of ['principal', 'resource', 'context'] as const) {
    const members: Record<string, unknown> = input[part];
    for (const [name, check] of Object.entries<Check>(checks[part])) {
      if (!check(members[name])) return `${part}.${name} of the input is not what it has to be`;
    }
  }
  return input;
}
