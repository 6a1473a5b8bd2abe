/** Schemas of the documents and bodies about who may use a system. */
import { z } from 'zod';
import type { Targeted } from '../bodies.ts';
import type { DocumentOf } from '../documents.ts';
import type { GateBodyOf, RoleInput } from '../gate-bodies.ts';
import {
  type Approval,
  type ApprovalDocument,
  type ApprovalRule,
  type Asker,
  approvalStates,
  type CredentialDocument,
  type CredentialScope,
  credentialKinds,
  credentialStates,
  type PolicyContent,
  type PolicyDocument,
  type PolicyText,
  type PrincipalDocument,
  principalKinds,
  principalStates,
  type RoleGrant,
  type SessionTerms,
} from '../gate-documents.ts';
import { head } from './head.ts';
import {
  approvalId,
  code,
  credentialId,
  duration,
  email,
  hash,
  instant,
  integer,
  longText,
  matching,
  memberName,
  metadata,
  natural,
  principalId,
  productId,
  text,
} from './scalars.ts';
import { closed, described, kept, mapOf, oneOf, type Shape } from './shape.ts';

const ROLES_MAX = 50;
const PRODUCTS_MAX = 50;
const ACTIONS_MAX = 200;
const NETWORKS_MAX = 50;
const POLICIES_MAX = 512;
const LINES_MAX = 4_096;
const LINE_LENGTH_MAX = 1_024;
const APPROVERS_MAX = 8;
const APPROVALS_MAX = 32;
const COMMAND_MEMBERS_MAX = 40;
const COMMAND_DEPTH_MAX = 10;

const actionName = matching(
  /^[a-z]{2,32}(?:\.[a-z_]{2,32}){0,2}$/,
  'the name of an action, such as license.issue',
);
const actions = z.array(actionName).max(ACTIONS_MAX);
const networks = z
  .array(matching(/^[0-9a-fA-F:.]{2,45}\/[0-9]{1,3}$/, 'an address range such as 10.0.0.0/8'))
  .max(NETWORKS_MAX)
  .nullable();
const productIds = z.array(productId).max(PRODUCTS_MAX).nullable();
const lines = z.array(longText(0, LINE_LENGTH_MAX)).max(LINES_MAX);
const credentialKind = oneOf(credentialKinds);
const principalKind = oneOf(principalKinds);

export const roleGrant: z.ZodType<RoleGrant> = kept<RoleGrant>({
  role: code,
  products: productIds,
  until: instant.nullable(),
});

const principal: z.ZodType<PrincipalDocument> = kept<PrincipalDocument>({
  ...head('principal', principalId),
  kind: principalKind,
  name: text,
  email: email.nullable(),
  state: oneOf(principalStates),
  roles: z.array(roleGrant).max(ROLES_MAX),
  metadata,
});

const credential: z.ZodType<CredentialDocument> = kept<CredentialDocument>({
  ...head('credential', credentialId),
  principal: principalId,
  kind: credentialKind,
  name: text,
  state: oneOf(credentialStates),
  notAfter: instant.nullable(),
  scope: kept<CredentialScope>({ actions: actions.nullable(), products: productIds, networks }),
  lookup: described(longText(1, 600).nullable(), 'What it is found by, where that is public'),
  replaces: credentialId.nullable(),
});

type Approver = ApprovalRule['approvers'][number];
export const approver: z.ZodType<Approver> = closed<Approver>({ role: code, count: integer(1, 16) });
const approvers = z.array(approver).max(APPROVERS_MAX);

export const approvalRule: z.ZodType<ApprovalRule> = closed<ApprovalRule>({
  actions,
  above: closed<NonNullable<ApprovalRule['above']>>({
    termDays: natural.nullable(),
    seats: natural.nullable(),
    perHour: natural.nullable(),
    keys: natural.nullable().exactOptional(),
    loosened: natural.nullable().exactOptional(),
  }).nullable(),
  approvers,
  within: duration,
});

export const sessionTerms: z.ZodType<SessionTerms> = closed<SessionTerms>({
  idle: duration,
  max: duration,
  stepUp: duration,
});

export const policyText: z.ZodType<PolicyText> = closed<PolicyText>({ id: code, lines });

export const policyContent: Shape<PolicyContent> = {
  schema: described(lines, 'The schema of the policies, in Cedar'),
  policies: z.array(policyText).max(POLICIES_MAX),
  approvals: z.array(approvalRule).max(POLICIES_MAX),
  durable: actions,
  sessions: sessionTerms,
};

const policy: z.ZodType<PolicyDocument> = kept<PolicyDocument>({
  ...head('policy', z.literal('policies')),
  ...policyContent,
  despiteShadow: z.literal(true).exactOptional(),
  accessDroppedBefore: instant.exactOptional(),
});

/** As many as one command can change. */
const CUSTOMERS_MAX = 500;

const askerName = matching(/^[a-z][a-z0-9_]{1,63}$/, 'the id of a principal');
const asker: Shape<Asker> = { principal: askerName, credential: askerName, session: askerName.nullable() };

