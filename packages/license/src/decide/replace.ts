import type { Change, Current } from '../change.ts';
import type { LicenseReplace } from '../commands.ts';
import type { LicenseDocument } from '../documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { checkSize, emptyCompanion } from './sale.ts';
import { customerToServe, firstChange, nextLicense, targetLicense } from './subjects.ts';

/** How many successors are followed when looking for a cycle. */
const SUCCESSORS_MAX = 64;

/**
 * Supersedes a license by an existing one, or by a new one with the same content and license key. The new
 * license comes first, so that a successor always exists when it is pointed to.
 */
export function replaceLicense(view: View, command: LicenseReplace, env: Environment): Change[] {
  const current = targetToSupersede(view, command, '$.license');
  if (command.by !== undefined) {
    return [successorOf(current, existingSuccessor(view, command.by, current.document.id), false, env)];
  }
  const { customer } = current.document;
  if (customer !== null) customerToServe(view, customer, '$.license');

  const companion = current.companion ?? emptyCompanion(null);
  const key = companion.key ?? env.newLicenseKey();
  const license = successorContent(current.document, env.newId('lic'), env);
  checkSize(license);
  const issued = firstChange('license.issued', license, { ...companion, key });
  return [issued, successorOf(current, license.id, true, env)];
}

/** A license that may get a successor: any that has none yet, revoked ones included. */
export function targetToSupersede(
  view: View,
  command: { license: string; expectedRev?: number },
  path: string,
): Current<'license'> {
  const current = targetLicense(view, command, path);
  const { successor } = current.document.status;
  if (successor !== null) {
    refuse('state_forbids', `The license ${current.document.id} was superseded already. Use ${successor}.`, {
      path,
      details: { successor },
    });
  }
  return current;
}

/** The change that points a license to its successor. A key that moved to the successor leaves the old license. */
export function successorOf(
  current: Current<'license'>,
  successor: string,
  keyMoves: boolean,
  env: Environment,
): Change<'license'> {
  const status: LicenseDocument['status'] = {
    state: 'revoked',
    reason: 'superseded',
    message: null,
    since: env.now,
    successor,
  };
  const companion =
    current.companion !== null && keyMoves ? { ...current.companion, key: null } : current.companion;
  return nextLicense('license.superseded', current, env, { status }, companion);
}

function successorContent(before: LicenseDocument, id: string, env: Environment): LicenseDocument {
  const status = { state: 'active', reason: null, message: null, since: env.now, successor: null } as const;
  const epoch = Math.max(before.epoch, env.epoch);
  return { ...before, id, rev: 0, status, generation: 0, epoch, private: null };
}

function existingSuccessor(view: View, by: string, supersededId: string): string {
  const successor = view.subject('license', by)?.document;
  if (successor === undefined) {
    return refuse(
      'successor_unknown',
      `There is no license ${by}. Issue the successor first, or leave it out.`,
      {
        path: '$.by',
      },
    );
  }
  checkNoCycle(view, successor, supersededId);
  if (successor.status.state === 'revoked') {
    refuse('state_forbids', `The license ${by} is revoked. Choose a successor that is in force.`, {
      path: '$.by',
    });
  }
  return successor.id;
}

function checkNoCycle(view: View, successor: LicenseDocument, supersededId: string): void {
  let next: LicenseDocument | undefined = successor;
  for (let steps = 0; next !== undefined && steps < SUCCESSORS_MAX; steps += 1) {
    if (next.id === supersededId) {
      refuse('successor_cycle', 'The successor leads back to this license. Choose another successor.', {
        path: '$.by',
      });
    }
    const following: string | null = next.status.successor;
    next = following === null ? undefined : view.subject('license', following)?.document;
  }
}
