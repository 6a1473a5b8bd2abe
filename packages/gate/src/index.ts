export { actionNames, actions } from './policy/actions.ts';
export type { Decision, Lack } from './policy/decision.ts';
export {
  type ApprovalRule,
  type ApprovalThreshold,
  defaultPolicyDocument,
  type PolicyMembers,
} from './policy/defaults/document.ts';
export { defaultRoles, internalRoles } from './policy/defaults/roles.ts';
export { PolicyEngine } from './policy/engine.ts';
export {
  canonicalInput,
  type DecisionInput,
  inputHash,
  type PrincipalKind,
  type ResourceType,
} from './policy/input.ts';
export { PolicyError, type PolicySource, policySetHash, schemaHash } from './policy/policy-source.ts';
