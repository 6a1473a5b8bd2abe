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
  type LeavesProof,
  proveLeaves,
} from './find-records.ts';
export { accessOrigin, accessUsage, accessVerifierKeys, isAccessOrigin } from './identity.ts';
export {
  type AccessCaller,
  type AccessDecision,
  type AccessRecord,
  encodeAccessRecord,
  parseAccessRecord,
} from './record.ts';
export { isDropped, openSegment, parseLeaf, type SegmentLeaf } from './segment.ts';
export { SegmentReader, type StoredAccessCheckpoint, type StoredSegment } from './segment-reader.ts';
export { SegmentStore, type SegmentStoreOptions } from './segment-store.ts';
export { type AccessLogParts, type AccessLogReport, demandMark, verifyAccessLog } from './verify-log.ts';
