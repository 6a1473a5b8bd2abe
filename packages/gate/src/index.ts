export { actsAlone, missingRoles } from './approvals/company.ts';
export { type AskedFor, HourlyCounts } from './approvals/hourly-counts.ts';
export { type Applicable, applicableRules, type Proposed } from './approvals/rules.ts';
export { policyContentHash } from './approvals/rules-hash.ts';
export { AddressError, hostOf, parseRange } from './authenticate/address.ts';
export {
  type Authentication,
  Authenticator,
  type AuthenticatorParts,
  type Refusal,
} from './authenticate/authenticator.ts';
export { isInRanges, type NetworkSettings, Networks, type TrustedProxy } from './authenticate/networks.ts';
export { CredentialError, enrollAction, storedCredential } from './authenticate/new-credential.ts';
export type { RequestParts } from './authenticate/origin.ts';
export {
  deviceOfClaims,
  deviceOfHeader,
  devicePostureText,
  type PostureClaims,
} from './authenticate/posture.ts';
export { publicKeyOf } from './authenticate/public-key.ts';
export {
  lookupOfHash,
  newSecretToken,
  type SecretTokenKind,
  secretTokenHash,
  secretTokenKind,
  secretTokenKinds,
  secretTokenLookup,
  secretTokenPattern,
} from './authenticate/secret-token.ts';
export { deriveGateSecrets, type GateSecrets } from './authenticate/secrets.ts';
export { isSpiffeId, spiffeIdOf } from './authenticate/spiffe.ts';
export type { Asked, Caller, Device, SignedRequest } from './caller.ts';
export { Directory, isUsable } from './directory/directory.ts';
export { ReplayGuard } from './http-signature/replay-guard.ts';
export { type Circumstances, describe, type Identity, rolesFor } from './judgment/describe.ts';
export { type Effect, effectOf, noEffect } from './judgment/effect.ts';
export { bareResource, type Resource, resourceOf } from './judgment/resource.ts';
export { actionNames, actions } from './policy/actions.ts';
export type { Decision, Lack } from './policy/decision.ts';
export { defaultPolicyDocument } from './policy/defaults/document.ts';
export { defaultRoles, internalRoles } from './policy/defaults/roles.ts';
export {
  canonicalInput,
  type DecisionInput,
  inputHash,
  type PrincipalKind,
  type ResourceType,
} from './policy/input.ts';
export { PolicyError, type PolicySource, policySetHash, schemaHash } from './policy/policy-source.ts';
export {
  csrfTokenOf,
  endedSessionCookies,
  readSessionCookie,
  sessionCookies,
} from './sessions/cookies.ts';
export { type CredentialUse, GateFile } from './sessions/gate-file.ts';
export { agentClass, type Session, type SessionLimits, type SessionStart } from './sessions/session.ts';
export { type BegunSession, Sessions } from './sessions/sessions.ts';
