export { CopyRefused, type CopyReport, checkTarget, copyStore } from './copy-store.ts';
export { custodyPdf } from './custody/pdf.ts';
export { custodyLines } from './custody/text.ts';
export type { CustodyCode, CustodyFinding } from './custody/verify/findings.ts';
export type * from './custody/verify/proven.ts';
export { type CustodyVerification, verifyCustody } from './custody/verify/verify-report.ts';
export {
  type DecisionFinding,
  type DecisionReplayOptions,
  type DecisionReplayReport,
  replayDecisions,
} from './decisions/replay-decisions.ts';
export type { RecoveryFound } from './decisions/undecided-check.ts';
export { type FsckOptions, type FsckParts, fsck } from './fsck.ts';
export { newestPolicy } from './newest-policy.ts';
export { type RebuildParts, type RebuildReport, rebuildProjections } from './rebuild.ts';
export { hasReplayer } from './repair/has-replayer.ts';
export { repairNewStore } from './repair/new-store.ts';
export { type RepairOptions, type RepairParts, repairStore } from './repair/repair.ts';
export {
  type LostContent,
  type Repaired,
  type RepairProblem,
  RepairRefused,
  type RepairReport,
} from './repair/report.ts';
export {
  type FsckCounts,
  type FsckProblem,
  type FsckReport,
  type FsckTable,
  type OnProgress,
  problemsMax,
} from './report.ts';
export { auditSigner, type SignerAuditOptions, type SignerAuditParts } from './signer/audit-signer.ts';
export type {
  AbandonedBatch,
  AuditCounts,
  Incident,
  IncidentKind,
  RefusalCount,
  SignerAuditReport,
} from './signer/report.ts';
