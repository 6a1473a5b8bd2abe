/** What logging in needs to know of people and their credentials, and what it says about who has logged in. */

export interface Person {
  /** `prn_…` */
  id: string;
  name: string;
  email: string | null;
}

export type LoginKind = 'passkey' | 'password' | 'totp' | 'oidc';

export interface LoginCredential {
  /** `crd_…` */
  id: string;
  principal: string;
  /** What finds it within its kind: see `lookupOf`. */
  lookup: string;
  /** What verifies it; never a secret in clear. */
  material: Readonly<Record<string, string>>;
}

/** Shows what holds now: people who are active, and credentials that are neither revoked nor at their end. */
export interface LoginDirectory {
  person(id: string): Person | undefined;
  /** Emails are compared without regard to case; undefined where two people have it. */
  personByEmail(email: string): Person | undefined;
  credential(kind: LoginKind, lookup: string): LoginCredential | undefined;
  credentialsOf(principal: string, kind: LoginKind): readonly LoginCredential[];
}

export interface DevicePosture {
  id: string | null;
  managed: boolean;
  encrypted: boolean;
  attested: boolean;
}

/** Somebody who has just shown who it is. */
export interface Proven {
  principal: string;
  /** What was shown; of password and code the code's. */
  credential: string;
  /** 1 one factor; 2 two factors; 3 a passkey. */
  strength: 1 | 2 | 3;
  /** Instant. */
  authenticatedAt: string;
  /** When a WebAuthn assertion was shown; null where none was. Instant. */
  steppedUpAt: string | null;
  /** null where nothing trustworthy speaks of the device. */
  device: DevicePosture | null;
}

/** What a session is begun from. */
export interface SessionRequest extends Proven {
  address: string;
  userAgent: string;
}

/** Where sessions are kept. */
export interface SessionStarter {
  /** `token` is the bearer secret of the session that has the id `session`. */
  begin(request: SessionRequest): Promise<{ token: string; session: string; expiresInSeconds: number }>;
  /** Ends a session whose way here turned out to be a thief's. */
  end(session: string): Promise<void>;
}

/** Random bytes, and milliseconds since 1970. */
export interface Chance {
  now: () => number;
  random: (length: number) => Uint8Array;
}

export function newSecret({ random }: Chance): string {
  return Buffer.from(random(32)).toString('base64url');
}

/** An instant of now, in whole seconds, as documents have it. */
export function instantOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
