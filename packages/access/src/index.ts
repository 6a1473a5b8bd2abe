export {
  AccessLog,
  type AccessLogOptions,
  type AccessLogStatus,
  type AccessSink,
  segmentMsDefault,
  waitingMaxDefault,
} from './access-log.ts';
export { AccessLogError, type AccessLogPart } from './errors.ts';
export {
  type AccessQuery,
  type FoundPage,
  type FoundRecord,
  findRecords,
  proveLeaf,
  type RecordProof,
} from './find-records.ts';
export { accessOrigin, accessUsage, accessVerifierKeys, isAccessOrigin } from './identity.ts';
export {
  type AccessCaller,
  type AccessDecision,
  type AccessRecord,
  encodeAccessRecord,
  parseAccessRecord,
} from './record.ts';
export {
  SegmentReader,
  SegmentStore,
  type SegmentStoreOptions,
  type StoredAccessCheckpoint,
  type StoredSegment,
} from './segment-store.ts';
export { type AccessLogParts, type AccessLogReport, demandMark, verifyAccessLog } from './verify-log.ts';
