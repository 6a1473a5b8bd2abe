/** Who calls, as far as it was proven: what every later step of a request is told of its sender. */
export interface Caller {
  /** `prn_…`; `bootstrap` or `mirror` for the two tokens of a system's folder. */
  principal: string;
  kind: 'person' | 'service' | 'partner' | 'bootstrap' | 'mirror';
  /** `crd_…`; `bootstrap`, `mirror`. */
  credential: string;
  /** `ses_…`; null where each request carries its credential. */
  session: string | null;
  /** 1 a bearer secret; 2 two factors, or proof of possession of a key; 3 a phishing-resistant key (passkey). */
  strength: 1 | 2 | 3;
  /** When the caller proved who it is. Instant. */
  authenticatedAt: string;
  /** When it last showed a WebAuthn assertion; null for never. Instant. */
  steppedUpAt: string | null;
  /** IP address of the peer (or the one a trusted proxy names). */
  address: string;
  /** Names of the configured networks that the address is in, sorted. */
  networks: string[];
  /** null where nothing trustworthy says anything about the device. */
  device: { id: string | null; managed: boolean; encrypted: boolean; attested: boolean } | null;
  /** The request as it was signed (RFC 9421): evidence that is kept in the cause. */
  signed: { base: string; signature: string; keyid: string; alg: string } | null;
  /** What the caller says that it does this for: header Tally-Purpose, a code. */
  purpose: string | null;
}
