export * from './authenticate/address.ts';
export * from './authenticate/authenticator.ts';
export * from './authenticate/directory-view.ts';
export * from './authenticate/networks.ts';
export type { RequestParts } from './authenticate/origin.ts';
export * from './authenticate/posture.ts';
export * from './authenticate/secret-token.ts';
export * from './authenticate/secrets.ts';
export * from './authenticate/spiffe.ts';
export type { Caller } from './caller.ts';
export * from './http-signature/index.ts';
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
export * from './sessions/cookies.ts';
export * from './sessions/gate-file.ts';
export * from './sessions/session.ts';
export * from './sessions/sessions.ts';
