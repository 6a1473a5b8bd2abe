/** All ways for people to log in at one server, put together. */
import type { Directory } from '../directory/directory.ts';
import { AccountLogin } from './account-login.ts';
import { Enrollment, type EnrollmentStore } from './enrollment.ts';
import { type ExternalIssuer, Federation } from './federation.ts';
import type { HighWaterMarks } from './high-water-marks.ts';
import { IdTokens } from './issuer/id-tokens.ts';
import { Issuer } from './issuer/issuer.ts';
import type { LoginSecret } from './login-secret.ts';
import { Passkeys } from './passkeys.ts';
import { type PasswordCost, Passwords, passwordCost } from './passwords.ts';
import { type Chance, People, type SessionStarter } from './people.ts';
import { Site } from './site.ts';
import { Throttle } from './throttle.ts';

export interface LoginParts extends Chance {
  directory: Directory;
  /** Where browsers find the pages, without a slash at its end. */
  origin: () => string;
  /** The domain that passkeys are for: the host of the origin, or a parent domain of it. */
  passkeyDomain: string;
  /** What authenticator apps and passkeys are named after. */
  name: string;
  secret: LoginSecret;
  marks: HighWaterMarks;
  sessions: SessionStarter;
  /** `Set-Cookie` headers that hand a session to a browser. */
  sessionCookies: (begun: { token: string; expiresInSeconds: number }) => string[];
  store: EnrollmentStore;
  issuers: readonly ExternalIssuer[];
  /** Whether password and code prove presence where their owner has no passkey. */
  codesStepUp: boolean;
  passwordCost?: PasswordCost;
}

export interface Login {
  site: Site;
  issuer: Issuer;
  accounts: AccountLogin;
  enrollment: Enrollment;
}

export async function createLogin(parts: LoginParts): Promise<Login> {
  const { now, random, origin, name, secret, passwordCost: cost = passwordCost } = parts;
  const people = new People(parts.directory, now);
  const shared = { ...parts, people, passwords: new Passwords({ secret, random, cost }) };
  const rp = () => ({ id: parts.passkeyDomain, name, origin: origin() });
  const accounts = new AccountLogin({ ...shared, throttle: new Throttle(now) });
  const enrollment = new Enrollment({ ...shared, issuerName: name });
  const keyId = Buffer.from(random(8)).toString('base64url');
  const issuer = new Issuer({ ...parts, idTokens: await IdTokens.create(keyId) });
  const passkeys = new Passkeys({ ...shared, rp });
  const federation = new Federation(parts.issuers, shared);
  const site = new Site({ ...shared, issuer, accounts, passkeys, federation, enrollment });
  return { site, issuer, accounts, enrollment };
}
