export type { Asked, Caller, Device, SignedRequest } from './caller.ts';
export { Directory, isUsable } from './directory/directory.ts';
export { type Circumstances, describe, type Identity, rolesFor } from './judgment/describe.ts';
export { type Effect, effectOf, noEffect } from './judgment/effect.ts';
export { bareResource, type Resource, resourceOf } from './judgment/resource.ts';
export { actionNames, actions } from './policy/actions.ts';
export type { Decision, Lack } from './policy/decision.ts';
export { defaultPolicyDocument } from './policy/defaults/document.ts';
export { defaultRoles, internalRoles } from './policy/defaults/roles.ts';
export { PolicyEngine } from './policy/engine.ts';
export {
  canonicalInput,
  type DecisionInput,
  inputHash,
  type PrincipalKind,
  type ResourceType,
} from './policy/input.ts';
export { Memo } from './policy/memo.ts';
export { PolicyError, type PolicySource, policySetHash, schemaHash } from './policy/policy-source.ts';
