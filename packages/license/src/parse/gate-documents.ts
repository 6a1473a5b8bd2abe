import type {
  Approval,
  ApprovalDocument,
  ApprovalRule,
  Asker,
  CredentialDocument,
  CredentialScope,
  PolicyContent,
  PolicyDocument,
  PolicyText,
  PrincipalDocument,
  RoleGrant,
} from '../gate-documents.ts';
import { isName } from '../text.ts';
import { natural } from './grants.ts';
import { subjectType, version } from './head.ts';
import {
  documentOf,
  integer,
  listOf,
  malformed,
  mapOf,
  nullable,
  oneOf,
  open,
  optional,
  plainObject,
  type Reader,
  textThat,
} from './reader.ts';
import {
  approvalId,
  code,
  credentialId,
  customerId,
  duration,
  email,
  hash,
  instant,
  longText,
  metadata,
  name,
  namespaceName,
  principalId,
  productId,
  text,
} from './scalars.ts';

/** Readers of the documents about who may use a system, which never leave the vendor. */

const ROLES_MAX = 50;
const PRODUCTS_MAX = 50;
const ACTIONS_MAX = 200;
const NETWORKS_MAX = 50;
const POLICIES_MAX = 512;
const LINES_MAX = 4_096;
const LINE_LENGTH_MAX = 1024;
const APPROVALS_MAX = 32;
/** An id of an issuer and of somebody there, a key id or an HMAC. */
const LOOKUP_LENGTH_MAX = 600;
const MATERIAL_LENGTH_MAX = 4_000;
const MATERIAL_MAX = 16;
const COMMAND_MEMBERS_MAX = 40;
const COMMAND_DEPTH_MAX = 10;

const products: Reader<string[] | null> = nullable(listOf(productId, PRODUCTS_MAX));
/** The name of a route or command: `license.issue`. */
const actionName: Reader<string> = textThat(
  (value) => /^[a-z]{2,32}(?:\.[a-z_]{2,32}){0,2}$/.test(value),
  'the name of an action, such as license.issue',
);
export const actionNames: Reader<string[]> = listOf(actionName, ACTIONS_MAX);
export const networks: Reader<string[] | null> = nullable(
  listOf(
    textThat(
      (value) => /^[0-9a-fA-F:.]{2,45}\/[0-9]{1,3}$/.test(value),
      'an address range such as 10.0.0.0/8',
    ),
    NETWORKS_MAX,
  ),
);
export const lookup: Reader<string> = longText(1, LOOKUP_LENGTH_MAX);
export const material: Reader<Record<string, string>> = mapOf(
  name,
  longText(0, MATERIAL_LENGTH_MAX),
  MATERIAL_MAX,
);
export const credentialKind: Reader<CredentialDocument['kind']> = oneOf(
  'api_key',
  'passkey',
  'password',
  'totp',
  'oidc',
  'spiffe',
  'http_signature',
  'invitation',
);
export const principalKind: Reader<PrincipalDocument['kind']> = oneOf('person', 'service', 'partner');

const role: Reader<RoleGrant> = open({ role: code, products, until: nullable(instant) });

export const principalDocument: Reader<PrincipalDocument> = documentOf<PrincipalDocument>({
  v: version,
  type: subjectType('principal'),
  ns: namespaceName,
  id: principalId,
  rev: natural,
  kind: principalKind,
  name: text,
  email: nullable(email),
  state: oneOf('active', 'disabled'),
  roles: listOf(role, ROLES_MAX),
  metadata,
});

const scope: Reader<CredentialScope> = open({ actions: nullable(actionNames), products, networks });

export const credentialDocument: Reader<CredentialDocument> = documentOf<CredentialDocument>({
  v: version,
  type: subjectType('credential'),
  ns: namespaceName,
  id: credentialId,
  rev: natural,
  principal: principalId,
  kind: credentialKind,
  name: text,
  state: oneOf('active', 'revoked'),
  notAfter: nullable(instant),
  scope,
  lookup,
  material,
  replaces: nullable(credentialId),
});

