/** The flags of every mutation. What each command takes is in the contract; a test holds the two together. */
import type { CommandType } from '@tallystick/contract';
import type { Flag } from './flag.ts';
import { gateFlags } from './gate.ts';
import {
  addons,
  catalog,
  code,
  companion,
  customer,
  from,
  grants,
  key,
  licensee,
  message,
  metadata,
  name,
  offline,
  perpetual,
  planTerms,
  purpose,
  seats,
  suspensions,
  term,
  until,
  updates,
} from './parts.ts';
import { asDuration, asInstant, asKeyCut, asNatural } from './values.ts';

const licenseTerms: readonly Flag[] = [
  licensee,
  ...updates,
  ...seats,
  ...offline,
  grants,
  metadata,
  ...companion,
];

/** `expectedRev` and `--from-file` are common to all and not listed here. */
export const bodyFlags: Readonly<Record<CommandType, readonly Flag[]>> = {
  ...gateFlags,
  'product.create': [code, name, catalog, metadata],
  'product.update': [name, catalog, metadata],
  'product.retire': [],
  'plan.create': [
    { flags: '--product <product>', description: 'id or code', path: ['product'] },
    code,
    name,
    { flags: '--kind <kind>', description: 'base or addon', path: ['kind'], choices: ['base', 'addon'] },
    ...planTerms,
  ],
  'plan.update': [name, ...planTerms],
  'plan.retire': [],
  'customer.create': customer,
  'customer.update': customer,
  'customer.merge': [
    { flags: '--into <customer>', description: 'id or reference of who receives all', path: ['into'] },
  ],
  'customer.erase': [],
  'license.issue': [
    { flags: '--plan <plan>', description: 'id or code', path: ['plan'] },
    addons,
    { flags: '--customer <customer>', description: 'id or reference', path: ['customer'], clearable: true },
    ...term,
    ...licenseTerms,
    key,
    {
      flags: '--replaces <license>',
      description: 'id of the license that this one succeeds',
      path: ['replaces'],
    },
  ],
  'license.amend': [
    purpose,
    from,
    until,
    perpetual,
    {
      flags: '--grace <duration>',
      description: 'payment lag after the term',
      path: ['term', 'grace'],
      read: asDuration,
    },
    ...licenseTerms,
    {
      flags: '--without-entitlement <code>',
      description: 'takes an entitlement away',
      path: ['entitlements'],
      read: (text) => [text, null],
      collect: 'object',
    },
  ],
  'license.renew': [
    { ...until, path: ['until'], description: 'the new end of the term' },
    {
      flags: '--length <duration>',
      description: 'extend by so much instead, such as P1Y',
      path: ['length'],
      read: asDuration,
    },
    {
      flags: '--updates-until <instant>',
      description: 'builds up to then are covered',
      path: ['updates', 'until'],
      read: asInstant,
    },
    {
      flags: '--updates-length <duration>',
      description: 'extend what is covered by so much',
      path: ['updates', 'length'],
      read: asDuration,
    },
  ],
  'license.change_plan': [
    { flags: '--plan <plan>', description: 'id or code', path: ['plan'] },
    addons,
    ...term,
  ],
  'license.suspend': [
    { flags: '--for <cause>', description: 'why, in public', path: ['reason'], choices: suspensions },
    message,
  ],
  'license.reinstate': [],
  'license.revoke': [
    {
      flags: '--for <cause>',
      description: 'why, in public',
      path: ['reason'],
      choices: ['refund', 'fraud', 'ended', 'mistake'],
    },
    message,
  ],
  'license.replace': [
    { flags: '--by <license>', description: 'id of the license that takes over', path: ['by'] },
  ],
  'license.transfer': [
    { flags: '--to <customer>', description: 'id or reference of the new customer', path: ['customer'] },
    licensee,
    { flags: '--reset-seats', description: 'end every activation', path: ['resetSeats'], constant: true },
  ],
  'license.rekey': [key],
  'license.reissue': [],
  'brake.tighten': [
    {
      flags: '--lock <level>',
      description: 'lock the namespace',
      path: ['lock'],
      choices: ['heightened', 'read-only', 'frozen', 'sealed'],
    },
    {
      flags: '--min-epoch <number>',
      description: 'licenses of an earlier epoch must be fetched anew',
      path: ['minEpoch'],
      read: asNatural,
    },
    {
      flags: '--end-key <key[@index]>',
      description: 'this key signs nothing from now on, or from a log index on',
      path: ['until'],
      read: asKeyCut,
      collect: 'list',
    },
    {
      flags: '--may-stop-issuing',
      description: 'also where no key is left',
      path: ['mayStopIssuing'],
      constant: true,
    },
  ],
};
