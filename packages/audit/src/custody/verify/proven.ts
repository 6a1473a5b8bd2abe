/** What a custody report proves, for whoever shows it. */
import type { AccessRecord } from '@tallystick/access';
import type { CauseStatement, CustodyGap, JsonObject, NamespaceDocument } from '@tallystick/core';
import type { ApprovalDocument, LicenseDocument } from '@tallystick/license';

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
  /** The requests for approval that any of them came from. */
  approvals: ProvenApproval[];
  /** null where it is not shown who read the license. */
  access: ProvenAccess | null;
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

/** What the access log says of the license. */
export interface ProvenAccess {
  origin: string;
  /** Leaves under its checkpoint. */
  size: number;
  /** Milliseconds. */
  asOf: number;
  /** Records from before this instant were dropped on purpose; null for none that belong here. */
  dropped: string | null;
  /** In the order of that log; `leaf` is the index of the leaf that commits to a record. */
  records: { leaf: number; record: AccessRecord }[];
}

/** What the log knew of who asked. */
export interface ProvenAuthor {
  /** null where its document is not held any more. */
  name: string | null;
  /** null where its document stays with the vendor, since somebody could guess from it. */
  credentialKind: string | null;
  credentialName: string | null;
  /** What the credential's key signed; null for a request that was not signed. */
  signed: { method: string; authority: string; path: string } | null;
  /**
   * For a request that was signed and is not held any more, the change that erased it, null where the report shows none; null for
   * every other request.
   */
  signedGone: { by: { index: number; at: string } | null } | null;
}

/** A decision that was made again with the same result. */
export interface ProvenDecision {
  /** Hashes, base64. */
  policy: string;
  schema: string;
  /** Ids of the policies that decided. */
  reasons: string[];
  input: JsonObject;
  /** Revision of the policy in the log; null for one that came with the software. */
  rev: number | null;
  /** Log index of the cause that has it whole. */
  carriedAt: number;
}

/** One record that stands in the report with its proofs. */
export interface ProvenStep {
  rev: number;
  index: number;
  /** base64 */
  leaf: string;
  /** `license.issued` and so on. */
  recordType: string;
  /** The server's claim of when. */
  at: string;
  cause: CauseStatement | null;
  /** null for who is no subject of the log. */
  author: ProvenAuthor | null;
  decision: ProvenDecision | null;
  signers: ProvenSigner[];
  /** Hashes in the proof that the entry stands at its index. */
  proofLength: number;
}

export interface ProvenApproval
  extends Pick<ApprovalDocument, 'id' | 'state' | 'author' | 'why' | 'approvers' | 'approvals' | 'binding'> {
  /** The command that waited, as JSON. */
  command: string;
  /** Who asked, approved and rejected: every revision of the request. */
  steps: ProvenStep[];
}

export interface ProvenRevision extends ProvenStep {
  /** Whether the report shows it in full. */
  isShown: boolean;
  /** What the record commits to, base64. */
  commitment: string;
  document: LicenseDocument | null;
  /**
   * Who had to approve it by the rules in force, and did not; null for nobody. So it is where its author could ask nobody, or
   * a server was configured to let it act alone, which the report cannot tell.
   */
  unapproved: string | null;
  /**
   * How many such changes of one author an hour a rule lets through without approval, where nobody approved this one: the report
   * does not have what would be counted, and `replayDecisions` counts it. null where no rule counts it.
   */
  perHour: number | null;
}

/** A key that signed, and the range of log indexes that it is valid in. */
export interface ProvenSigner {
  alg: string;
  /** Fingerprint, base64. */
  id: string;
  from: number;
  until: number | null;
}
