/** How people log in without a browser, and where they find the pages with one. */
import type { Instant } from './documents.ts';

/** How to log in at this server. */
export interface LoginDescription {
  /** The built-in issuer (OpenID Connect); its discovery document is below this address. */
  issuer: string;
  /** The client that the command line is at the issuer. */
  clientId: string;
  /** Where browsers find the login page. */
  page: string;
  /** Where a person types the code that a terminal shows. */
  devicePage: string;
  /** Where an invitation is taken, behind a #. */
  invitationPage: string;
  /** True where password and code prove presence of people who have no passkey. */
  codesStepUp: boolean;
}

export interface LoginBody {
  /** Email, or `prn_…`. */
  account: string;
  password: string;
  /** Six digits of an authenticator app. */
  code: string;
}

export interface InvitationBody {
  invitation: string;
}

export interface EnrollmentBody extends InvitationBody {
  password: string;
  code: string;
}

/** A session, for the header Authorization. */
export interface LoggedIn {
  /** A bearer secret. */
  token: string;
  /** `ses_…` */
  session: string;
  principal: string;
  name: string;
  /** 2 two factors; 3 a passkey. */
  strength: number;
  /** When presence was proven; null where it was not. */
  steppedUpAt: Instant | null;
  expiresInSeconds: number;
}

/** What an invited person puts into an authenticator app. */
export interface EnrollmentOffer {
  principal: string;
  name: string;
  /** What to log in as. */
  account: string;
  /** base32 */
  secret: string;
  /** `otpauth://totp/…` */
  uri: string;
}