export const storedCommand: z.ZodType<Record<string, unknown>> = described(
  z
    .record(memberName as z.ZodString, z.unknown(), { error: 'must be an object' })
    .refine(({ type }) => typeof type === 'string', 'must be a command: an object with a type')
    .refine(
      (command) => Object.keys(command).length <= COMMAND_MEMBERS_MAX,
      `must have at most ${COMMAND_MEMBERS_MAX} members`,
    )
    .refine(
      (command) => isAtMostDeep(command, COMMAND_DEPTH_MAX),
      `must be at most ${COMMAND_DEPTH_MAX} levels deep`,
    )
    .meta({ maxProperties: COMMAND_MEMBERS_MAX }),
  'A whole command: its type, the subject under the name of its type, and the members of its body',
);

/** Deeper values are left alone before anything follows them down. */
function isAtMostDeep(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((member) => isAtMostDeep(member, levels - 1));
}

export const approvalGiven: z.ZodType<Approval> = kept<Approval>({ ...asker, role: code, at: instant });

type GateDocuments = Pick<DocumentOf, 'principal' | 'credential' | 'policy' | 'approval'>;

const approval: z.ZodType<ApprovalDocument> = kept<ApprovalDocument>({
  ...head('approval', approvalId),
  state: oneOf(approvalStates),
  author: kept<Asker>(asker),
  command: storedCommand,
  why: text.nullable(),
  binding: hash,
  policy: hash,
  epoch: natural,
  approvers,
  notAfter: instant,
  approvals: z.array(approvalGiven).max(APPROVALS_MAX),
  rejected: kept<NonNullable<ApprovalDocument['rejected']>>({
    ...asker,
    why: text.nullable(),
    at: instant,
  }).nullable(),
  customers: z.array(askerName).max(CUSTOMERS_MAX).exactOptional(),
});

export const gateDocuments: { readonly [T in keyof GateDocuments]: z.ZodType<GateDocuments[T]> } = {
  principal,
  credential,
  policy,
  approval,
};

const productNames = described(z.array(text).max(PRODUCTS_MAX).nullable(), 'Ids or codes of products');
export const roleInput: z.ZodType<RoleInput> = closed<RoleInput>({
  role: code,
  products: productNames.exactOptional(),
  until: instant.nullable().exactOptional(),
});
const roles = z.array(roleInput).max(ROLES_MAX);
const scope: z.ZodType<Partial<CredentialScope>> = closed<Partial<CredentialScope>>({
  actions: actions.nullable().exactOptional(),
  products: productNames.exactOptional(),
  networks: networks.exactOptional(),
});

/** The schema of every body, by the type of its command. */
export function gateBodies(
  targeted: Shape<Targeted>,
  onlyTargeted: z.ZodType<Targeted>,
): { readonly [T in keyof GateBodyOf]: z.ZodType<GateBodyOf[T]> } {
  return {
    'principal.create': closed<GateBodyOf['principal.create']>({
      kind: principalKind,
      name: text,
      email: email.nullable().exactOptional(),
      roles: roles.exactOptional(),
      metadata: metadata.exactOptional(),
    }),
    'principal.update': closed<GateBodyOf['principal.update']>({
      name: text.exactOptional(),
      email: email.nullable().exactOptional(),
      metadata: metadata.exactOptional(),
      ...targeted,
    }),
    'principal.assign': closed<GateBodyOf['principal.assign']>({ roles, ...targeted }),
    'principal.grant': closed<GateBodyOf['principal.grant']>({
      role: code,
      products: productNames.exactOptional(),
      length: described(duration, 'At most a day'),
      ...targeted,
    }),
    'principal.disable': onlyTargeted,
    'principal.enable': onlyTargeted,
    'credential.create': closed<GateBodyOf['credential.create']>({
      principal: text,
      kind: credentialKind,
      name: text,
      notAfter: instant.nullable().exactOptional(),
      scope: scope.exactOptional(),
      lookup: described(longText(1, 600), 'What it is found by, unique among the active ones of its kind'),
      material: described(
        mapOf(memberName, longText(0, 4_000), 16),
        'What verifies it; never a secret in clear',
      ).exactOptional(),
      replaces: credentialId.exactOptional(),
      overlap: described(duration, 'How long the replaced one goes on; left out: a day').exactOptional(),
    }),
    'credential.expire': closed<GateBodyOf['credential.expire']>({ notAfter: instant, ...targeted }),
    'credential.revoke': onlyTargeted,
    'policy.publish': closed<GateBodyOf['policy.publish']>({
      ...policyContent,
      despiteShadow: described(
        z.literal(true) as z.ZodType<true>,
        'Put in force although verdicts flip, or nobody looked; needs a reason',
      ).exactOptional(),
      ...targeted,
    }),
    'policy.drop_access': closed<GateBodyOf['policy.drop_access']>({
      before: described(instant, 'Records from before then go, for good'),
      ...targeted,
    }),
    'approval.request': closed<GateBodyOf['approval.request']>({ command: storedCommand }),
    'approval.approve': onlyTargeted,
    'approval.reject': closed<GateBodyOf['approval.reject']>({
      reason: text.nullable().exactOptional(),
      ...targeted,
    }),
    'approval.withdraw': onlyTargeted,
    'approval.execute': onlyTargeted,
  };
}
