export { type Bootstrap, bootstrapLog, type SignMessage } from './bootstrap.ts';
export {
  type CauseDecision,
  type CauseDocument,
  type CauseInput,
  type CheckedRevision,
  type GateCause,
  type GateCauseDocument,
  parseCause,
  requestKeyOf,
  signedRequestOf,
} from './content.ts';
export { IntegrityAlarm, LedgerError, type LedgerProblem } from './errors.ts';
export { Follower, type FollowerParts } from './follow/follower.ts';
export { Ledger } from './ledger.ts';
export type { LedgerEvent, SubmitResult } from './ledger-events.ts';
export type { LedgerParts } from './ledger-parts.ts';
export { type LedgerTimes, ledgerTimes } from './ledger-times.ts';
export { LogState } from './log-state.ts';
export { type IndexLicenseKey, licenseKeyName, nameChanges } from './names.ts';
export { checkCommitments, type SignedRevision } from './place-revision.ts';
export { ProjectionFeeder } from './projections/feeder.ts';
export {
  type LicenseFilter,
  type ListedType,
  type Page,
  Projections,
} from './projections/projections.ts';
export { revisionRows, rowFor } from './projections/rows.ts';
export { ThreadedProjectionWriter } from './projections/threaded-writer.ts';
export { type Cosigners, PublicationTimeout, type Published } from './publish/publisher.ts';
export { RandomPool } from './random-pool.ts';
export type { CustodyRequest } from './read/custody-maker.ts';
export type { HistoryItem, LedgerReader, LogEntryView, RecordEvent } from './read/ledger-reader.ts';
export {
  type DecidedCommand,
  DecisionReader,
  decidedCommands,
  type LoggedDecision,
  openCause,
} from './read/logged-decisions.ts';
export { RecentMap } from './read/recent-map.ts';
export type { AppliedChange, Judge, Submission } from './sequence/batch.ts';
export { MemoryStore } from './store/memory-store.ts';
export type { SqliteStoreOptions } from './store/open-sqlite.ts';
export type { PostgresLimits } from './store/postgres/connection.ts';
export type { HeldLease, LeaseTimes, LeaseWatch } from './store/postgres/lease.ts';
export type { PostgresOptions, PostgresTrouble, PostgresWriterOptions } from './store/postgres/options.ts';
export type { PostgresStore } from './store/postgres/postgres-store.ts';
export { SqliteStore } from './store/sqlite-store.ts';
export * from './store/store.ts';
export { ThreadedStore } from './store/threaded-store.ts';
export { TrustHistory } from './trust-history.ts';
export { envelopesOf } from './trust-publication.ts';
export { isUnknownSubject, unknownSubject } from './unknown-subject.ts';
