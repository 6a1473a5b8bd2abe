export type { CellFiles } from './cell/files.ts';
export { type Launch, signerLaunch } from './cell/launch.ts';
export { SignerClient, type SignerHello, SignerRefused, SignerUnavailable } from './client.ts';
export { createSealedKeystore, KeystoreError, openSealedKeystore } from './keystore/sealed-file.ts';
export {
  generateKeySpec,
  type KeySpec,
  noLimits,
  SigningKey,
  type SigningUsage,
  signingUsages,
} from './keystore/signing-key.ts';
export { Mark, MarkError } from './mark.ts';
export {
  type BatchToSign,
  type RecordToSign,
  type RefusalReason,
  SignerRefusal,
} from './protocol/requests.ts';
export { type SignedBatch, Signer, type SignerDescription } from './signer.ts';
export { listen as listenOnSocket, type ReportAlarm } from './socket-server.ts';
