import type { Change } from '../change.ts';
import type { LicenseReinstate, LicenseRevoke, LicenseSuspend } from '../commands.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { nextLicense, targetLicense, targetStandingLicense } from './subjects.ts';

/** Suspends an active license until it is reinstated. */
export function suspendLicense(view: View, command: LicenseSuspend, env: Environment): Change[] {
  const current = targetStandingLicense(view, command);
  const { id, status } = current.document;
  if (status.state === 'suspended') {
    refuse(
      'already_suspended',
      `The license ${id} is suspended since ${status.since}. There is nothing to do.`,
      {
        path: '$.license',
      },
    );
  }
  const { reason, message = null } = command;
  const next = { state: 'suspended', reason, message, since: env.now, successor: null } as const;
  return [nextLicense('license.suspended', current, env, { status: next })];
}

/** Makes a suspended license active again. */
export function reinstateLicense(view: View, command: LicenseReinstate, env: Environment): Change[] {
  const current = targetStandingLicense(view, command);
  const { id, status } = current.document;
  if (status.state !== 'suspended') {
    refuse('not_suspended', `The license ${id} is not suspended. There is nothing to do.`, {
      path: '$.license',
    });
  }
  const next = { state: 'active', reason: null, message: null, since: env.now, successor: null } as const;
  return [nextLicense('license.reinstated', current, env, { status: next })];
}

/** Revokes a license for good. */
export function revokeLicense(view: View, command: LicenseRevoke, env: Environment): Change[] {
  const current = targetLicense(view, command);
  const { id, status } = current.document;
  if (status.state === 'revoked') {
    refuse(
      'already_revoked',
      `The license ${id} is revoked since ${status.since}, which is final. Replace it to undo that.`,
      {
        path: '$.license',
      },
    );
  }
  const { reason, message = null } = command;
  const next = { state: 'revoked', reason, message, since: env.now, successor: null } as const;
  return [nextLicense('license.revoked', current, env, { status: next })];
}
