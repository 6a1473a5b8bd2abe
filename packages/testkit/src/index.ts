export { AwsKmsServer } from './aws-kms-server.ts';
export { createTestSystem } from './create-test-system.ts';
export { CuttableProxy } from './cuttable-proxy.ts';
export { type FaultKind, FaultyStore, StoreFault, type StoreOperation } from './faulty-store.ts';
export { LocalCosigner, LocalCosigners } from './local-cosigners.ts';
export { localhostCertificate } from './localhost-certificate.ts';
export { PostgresServer } from './postgres-server.ts';
export { runShortOfDisk } from './run-short-of-disk.ts';
export { SecondServer } from './second-server.ts';
export { nextTrustRoot, only, type RevisionChanges, signedRevision } from './signed-elsewhere.ts';
export { SoftHsm, softHsmModule } from './soft-hsm.ts';
export {
  closeWorld,
  createWorld,
  openLedger,
  startSigner,
  TestSystem,
  type TestSystemOptions,
  type TestWorld,
} from './system.ts';
export { type LeafOptions, TestAuthority, type TestCertificate } from './test-certificates.ts';
export { VaultServer } from './vault-server.ts';
export { WriterProxy } from './writer-proxy.ts';
