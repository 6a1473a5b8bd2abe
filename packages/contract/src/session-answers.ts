/** What is answered about sessions, and about who is asking. */
import type { Instant } from './documents.ts';

export interface SessionView {
  /** `ses_…` */
  id: string;
  principal: string;
  credential: string;
  /** 1 a bearer secret; 2 two factors, or proof of possession of a key; 3 a phishing-resistant key. */
  strength: number;
  authenticatedAt: Instant;
  /** null for never. */
  steppedUpAt: Instant | null;
  startedAt: Instant;
  seenAt: Instant;
  /** IP address where it began. */
  address: string;
  /** Browser and platform, roughly. */
  agent: string;
  /** True for the one that asks. */
  current: boolean;
}

export interface SessionList {
  /** The newest first. */
  items: SessionView[];
}

export interface SessionEnded {
  ended: string;
}

/** Who asks, as the server sees it. */
export interface CurrentCaller {
  /** `prn_…`; `bootstrap` for the token of `tally init`. */
  principal: string;
  kind: 'person' | 'service' | 'partner' | 'bootstrap' | 'mirror';
  /** null for a token that is no principal. */
  name: string | null;
  roles: { role: string; products: string[] | null; until: Instant | null }[];
  credential: string;
  /** null where each request carries its credential. */
  session: string | null;
  strength: number;
  authenticatedAt: Instant;
  steppedUpAt: Instant | null;
  address: string;
  networks: string[];
  /** null where nobody trustworthy says anything about it. */
  device: { id: string | null; managed: boolean; encrypted: boolean; attested: boolean } | null;
  /** Whether this request was signed. */
  signed: boolean;
}

export interface SessionListQuery {
  /** True asks for everybody's, false for the caller's own. */
  all: boolean;
}
