/** The verbs of `tally`, in the order of its help, and where each is: one command line needs one of them. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';

/** Adds commands to the program. What they do happens when they are called. */
export type Registration = (program: Command, context: Context) => void;

interface VerbSource {
  /** The commands that it adds. */
  readonly names: readonly string[];
  readonly load: () => Promise<Registration>;
}

export const verbSources: readonly VerbSource[] = [
  { names: ['init'], load: async () => (await import('./init.ts')).registerInit },
  { names: ['up'], load: async () => (await import('./up.ts')).registerUp },
  {
    names: ['login', 'logout', 'enroll', 'invite'],
    load: async () => (await import('./login.ts')).registerLogin,
  },
  {
    names: ['product', 'plan', 'customer'],
    load: async () => (await import('./catalog.ts')).registerCatalog,
  },
  {
    names: [
      'issue',
      'list',
      'show',
      'history',
      'amend',
      'renew',
      'change-plan',
      'suspend',
      'reinstate',
      'revoke',
      'replace',
      'transfer',
      'rekey',
      'reissue',
    ],
    load: async () => (await import('./licenses.ts')).registerLicenses,
  },
  { names: ['bundle'], load: async () => (await import('./bundle.ts')).registerBundle },
  { names: ['import'], load: async () => (await import('./import.ts')).registerImport },
  { names: ['keys'], load: async () => (await import('./keys.ts')).registerKeys },
  { names: ['namespace'], load: async () => (await import('./namespace.ts')).registerNamespace },
  { names: ['recover'], load: async () => (await import('./recover.ts')).registerRecover },
  { names: ['brake'], load: async () => (await import('./brake.ts')).registerBrake },
  { names: ['status'], load: async () => (await import('./status.ts')).registerStatus },
  { names: ['verify'], load: async () => (await import('./verify.ts')).registerVerify },
  { names: ['custody'], load: async () => (await import('./custody.ts')).registerCustody },
  { names: ['verify-report'], load: async () => (await import('./custody.ts')).registerVerifyReport },
  { names: ['inspect'], load: async () => (await import('./inspect.ts')).registerInspect },
  { names: ['principal'], load: async () => (await import('./principals.ts')).registerPrincipals },
  { names: ['approval'], load: async () => (await import('./approvals.ts')).registerApprovals },
  { names: ['credential'], load: async () => (await import('./credentials/index.ts')).registerCredentials },
  { names: ['session'], load: async () => (await import('./sessions.ts')).registerSessions },
  { names: ['whoami'], load: async () => (await import('./sessions.ts')).registerWhoami },
  { names: ['access'], load: async () => (await import('./access/index.ts')).registerAccess },
  { names: ['fsck'], load: async () => (await import('./fsck.ts')).registerFsck },
  { names: ['audit'], load: async () => (await import('./audit.ts')).registerAudit },
  { names: ['monitor'], load: async () => (await import('./monitor/index.ts')).registerMonitor },
  { names: ['evidence'], load: async () => (await import('./evidence.ts')).registerEvidence },
  { names: ['rebuild'], load: async () => (await import('./rebuild.ts')).registerRebuild },
  { names: ['migrate'], load: async () => (await import('./migrate.ts')).registerMigrate },
  { names: ['repair'], load: async () => (await import('./repair.ts')).registerRepair },
  { names: ['content-key'], load: async () => (await import('./content-key.ts')).registerContentKey },
  { names: ['standby'], load: async () => (await import('./standby.ts')).registerStandby },
  { names: ['cosigners'], load: async () => (await import('./cosigners.ts')).registerCosigners },
  { names: ['networks'], load: async () => (await import('./networks.ts')).registerNetworks },
  { names: ['signer'], load: async () => (await import('./signer.ts')).registerSigner },
  { names: ['root'], load: async () => (await import('./root/index.ts')).registerRoot },
  { names: ['policy'], load: async () => (await import('./policy.ts')).registerPolicy },
  { names: ['witness'], load: async () => (await import('./witness/index.ts')).registerWitness },
];

/**
 * The verbs that a command line can be about: those that are among its words, of which some may be values of options.
 * Empty where there are none.
 */
export function verbsNamed(words: readonly string[]): readonly VerbSource[] {
  return verbSources.filter(({ names }) => names.some((name) => words.includes(name)));
}
