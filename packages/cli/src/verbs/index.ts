/** The verbs of `tally`, in the order of its help. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { registerAccess } from './access/index.ts';
import { registerApprovals } from './approvals.ts';
import { registerAudit } from './audit.ts';
import { registerBrake } from './brake.ts';
import { registerBundle } from './bundle.ts';
import { registerCatalog } from './catalog.ts';
import { registerContentKey } from './content-key.ts';
import { registerCosigners } from './cosigners.ts';
import { registerCredentials } from './credentials/index.ts';
import { registerCustody, registerVerifyReport } from './custody.ts';
import { registerEvidence } from './evidence.ts';
import { registerFsck } from './fsck.ts';
import { registerImport } from './import.ts';
import { registerInit } from './init.ts';
import { registerInspect } from './inspect.ts';
import { registerKeys } from './keys.ts';
import { registerLicenses } from './licenses.ts';
import { registerLogin } from './login.ts';
import { registerMigrate } from './migrate.ts';
import { registerMonitor } from './monitor/index.ts';
import { registerNamespace } from './namespace.ts';
import { registerPolicy } from './policy.ts';
import { registerPrincipals } from './principals.ts';
import { registerRebuild } from './rebuild.ts';
import { registerRepair } from './repair.ts';
import { registerRoot } from './root/index.ts';
import { registerSessions, registerWhoami } from './sessions.ts';
import { registerSigner } from './signer.ts';
import { registerStandby } from './standby.ts';
import { registerStatus } from './status.ts';
import { registerUp } from './up.ts';
import { registerVerify } from './verify.ts';
import { registerWitness } from './witness/index.ts';

/** Adds commands to the program. What they do happens when they are called. */
export type Registration = (program: Command, context: Context) => void;

export const registrations: readonly Registration[] = [
  registerInit,
  registerUp,
  registerLogin,
  registerCatalog,
  registerLicenses,
  registerBundle,
  registerImport,
  registerKeys,
  registerNamespace,
  registerBrake,
  registerStatus,
  registerVerify,
  registerCustody,
  registerVerifyReport,
  registerInspect,
  registerPrincipals,
  registerApprovals,
  registerCredentials,
  registerSessions,
  registerWhoami,
  registerAccess,
  registerFsck,
  registerAudit,
  registerMonitor,
  registerEvidence,
  registerRebuild,
  registerMigrate,
  registerRepair,
  registerContentKey,
  registerStandby,
  registerCosigners,
  registerSigner,
  registerRoot,
  registerPolicy,
  registerWitness,
];
