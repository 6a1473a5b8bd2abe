export { type ListenerConfig, readServerConfig, type ServerConfig } from './config.ts';
export { hashToken } from './http/tokens.ts';
export { newLicenseKey, newSubjectId } from './identifiers.ts';
export { type RunningServer, startServer } from './server.ts';
export { bootstrapIdentity, createIdentity, type Identity, type IdentityOptions } from './setup/identity.ts';
export { formatTrustRootFile, readTrustRootFile } from './trust-root-file.ts';
export {
  type ClientDescription,
  createSystem,
  type CreateSystemOptions,
  type SystemDescription,
  type SystemPorts,
} from './setup/create-system.ts';
export { type Layout, layoutOf } from './setup/layout.ts';
export { Supervisor, type SupervisorEvents, type SupervisorOptions } from './setup/supervisor.ts';
