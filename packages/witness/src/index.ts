export {
  type CosignerConfig,
  loadConfig,
  parseConfig,
  type ReplayerConfig,
  type WitnessConfig,
} from './config.ts';
export {
  type ContentKey,
  type ContentPublicKey,
  createContentKey,
  loadContentKey,
  parseContentPublicKey,
} from './contents/content-key.ts';
export type { ContentOptions } from './contents/mirror-contents.ts';
export {
  type Content,
  causeProblem,
  contentProblem,
  decodeCause,
  decodeContent,
  decodeRequest,
  requestProblem,
  type StoredCauseBytes,
} from './contents/parts.ts';
export { batchKeyOf, openPart, Unsealable } from './contents/seal.ts';
export {
  type PlainPart,
  parseBatches,
  partKinds,
  type SealedBatch,
  type SealedPart,
  sealBatch,
} from './contents/sealed-batch.ts';
export type { Clock, Cosigner, ForkEvidence, LogCounts, LogStatus } from './cosigner.ts';
export { ConfigError, Refusal, SizeConflict, StateHeld } from './errors.ts';
export { followConfig } from './follow-config.ts';
export { type CosignerServer, type ServerOptions, startServer } from './http/server.ts';
export {
  type CosignerKey,
  type CosignerKeys,
  type CosignerKeyType,
  cosignerKeyTypes,
  createKeys,
  keyFromSeed,
  loadKeys,
} from './keys.ts';
export { logPathName } from './mirror/mirror-routes.ts';
export type { Alarm, AlarmKind } from './monitor/alarm.ts';
export { type Evidence, encodeEvidence } from './monitor/evidence.ts';
export { createMonitorKey, loadMonitorKey } from './monitor/evidence-files.ts';
export type { LogRound } from './monitor/log-monitor.ts';
export { Monitor, type MonitorRound } from './monitor/monitor.ts';
export {
  loadMonitorConfig,
  type MonitorLayout,
  monitorDefaults,
  monitorLayout,
  parseMonitorConfig,
} from './monitor/monitor-config.ts';
export { renderMonitorMetrics } from './monitor/monitor-metrics.ts';
export { type ProvenEvidence, verifyEvidence } from './monitor/verify-evidence.ts';
export { applyEntry, applyKnownRecord, type KnownOfEntry, latestInstant } from './replayer/entry-rules.ts';
export { type EntryRun, fetchEntries } from './replayer/entry-tiles.ts';
export { fetchBytes, type HttpSource } from './replayer/http-source.ts';
export { badSignature } from './replayer/record-signatures.ts';
export { ReplayState } from './replayer/replay-state.ts';
export { createReplayer, type ReplayerLog, type ReplayerOptions } from './replayer/replayer.ts';
export type { RuleContext, SignatureSink } from './replayer/rule-context.ts';
export { SignatureChecks, type SignatureNeed } from './replayer/signature-checks.ts';
export { SignaturePool } from './replayer/signature-pool.ts';
export type { PublicDocumentType, TrustSource } from './replayer/trust-source.ts';
export { type ReplayRule, Unavailable, Violation } from './replayer/violation.ts';
export {
  initCosignerState,
  type Report,
  type RunningCosigner,
  type StartOptions,
  startCosigner,
} from './start-cosigner.ts';
export { type CosignerKind, type InitStateOptions, initState, StateFile } from './state/state-file.ts';
export {
  createWitness,
  type FollowedLogs,
  Witness,
  type WitnessLog,
  type WitnessOptions,
} from './witness/witness.ts';
