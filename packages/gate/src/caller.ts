/** Who is calling, once that was proven: what authentication hands to everything after it. */
import type { PrincipalKind } from './policy/input.ts';

/** What is known of the device that a caller sits at, from somebody who can know. */
export interface Device {
  id: string | null;
  managed: boolean;
  encrypted: boolean;
  attested: boolean;
}

/** A request as its sender signed it (RFC 9421). */
export interface SignedRequest {
  /** The signature base. */
  base: string;
  /** base64 */
  signature: string;
  keyid: string;
  /** The algorithm of the key, whatever the signature says of it. */
  alg: string;
  /** base64 of the body, whose digest was signed; null for none. */
  body: string | null;
}

export interface Caller {
  /** `prn_…`; `bootstrap` or `mirror` for the two tokens of a system's folder. */
  principal: string;
  kind: PrincipalKind;
  /** `crd_…`; `bootstrap`, `mirror`. */
  credential: string;
  /** `ses_…`; null where each request carries its credential. */
  session: string | null;
  /** 1 a bearer secret; 2 two factors, or proof of possession of a key; 3 a phishing-resistant key. */
  strength: 1 | 2 | 3;
  /** When the caller proved who it is. Instant. */
  authenticatedAt: string;
  /** When it last showed that a person is there; null for never. Instant. */
  steppedUpAt: string | null;
  /** IP address of the peer, or the one that a trusted proxy names. */
  address: string;
  /** Names of the configured networks that the address is in, sorted. */
  networks: string[];
  /** null where nobody trustworthy says anything about it. */
  device: Device | null;
  /** Evidence that is kept in the cause. */
  signed: SignedRequest | null;
  /** What the caller says that it does this for, a code. */
  purpose: string | null;
}

/** What a caller asks for: everything about a request that a decision looks at, but for the resource. */
export interface Asked {
  caller: Caller;
  /** Name of the route. */
  action: string;
  zone: 'public' | 'admin' | 'ops';
}
