import { accessRecordings } from '@tallystick/contract/access-records';
import { type Caller, PolicyError, policySetHash, schemaHash } from '@tallystick/gate';
import { checkCandidate } from '@tallystick/gate/policy';
import type { Command, PolicyPublish } from '@tallystick/license';
import { ServiceProblem } from '../service-problem.ts';
import type { Rules } from './gatekeeper.ts';

/**
 * Refuses the token of `tally init`, which a policy in the log would lock out together with everybody else. Refuses to put a
 * policy in force, or to let others approve one, that cannot be evaluated, that nobody could replace, or that decides otherwise
 * and nobody said that it may. Takes half a second, and so is for callers that were found allowed to publish one.
 */
export function checkPublication(
  { kind }: Pick<Caller, 'kind'>,
  command: Command,
  seen: { why: string | null; rules: Pick<Rules, 'engine'>; shadowProblem: string | null },
): void {
  const asked = command.type === 'approval.request' ? command.command : command;
  if (asked['type'] !== 'policy.publish') return;
  if (kind === 'bootstrap')
    throw new ServiceProblem(
      'forbidden',
      'the first policy is logged together with the first administrator: create that one, who can publish others',
    );
  demandSeen(asked as unknown as PolicyPublish, seen);
  const { durable } = asked as unknown as PolicyPublish;
  const unknown = durable.find((name) => !Object.hasOwn(accessRecordings, name));
  if (unknown !== undefined)
    throw new ServiceProblem('input_invalid', `durable names ${unknown}, which is no route`, '$.durable');
  try {
    checkCandidate(asked as unknown as PolicyPublish);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const { message, policy, line } = error;
    const where = [policy === null ? null : `policy ${policy}`, line === null ? null : `line ${line}`];
    const place = where.filter((each) => each !== null).join(', ');
    throw new ServiceProblem('input_invalid', place === '' ? message : `${place}: ${message}`, '$.policies');
  }
}

/** Verdicts flip by policies and their schema alone. */
function demandSeen(
  command: PolicyPublish,
  {
    why,
    rules: { engine },
    shadowProblem,
  }: { why: string | null; rules: Pick<Rules, 'engine'>; shadowProblem: string | null },
): void {
  if (command.despiteShadow === true) {
    if (why === null) throw new ServiceProblem('reason_required', undefined, 'headers.tally-reason');
    return;
  }
  const isSame = engine.policy === policySetHash(command) && engine.schema === schemaHash(command);
  if (!isSame && shadowProblem !== null) throw new ServiceProblem('shadow_needed', shadowProblem);
}
