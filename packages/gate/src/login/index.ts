export { AccountLogin, type PasswordAndCode } from './account-login.ts';
export {
  Enrollment,
  type EnrollmentStore,
  type Invitation,
  invitationPrefix,
  type NewCredential,
} from './enrollment.ts';
export { defaultStrengths, type ExternalIssuer, Federation } from './federation.ts';
export { HighWaterMarks } from './high-water-marks.ts';
export { cliClient } from './issuer/authorization-request.ts';
export { IdTokens } from './issuer/id-tokens.ts';
export { Issuer } from './issuer/issuer.ts';
export { LoginError, type LoginErrorCode } from './login-error.ts';
export { LoginSecret } from './login-secret.ts';
export { Passkeys, type RelyingParty } from './passkeys.ts';
export { type PasswordCost, Passwords, passwordCost } from './passwords.ts';
export type {
  Chance,
  DevicePosture,
  LoginCredential,
  LoginDirectory,
  LoginKind,
  Person,
  Proven,
  SessionRequest,
  SessionStarter,
} from './people.ts';
export { Site, type SiteParts } from './site.ts';
export type { SiteAnswer, SiteRequest } from './site-types.ts';
export { Throttle, throttleLimits } from './throttle.ts';
