/** Flags that several mutations share. */
import type { Flag } from './flag.ts';
import {
  asAddon,
  asCatalogType,
  asDuration,
  asFirstLineOfFile,
  asGrant,
  asGrantInput,
  asInstant,
  asList,
  asNatural,
  asPair,
  asRehost,
  asTrial,
} from './values.ts';

const purposes = ['production', 'trial', 'development', 'internal', 'education'] as const;
export const suspensions = ['payment', 'dispute', 'abuse', 'security', 'requested', 'other'] as const;
const seatModels = ['none', 'device', 'user', 'concurrent'] as const;

export const code: Flag = {
  flags: '--code <code>',
  description: 'short name for machines, such as pro',
  path: ['code'],
};
export const name: Flag = { flags: '--name <text>', description: 'name for people', path: ['name'] };
export const metadata: Flag = {
  flags: '--metadata <name=value>',
  description: 'replaces all metadata',
  path: ['metadata'],
  read: asPair,
  collect: 'object',
  clearable: true,
};
export const catalog: Flag = {
  flags: '--entitlement <code=type>',
  description:
    'type of an entitlement: boolean, integer, string or quota; ,name=… ,unit=… ,enum=a|b may follow',
  path: ['entitlements'],
  read: asCatalogType,
  collect: 'object',
};
export const purpose: Flag = {
  flags: '--purpose <purpose>',
  description: 'what for',
  path: ['purpose'],
  choices: purposes,
};

export const offline: readonly Flag[] = [
  {
    flags: '--offline-max-age <duration>',
    description: 'how old a license file may be',
    path: ['offline', 'maxAge'],
    read: asDuration,
  },
  {
    flags: '--offline-grace <duration>',
    description: 'how much longer it works with a warning',
    path: ['offline', 'grace'],
    read: asDuration,
  },
  {
    flags: '--offline-clock <policy>',
    description: 'what a clock that runs behind means',
    path: ['offline', 'clock'],
    choices: ['strict', 'tolerant'],
  },
];

export const seats: readonly Flag[] = [
  {
    flags: '--seats <model>',
    description: 'what takes a seat',
    path: ['seats', 'model'],
    choices: seatModels,
  },
  {
    flags: '--seats-max <number>',
    description: 'number of seats',
    path: ['seats', 'max'],
    read: asNatural,
    clearable: true,
  },
  {
    flags: '--seats-over <number>',
    description: 'seats tolerated beyond that',
    path: ['seats', 'over'],
    read: asNatural,
  },
];

export const planTerms: readonly Flag[] = [
  purpose,
  {
    flags: '--length <duration>',
    description: 'length of the term, such as P1Y',
    path: ['term', 'length'],
    read: asDuration,
    clearable: true,
  },
  {
    flags: '--grace <duration>',
    description: 'payment lag after the term',
    path: ['term', 'grace'],
    read: asDuration,
  },
  {
    flags: '--basis <basis>',
    description: 'when the term begins',
    path: ['term', 'basis'],
    choices: ['issue', 'first_activation'],
  },
  {
    flags: '--updates-length <duration>',
    description: 'how long new releases are covered',
    path: ['updates', 'length'],
    read: asDuration,
    clearable: true,
  },
  {
    flags: '--updates-fallback',
    description: 'covered releases run on after the term',
    path: ['updates', 'fallback'],
    toggle: true,
  },
  {
    flags: '--max-major <number>',
    description: 'newest major version covered',
    path: ['updates', 'maxMajor'],
    read: asNatural,
    clearable: true,
  },
  ...seats,
  {
    flags: '--seats-bind <kinds>',
    description: 'components, key and label, separated by commas',
    path: ['seats', 'bind'],
    read: asList,
  },
  {
    flags: '--seats-need <number>',
    description: 'how many components must match',
    path: ['seats', 'need'],
    read: asNatural,
    clearable: true,
  },
  {
    flags: '--seats-lease <duration>',
    description: 'how long a seat is held without contact',
    path: ['seats', 'lease'],
    read: asDuration,
    clearable: true,
  },
  {
    flags: '--seats-borrow-max <duration>',
    description: 'how long a seat may be borrowed',
    path: ['seats', 'borrowMax'],
    read: asDuration,
    clearable: true,
  },
  {
    flags: '--seats-rehost <count/duration>',
    description: 'how often a seat may move, such as 3/P30D',
    path: ['seats', 'rehost'],
    read: asRehost,
    clearable: true,
  },
  {
    flags: '--entitlement <code=value>',
    description: 'grant: true, 5, text or limit:1000/P1M/block; replaces all grants',
    path: ['entitlements'],
    read: asGrant,
    collect: 'object',
    clearable: true,
  },
  ...offline,
  {
    flags: '--trial <once-per>',
    description: 'a trial, once per device or customer',
    path: ['trial'],
    read: asTrial,
    clearable: true,
  },
  metadata,
];

