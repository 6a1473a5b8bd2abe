import { accessRecordings } from '@tallystick/contract/access-records';
import { type Caller, PolicyError, policySetHash, schemaHash } from '@tallystick/gate';
import { checkCandidate } from '@tallystick/gate/policy';
import type { Command, PolicyPublish, SignedCommand } from '@tallystick/license';
import { ServiceProblem } from '../service-problem.ts';
import type { Rules } from './gatekeeper.ts';

interface Circumstances {
  why: string | null;
  /** In force on the snapshot that the command is decided on. */
  rules: Pick<Rules, 'engine' | 'content'>;
  shadowProblem: string | null;
  /** Hashes of the policy in force when somebody looked; null where that does not matter. */
  shadowedUnder: string | null;
}

/**
 * Refuses the token of `tally init`, which a policy in the log would lock out together with everybody else. Refuses to put a
 * policy in force, or to let others approve one, that cannot be evaluated, that nobody could replace, or that decides otherwise
 * and nobody said that it may. Takes half a second, and so is for callers that were found allowed to publish one.
 */
export function checkPublication(
  { kind }: Pick<Caller, 'kind'>,
  command: Command | SignedCommand,
  seen: Circumstances,
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

/** Verdicts flip by policies, their schema, and how old proof of presence may be, of which records say only whether it was. */
function demandSeen(
  command: PolicyPublish,
  { why, rules: { engine, content }, shadowProblem, shadowedUnder }: Circumstances,
): void {
  if (command.despiteShadow === true) {
    if (why === null) throw new ServiceProblem('reason_required', undefined, 'headers.tally-reason');
    return;
  }
  if (command.sessions.stepUp !== content.sessions.stepUp)
    throw new ServiceProblem(
      'shadow_needed',
      `It changes sessions.stepUp from ${content.sessions.stepUp} to ${command.sessions.stepUp}, and no shadow knows what that decides otherwise. Publish it with despiteShadow and a reason.`,
      '$.sessions.stepUp',
    );
  if (engine.policy === policySetHash(command) && engine.schema === schemaHash(command)) return;
  if (shadowProblem !== null) throw new ServiceProblem('shadow_needed', shadowProblem);
  // What it denied, or let in, nobody has held the new one against.
  if (shadowedUnder !== null && shadowedUnder !== `${engine.policy} ${engine.schema}`)
    throw new ServiceProblem(
      'shadow_needed',
      'Another policy was put in force since somebody looked. Run tally access policy shadow on it again.',
    );
}