const lines: Reader<string[]> = listOf(longText(0, LINE_LENGTH_MAX), LINES_MAX);
const policyText: Reader<PolicyText> = open({ id: code, lines });

const approvers: Reader<ApprovalRule['approvers']> = listOf(open({ role: code, count: integer(1, 16) }), 8);

const approvalRule: Reader<ApprovalRule> = open<ApprovalRule>({
  actions: actionNames,
  above: nullable(
    open<NonNullable<ApprovalRule['above']>>({
      termDays: nullable(natural),
      seats: nullable(natural),
      perHour: nullable(natural),
      keys: optional(nullable(natural)),
      loosened: optional(nullable(natural)),
    }),
  ),
  approvers,
  within: duration,
});

/** What is said by being there. */
export const literallyTrue: Reader<true> = (value) => {
  if (value !== true) throw malformed('must be true, or left out');
  return true;
};

/** The members of a policy set, for documents and commands alike. */
export const policyContent: { [K in keyof PolicyContent]: Reader<PolicyContent[K]> } = {
  schema: lines,
  policies: listOf(policyText, POLICIES_MAX),
  approvals: listOf(approvalRule, POLICIES_MAX),
  durable: actionNames,
  sessions: open({ idle: duration, max: duration, stepUp: duration }),
};

export const policyDocument: Reader<PolicyDocument> = documentOf<PolicyDocument>({
  v: version,
  type: subjectType('policy'),
  ns: namespaceName,
  id: textThat((id) => id === 'policies', 'policies'),
  rev: natural,
  ...policyContent,
  despiteShadow: optional(literallyTrue),
  accessDroppedBefore: optional(instant),
});

/** As many as one command can change. */
const CUSTOMERS_MAX = 500;

/** `prn_…`, or the name of a token that is no subject. */
const askerId: Reader<string> = textThat(
  (value) => /^[a-z][a-z0-9_]{1,63}$/.test(value),
  'the id of a principal',
);
const asker = { principal: askerId, credential: askerId, session: nullable(askerId) } as const;

/** A command as it was asked for, which its own reader looks at again before it is carried out. */
export const storedCommand: Reader<Record<string, unknown>> = (value) => {
  const command = plainObject(value);
  if (typeof command['type'] !== 'string') throw malformed('must be a command');
  const members = Object.keys(command);
  if (!members.every(isName)) throw malformed('must have members whose names a command may have');
  if (members.length > COMMAND_MEMBERS_MAX)
    throw malformed(`must have at most ${COMMAND_MEMBERS_MAX} members`);
  if (!isAtMostDeep(command, COMMAND_DEPTH_MAX))
    throw malformed(`must be at most ${COMMAND_DEPTH_MAX} levels deep`);
  return command;
};

/** What is deeper than any command is nothing that a reader may follow. */
function isAtMostDeep(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((member) => isAtMostDeep(member, levels - 1));
}

export const approvalDocument: Reader<ApprovalDocument> = documentOf<ApprovalDocument>({
  v: version,
  type: subjectType('approval'),
  ns: namespaceName,
  id: approvalId,
  rev: natural,
  state: oneOf('pending', 'approved', 'rejected', 'withdrawn', 'executed'),
  author: open<Asker>(asker),
  command: storedCommand,
  why: nullable(text),
  binding: hash,
  policy: hash,
  epoch: natural,
  approvers,
  notAfter: instant,
  approvals: listOf(open<Approval>({ ...asker, role: code, at: instant }), APPROVALS_MAX),
  rejected: nullable(
    open<NonNullable<ApprovalDocument['rejected']>>({ ...asker, why: nullable(text), at: instant }),
  ),
  customers: optional(listOf(customerId, CUSTOMERS_MAX)),
});
