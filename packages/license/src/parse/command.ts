import type { Command, CommandOf, CommandType, KeyCut, LicenseAmend, LicenseRenew } from '../commands.ts';
import {
  addonInput,
  catalogInput,
  companionInput,
  customerMembers,
  grantsAmended,
  grantsOfLicense,
  offlineInput,
  planTerms,
  seatsInput,
  termInput,
  updatesInput,
} from './command-parts.ts';
import { GATE_READERS } from './gate-commands.ts';
import { ADDONS_MAX, natural, purpose } from './grants.ts';
import {
  boolean,
  closed,
  listOf,
  malformed,
  nullable,
  oneOf,
  optional,
  plainObject,
  type Reader,
  readAll,
} from './reader.ts';
import { calendarDuration, code, duration, instant, licenseKey, metadata, text } from './scalars.ts';

const expectedRev = optional(natural);
const maybeText = optional(nullable(text));
const addons = optional(listOf(addonInput, ADDONS_MAX));
const CUTS_MAX = 64;

const keyCut = closed<KeyCut>({ key: text, index: optional(natural) });

const READERS: { [T in CommandType]: Reader<CommandOf<T>> } = {
  'brake.tighten': closed<CommandOf<'brake.tighten'>>({
    type: oneOf('brake.tighten'),
    lock: optional(oneOf('open', 'heightened', 'read-only', 'frozen', 'sealed')),
    minEpoch: optional(natural),
    until: optional(listOf(keyCut, CUTS_MAX)),
    destroyed: optional(listOf(text, CUTS_MAX)),
    mayStopIssuing: optional(boolean),
    expectedRev,
  }),
  'product.create': closed<CommandOf<'product.create'>>({
    type: oneOf('product.create'),
    code,
    name: text,
    entitlements: optional(catalogInput),
    metadata: optional(metadata),
  }),
  'product.update': closed<CommandOf<'product.update'>>({
    type: oneOf('product.update'),
    product: text,
    name: optional(text),
    entitlements: optional(catalogInput),
    metadata: optional(metadata),
    expectedRev,
  }),
  'product.retire': closed<CommandOf<'product.retire'>>({
    type: oneOf('product.retire'),
    product: text,
    expectedRev,
  }),
  'plan.create': closed<CommandOf<'plan.create'>>({
    type: oneOf('plan.create'),
    product: text,
    code,
    name: text,
    kind: optional(oneOf('base', 'addon')),
    ...planTerms,
  }),
  'plan.update': closed<CommandOf<'plan.update'>>({
    type: oneOf('plan.update'),
    plan: text,
    name: optional(text),
    ...planTerms,
    expectedRev,
  }),
  'plan.retire': closed<CommandOf<'plan.retire'>>({ type: oneOf('plan.retire'), plan: text, expectedRev }),
  'customer.create': closed<CommandOf<'customer.create'>>({
    type: oneOf('customer.create'),
    ...customerMembers,
  }),
  'customer.update': closed<CommandOf<'customer.update'>>({
    type: oneOf('customer.update'),
    customer: text,
    ...customerMembers,
    expectedRev,
  }),
  'customer.merge': closed<CommandOf<'customer.merge'>>({
    type: oneOf('customer.merge'),
    customer: text,
    into: text,
    expectedRev,
  }),
  'customer.erase': closed<CommandOf<'customer.erase'>>({
    type: oneOf('customer.erase'),
    customer: text,
    expectedRev,
  }),
  'license.issue': closed<CommandOf<'license.issue'>>({
    type: oneOf('license.issue'),
    plan: text,
    addons,
    customer: maybeText,
    licensee: maybeText,
    term: optional(termInput),
    updates: optional(updatesInput),
    entitlements: optional(grantsOfLicense),
    seats: optional(seatsInput),
    offline: optional(offlineInput),
    metadata: optional(metadata),
    companion: optional(companionInput),
    key: optional(licenseKey),
    replaces: optional(text),
  }),
  'license.amend': closed<CommandOf<'license.amend'>>({
    type: oneOf('license.amend'),
    license: text,
    licensee: maybeText,
    purpose: optional(purpose),
    term: optional(
      closed<NonNullable<LicenseAmend['term']>>({
        from: optional(instant),
        until: optional(nullable(instant)),
        grace: optional(duration),
      }),
    ),
    updates: optional(updatesInput),
    seats: optional(seatsInput),
    entitlements: optional(grantsAmended),
    offline: optional(offlineInput),
    metadata: optional(metadata),
    companion: optional(companionInput),
    expectedRev,
  }),
  'license.renew': closed<CommandOf<'license.renew'>>({
    type: oneOf('license.renew'),
    license: text,
    until: optional(instant),
    length: optional(calendarDuration),
    updates: optional(
      closed<NonNullable<LicenseRenew['updates']>>({
        until: optional(instant),
        length: optional(calendarDuration),
      }),
    ),
    expectedRev,
  }),
  'license.change_plan': closed<CommandOf<'license.change_plan'>>({
    type: oneOf('license.change_plan'),
    license: text,
    plan: optional(text),
    addons,
    term: optional(termInput),
    expectedRev,
  }),
  'license.suspend': closed<CommandOf<'license.suspend'>>({
    type: oneOf('license.suspend'),
    license: text,
    reason: oneOf('payment', 'dispute', 'abuse', 'security', 'requested', 'other'),
    message: maybeText,
    expectedRev,
  }),
  'license.reinstate': closed<CommandOf<'license.reinstate'>>({
    type: oneOf('license.reinstate'),
    license: text,
    expectedRev,
  }),
  'license.revoke': closed<CommandOf<'license.revoke'>>({
    type: oneOf('license.revoke'),
    license: text,
    reason: oneOf('refund', 'fraud', 'ended', 'mistake'),
    message: maybeText,
    expectedRev,
  }),
  'license.replace': closed<CommandOf<'license.replace'>>({
    type: oneOf('license.replace'),
    license: text,
    by: optional(text),
    expectedRev,
  }),
  'license.transfer': closed<CommandOf<'license.transfer'>>({
    type: oneOf('license.transfer'),
    license: text,
    customer: text,
    licensee: maybeText,
    resetSeats: optional(boolean),
    expectedRev,
  }),
  'license.rekey': closed<CommandOf<'license.rekey'>>({
    type: oneOf('license.rekey'),
    license: text,
    key: optional(licenseKey),
    expectedRev,
  }),
  'license.reissue': closed<CommandOf<'license.reissue'>>({
    type: oneOf('license.reissue'),
    license: text,
    expectedRev,
  }),
  ...GATE_READERS,
};

export const COMMAND_TYPES: readonly CommandType[] = Object.keys(READERS) as CommandType[];

const readCommand: Reader<Command> = (value) => {
  const type = plainObject(value)['type'];
  if (typeof type !== 'string' || !Object.hasOwn(READERS, type)) {
    throw malformed('type must be that of a command of this version, such as license.issue');
  }
  return READERS[type as CommandType](value);
};

/** Reads a value as a command; throws ModelError (malformed) with the path of the first problem. */
export function parseCommand(value: unknown): Command {
  return readAll(readCommand, value);
}