export const customer: readonly Flag[] = [
  {
    flags: '--reference <text>',
    description: 'your own id of the customer, unique',
    path: ['reference'],
    clearable: true,
  },
  { ...name, clearable: true },
  {
    flags: '--email <address>',
    description: 'where to reach the customer',
    path: ['email'],
    clearable: true,
  },
  { flags: '--country <code>', description: 'two capital letters', path: ['country'], clearable: true },
  { flags: '--parent <customer>', description: 'id or reference', path: ['parent'], clearable: true },
  metadata,
];

export const addons: Flag = {
  flags: '--addon <plan[:quantity]>',
  description: 'add-on plan, with @2027-01-31 after it for one that ends',
  path: ['addons'],
  read: asAddon,
  collect: 'list',
  clearable: true,
};
export const licensee: Flag = {
  flags: '--licensee <text>',
  description: 'the name that the license shows',
  path: ['licensee'],
  clearable: true,
};
export const from: Flag = {
  flags: '--from <instant>',
  description: 'begin of the term',
  path: ['term', 'from'],
  read: asInstant,
};
export const until: Flag = {
  flags: '--until <instant>',
  description: 'end of the term',
  path: ['term', 'until'],
  read: asInstant,
};
export const perpetual: Flag = {
  flags: '--perpetual',
  description: 'the term does not end',
  path: ['term', 'until'],
  constant: null,
};
export const term: readonly Flag[] = [
  from,
  until,
  {
    flags: '--length <duration>',
    description: 'length of the term instead, such as P1Y',
    path: ['term', 'length'],
    read: asDuration,
  },
  perpetual,
];
export const updates: readonly Flag[] = [
  {
    flags: '--updates-until <instant>',
    description: 'builds up to then are covered',
    path: ['updates', 'until'],
    read: asInstant,
    clearable: true,
  },
  {
    flags: '--max-major <number>',
    description: 'newest major version covered',
    path: ['updates', 'maxMajor'],
    read: asNatural,
    clearable: true,
  },
];
export const companion: readonly Flag[] = [
  { flags: '--order <text>', description: 'order number', path: ['companion', 'order'], clearable: true },
  {
    flags: '--price <number>',
    description: 'in minor units of the currency, such as cents',
    path: ['companion', 'price'],
    read: asNatural,
    clearable: true,
  },
  {
    flags: '--currency <code>',
    description: 'three capital letters',
    path: ['companion', 'currency'],
    clearable: true,
  },
  {
    flags: '--reseller <text>',
    description: 'who sold it',
    path: ['companion', 'reseller'],
    clearable: true,
  },
  {
    flags: '--crm <name=value>',
    description: 'ids in other systems; replaces all of them',
    path: ['companion', 'crm'],
    read: asPair,
    collect: 'object',
    clearable: true,
  },
  {
    flags: '--notes <text>',
    description: 'for the vendor only',
    path: ['companion', 'notes'],
    clearable: true,
  },
];
export const grants: Flag = {
  flags: '--entitlement <code=value>',
  description:
    'grant of this license: true, 5, text or limit:1000/P1M/block; @2027-01-31 after it for one that ends',
  path: ['entitlements'],
  read: asGrantInput,
  collect: 'object',
};
export const key: Flag = {
  flags: '--license-key-file <file>',
  description: 'file with the license key to use; a new one is made otherwise',
  path: ['key'],
  read: asFirstLineOfFile,
};
export const message: Flag = {
  flags: '--message <text>',
  description: 'public: it travels in the license',
  path: ['message'],
  clearable: true,
};
