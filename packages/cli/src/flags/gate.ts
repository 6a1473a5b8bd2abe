/** The flags of the commands about who may use a system. */
import type { GateBodyOf, RoleInput } from '@tallystick/contract';
import { InvalidArgumentError } from 'commander';
import type { Flag } from './flag.ts';
import { metadata, name } from './parts.ts';
import { asDuration, asInstant, asList } from './values.ts';

/** `role`, `role:product,product` for some products alone, and `@instant` after either for one that ends. */
function asRole(value: string): RoleInput {
  const match = /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(value);
  if (match === null)
    throw new InvalidArgumentError('Give a role such as issuer, issuer:editor,viewer or issuer@2027-01-31.');
  return {
    role: match[1] ?? '',
    ...(match[2] === undefined ? {} : { products: asList(match[2]) }),
    ...(match[3] === undefined ? {} : { until: asInstant(match[3]) }),
  };
}

const email: Flag = {
  flags: '--email <address>',
  description: 'where the person is reached',
  path: ['email'],
  clearable: true,
};
const roles: Flag = {
  flags: '--role <role>',
  description: 'such as issuer, issuer:editor for one product, issuer@2027-01-31 for one that ends',
  path: ['roles'],
  read: asRole,
  collect: 'list',
};

export const gateFlags: Readonly<Record<keyof GateBodyOf, readonly Flag[]>> = {
  'principal.create': [
    {
      flags: '--kind <kind>',
      description: 'person, service or partner',
      path: ['kind'],
      choices: ['person', 'service', 'partner'],
    },
    name,
    email,
    roles,
    metadata,
  ],
  'principal.update': [name, email, metadata],
  'principal.assign': [{ ...roles, clearable: true }],
  'principal.grant': [
    { flags: '--role <role>', description: 'the role to give', path: ['role'] },
    {
      flags: '--products <products>',
      description: 'ids or codes, separated by commas; left out: all',
      path: ['products'],
      read: asList,
    },
    {
      flags: '--length <duration>',
      description: 'for how long, at most a day, such as PT4H',
      path: ['length'],
      read: asDuration,
    },
  ],
  'principal.disable': [],
  'principal.enable': [],
  'credential.create': [],
  'credential.expire': [
    { flags: '--at <instant>', description: 'when it ends', path: ['notAfter'], read: asInstant },
  ],
  'credential.revoke': [],
  'policy.publish': [],
  'policy.drop_access': [],
  'approval.request': [],
  'approval.approve': [],
  'approval.reject': [
    { flags: '--because <text>', description: 'what the author is told', path: ['reason'] },
  ],
  'approval.withdraw': [],
  'approval.execute': [],
};
