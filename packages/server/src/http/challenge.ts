import type { ProblemCode } from '@tallystick/contract';
import { type Directory, defaultPolicyDocument } from '@tallystick/gate';
import { durationToSeconds } from '@tallystick/license';

const defaultPolicy = defaultPolicyDocument();

/** What to show instead: RFC 6750, and RFC 9470 for proof of presence that is older than the policy in force lets it be. */
export function challengeOf(code: ProblemCode, { policy }: Pick<Directory, 'policy'>): string {
  if (code !== 'insufficient_user_authentication') return 'Bearer';
  const { stepUp } = (policy ?? defaultPolicy).sessions;
  return `Bearer error="insufficient_user_authentication", max_age=${durationToSeconds(stepUp)}`;
}
