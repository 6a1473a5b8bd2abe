/** What the rules pass among each other. */
import { type NamespaceTrust, publicKeyJson, type RecordEntry, utf8 } from '@tallystick/core';
import type { KeyRing } from './key-ring.ts';
import type { ReplayState } from './replay-state.ts';
import type { SignatureNeed } from './signature-checks.ts';
import type { TrustSource } from './trust-source.ts';

/** Takes the signatures that the rules want to be checked. */
export interface SignatureSink {
  add(need: SignatureNeed): void;
}

/** What the rules need besides the state. */
export interface RuleContext {
  /** H(payload of trust root version 1), pinned by the operator. */
  genesis: Uint8Array;
  trustSource: TrustSource;
  checks: SignatureSink;
  /** `at` may not be later than this instant. */
  latestAt: string;
  /** Entries whose signatures are checked before they are taken in. */
  suspects: ReadonlySet<number>;
}

/** A record whose parts other than signatures and document were judged. */
export interface JudgedRecord {
  parsed: RecordEntry;
  /** Type of the subject, which the usage that the signing key needs follows from. */
  type: string;
  /** What the governing trust root says of the record's namespace. */
  trust: NamespaceTrust;
  index: number;
}

/** Keeps the raw keys of a namespace for the next start. */
export function rememberKeys(state: ReplayState, ns: string, ring: KeyRing): void {
  state.facts.set(`keys/${ns}`, utf8(JSON.stringify({ keys: ring.keys().map(publicKeyJson) })));
}
