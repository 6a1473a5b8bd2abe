import type { CommandOf } from '../commands.ts';
import type { GateCommand, RoleInput } from '../gate-commands.ts';
import type { CredentialScope } from '../gate-documents.ts';
import {
  actionNames,
  credentialKind,
  literallyTrue,
  lookup,
  material,
  networks,
  policyContent,
  principalKind,
  storedCommand,
} from './gate-documents.ts';
import { natural } from './grants.ts';
import { closed, listOf, nullable, oneOf, optional, type Reader } from './reader.ts';
import { code, credentialId, duration, email, instant, metadata, text } from './scalars.ts';

/** Readers of the commands about who may use a system. */

const ROLES_MAX = 50;
const PRODUCTS_MAX = 50;

const expectedRev = optional(natural);
const products = optional(nullable(listOf(text, PRODUCTS_MAX)));
const roles: Reader<RoleInput[]> = listOf(
  closed<RoleInput>({ role: code, products, until: optional(nullable(instant)) }),
  ROLES_MAX,
);
const scope: Reader<Partial<CredentialScope>> = closed<Partial<CredentialScope>>({
  actions: optional(nullable(actionNames)),
  products,
  networks: optional(networks),
});

export const GATE_READERS: { [T in GateCommand['type']]: Reader<CommandOf<T>> } = {
  'principal.create': closed<CommandOf<'principal.create'>>({
    type: oneOf('principal.create'),
    kind: principalKind,
    name: text,
    email: optional(nullable(email)),
    roles: optional(roles),
    metadata: optional(metadata),
  }),
  'principal.update': closed<CommandOf<'principal.update'>>({
    type: oneOf('principal.update'),
    principal: text,
    name: optional(text),
    email: optional(nullable(email)),
    metadata: optional(metadata),
    expectedRev,
  }),
  'principal.assign': closed<CommandOf<'principal.assign'>>({
    type: oneOf('principal.assign'),
    principal: text,
    roles,
    expectedRev,
  }),
  'principal.grant': closed<CommandOf<'principal.grant'>>({
    type: oneOf('principal.grant'),
    principal: text,
    role: code,
    products,
    length: duration,
    expectedRev,
  }),
  'principal.disable': closed<CommandOf<'principal.disable'>>({
    type: oneOf('principal.disable'),
    principal: text,
    expectedRev,
  }),
  'principal.enable': closed<CommandOf<'principal.enable'>>({
    type: oneOf('principal.enable'),
    principal: text,
    expectedRev,
  }),
  'credential.create': closed<CommandOf<'credential.create'>>({
    type: oneOf('credential.create'),
    principal: text,
    kind: credentialKind,
    name: text,
    notAfter: optional(nullable(instant)),
    scope: optional(scope),
    lookup,
    material: optional(material),
    replaces: optional(credentialId),
    overlap: optional(duration),
  }),
  'credential.expire': closed<CommandOf<'credential.expire'>>({
    type: oneOf('credential.expire'),
    credential: text,
    notAfter: instant,
    expectedRev,
  }),
  'credential.revoke': closed<CommandOf<'credential.revoke'>>({
    type: oneOf('credential.revoke'),
    credential: text,
    expectedRev,
  }),
  'policy.publish': closed<CommandOf<'policy.publish'>>({
    type: oneOf('policy.publish'),
    ...policyContent,
    despiteShadow: optional(literallyTrue),
    expectedRev,
  }),
  'policy.drop_access': closed<CommandOf<'policy.drop_access'>>({
    type: oneOf('policy.drop_access'),
    before: instant,
    expectedRev,
  }),
  'approval.request': closed<CommandOf<'approval.request'>>({
    type: oneOf('approval.request'),
    command: storedCommand,
  }),
  'approval.approve': closed<CommandOf<'approval.approve'>>({
    type: oneOf('approval.approve'),
    approval: text,
    expectedRev,
  }),
  'approval.reject': closed<CommandOf<'approval.reject'>>({
    type: oneOf('approval.reject'),
    approval: text,
    reason: optional(nullable(text)),
    expectedRev,
  }),
  'approval.withdraw': closed<CommandOf<'approval.withdraw'>>({
    type: oneOf('approval.withdraw'),
    approval: text,
    expectedRev,
  }),
  'approval.execute': closed<CommandOf<'approval.execute'>>({
    type: oneOf('approval.execute'),
    approval: text,
    expectedRev,
  }),
};
