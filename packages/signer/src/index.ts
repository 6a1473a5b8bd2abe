export type { AccessMemory } from './access-signer.ts';
export { awsCredentialFiles } from './cell/aws-files.ts';
export type { CellFiles } from './cell/files.ts';
export { type Launch, signerLaunch } from './cell/launch.ts';
export { createMark, type LoggedDocument } from './create-mark.ts';
export { type DocumentStore, Governance, type PublicDocumentType } from './governance.ts';
export { Journal, type JournalPosition } from './journal/journal.ts';
export { JournalError } from './journal/journal-error.ts';
export {
  type AbandonCause,
  encodeLine,
  type JournalEvent,
  type JournalLine,
  leavesOf,
  lineHash,
  parseLine,
} from './journal/lines.ts';
export { readLines } from './journal/read-lines.ts';
export {
  type AwsKmsPlace,
  type CloudDescription,
  type CloudPlace,
  readCloudDescription,
  type VaultTransitPlace,
  writeCloudDescription,
} from './keystore/cloud-description.ts';
export { CloudKeystore, type CloudSecrets, describeCloudKey } from './keystore/cloud-keystore.ts';
export {
  type Destruction,
  destroyKeys,
  finishDestruction,
  type KeystoreFiles,
} from './keystore/destroy-keys.ts';
export { makePassphrase } from './keystore/key-derivation.ts';
export {
  KeystoreError,
  PinRefused,
  pinRefusedExitCode,
  TokenUnavailable,
} from './keystore/keystore-error.ts';
export {
  type KeystoreKey,
  noLimits,
  type SigningUsage,
  signingUsages,
} from './keystore/keystore-key.ts';
export {
  readDatabasePasswordFile,
  readPassphraseFile,
  readPinFile,
  readVaultTokenFile,
} from './keystore/passphrase-file.ts';
export type { TokenAlgorithm } from './keystore/pkcs11-algorithms.ts';
export { type NewTokenKey, Pkcs11Keystore } from './keystore/pkcs11-keystore.ts';
export {
  addToSealedKeystore,
  createSealedKeystore,
  type DestroyedKey,
  openSealedKeystore,
  openWithDestroyed,
} from './keystore/sealed-file.ts';
export { generateKeySpec, type KeySpec, type SigningAlgorithm, SigningKey } from './keystore/signing-key.ts';
export {
  readTokenDescription,
  type TokenDescription,
  writeTokenDescription,
} from './keystore/token-description.ts';
export { Mark, MarkError } from './mark.ts';
export {
  type Abandoned,
  type BatchToSign,
  type RecordToSign,
  type RefusalReason,
  SignerRefusal,
} from './protocol/requests.ts';
export { type SignedBatch, Signer, type SignerDescription, type SignerOptions } from './signer.ts';
export { listen as listenOnSocket, type ReportAlarm } from './socket-server.ts';
export { type Clock, WitnessWatch } from './witness-watch.ts';
