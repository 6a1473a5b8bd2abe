/** What a custody report proves, for whoever shows it. */
import type { CauseStatement, CustodyGap, NamespaceDocument } from '@tallystick/core';
import type { LicenseDocument } from '@tallystick/license';

export interface ProvenCustody {
  ns: string;
  /** What the vendor calls the namespace. */
  namespaceName: string;
  mode: NamespaceDocument['mode'];
  license: string;
  /** The newest checkpoint that the report is proven under. */
  anchor: ProvenAnchor;
  trustVersion: number;
  /** The revisions that are shown in full, both included; null where none is. */
  range: { from: number; to: number } | null;
  /** All revisions of the license, from 0 up: none is missing, in between or at the end. */
  revisions: ProvenRevision[];
  gaps: CustodyGap[];
}

export interface ProvenAnchor {
  origin: string;
  size: number;
  /** base64 */
  root: string;
  /** Milliseconds: no later than this was the last revision the newest. */
  asOf: number;
  /** The cosigners of the quorum that signed, with the time that each of them states in milliseconds. */
  cosigners: { name: string; at: number }[];
}

export interface ProvenRevision {
  rev: number;
  index: number;
  /** base64 */
  leaf: string;
  /** `license.issued` and so on. */
  recordType: string;
  /** The server's claim of when. */
  at: string;
  /** Whether the report shows it in full. */
  isShown: boolean;
  /** What the record commits to, base64. */
  commitment: string;
  document: LicenseDocument | null;
  cause: CauseStatement | null;
  signers: ProvenSigner[];
  /** Hashes in the proof that the entry stands at its index. */
  proofLength: number;
}

/** A key that signed, and the range of log indexes that it is valid in. */
export interface ProvenSigner {
  alg: string;
  /** Fingerprint, base64. */
  id: string;
  from: number;
  until: number | null;
}
