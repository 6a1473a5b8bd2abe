export { type Bootstrap, bootstrapLog, type SignMessage } from './bootstrap.ts';
export type { CauseDocument, CauseInput, CheckedRevision } from './content.ts';
export { IntegrityAlarm, LedgerError, type LedgerProblem } from './errors.ts';
export {
  Ledger,
  type LedgerEvent,
  type LedgerParts,
  type LedgerTimes,
  ledgerTimes,
  type SubmitResult,
} from './ledger.ts';
export { LogState } from './log-state.ts';
export { type IndexLicenseKey, licenseKeyName, nameChanges } from './names.ts';
export { ProjectionFeeder } from './projections/feeder.ts';
export { type LicenseFilter, type Page, Projections, rowFor } from './projections/projections.ts';
export { type Cosigners, PublicationTimeout, type Published } from './publish/publisher.ts';
export { RandomPool } from './random-pool.ts';
export type { HistoryItem, LedgerReader, LogEntryView, RecordEvent } from './read/ledger-reader.ts';
export type { AppliedChange, Submission } from './sequence/batch.ts';
export { MemoryStore } from './store/memory-store.ts';
export { SqliteStore, type SqliteStoreOptions } from './store/sqlite-store.ts';
export * from './store/store.ts';
