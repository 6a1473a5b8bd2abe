export type { ListenerConfig, ServerConfig } from './config.ts';
export { plainPartsOf } from './contents/plain-parts.ts';
export type { EdgeConfig, TrustedProxyConfig } from './edge-config.ts';
export { hashToken } from './http/tokens.ts';
export { newLicenseKey, newSubjectId } from './identifiers.ts';
export { type AccessLogDescription, beginAccessLogAgain } from './setup/access-log.ts';
export { contentKeysOf, writeContentKeys } from './setup/content-keys.ts';
export {
  type CosignerAddress,
  cosignerAddresses,
  setCosignerAddresses,
} from './setup/cosigner-addresses.ts';
export { createStandby, planStandby } from './setup/create-standby.ts';
export {
  type ClientDescription,
  type CreateSystemOptions,
  createSystem,
  freshLayout,
  type GivenQuorum,
  ownCosigners,
  type SystemDescription,
  type SystemPorts,
} from './setup/create-system.ts';
export { freePort } from './setup/free-port.ts';
export {
  bootstrapIdentity,
  createIdentity,
  generateIdentityKeys,
  generateOnlineKey,
  type Identity,
  type IdentityKeys,
  type IdentityOptions,
  keysInMemory,
  type OnlineKeyKind,
  onlineKeys,
  onlineKeyUsages,
  type SystemAlgorithms,
  systemAlgorithms,
} from './setup/identity.ts';
export { type Layout, layoutOf } from './setup/layout.ts';
export {
  holdStore,
  isStoreThere,
  makeStore,
  moveSystem,
  readStore,
  type StorePlace,
  storePlaceOf,
} from './setup/store-place.ts';
export { Supervisor, type SupervisorEvents, type SupervisorOptions } from './setup/supervisor.ts';
export { type CloudLogKey, type TokenOptions, writeSecret } from './setup/system-keys.ts';
export { readTrustRootFile } from './trust-root-file.ts';
