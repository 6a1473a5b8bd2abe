/** Who asked for a command that waits, and how: as the log has it, for judging the command again without them. */
import type { Asked, Caller, DecisionInput } from '@tallystick/gate';
import type { GateCauseDocument, LedgerReader } from '@tallystick/ledger';
import type { ApprovalDocument, Command } from '@tallystick/license';
import { ServiceProblem } from '../service-problem.ts';

/**
 * The proofs that were given with the request count when it is carried out, though the author is not there then: they are
 * what made it a request. Roles, the principal and its credential are looked at anew, and so is the time of day. Throws
 * ServiceProblem for a request that nobody was known for.
 */
export async function authorAsked(
  read: Pick<LedgerReader, 'history' | 'causeOf'>,
  { id, author, command }: ApprovalDocument,
  at: string,
): Promise<Asked> {
  const [first] = await read.history(id, 1, 1);
  const cause = first?.cause;
  if (first === undefined || cause === undefined || cause.v === 1)
    throw new ServiceProblem('state_forbids', `The request ${id} does not say who asked for it. Ask anew.`);
  const input = await inputOf(read, cause);
  const { context, principal } = input;
  const { who } = cause;
  const { signed } = first;
  if (cause.signed !== null && signed === null)
    throw new ServiceProblem('integrity', `the request that was signed for ${id} is gone: run tally fsck`);
  const caller: Caller = {
    principal: author.principal,
    kind: principal.kind,
    credential: author.credential,
    session: author.session,
    strength: context.strength as Caller['strength'],
    authenticatedAt: cause.at,
    steppedUpAt: context.stepUp ? at : null,
    address: who.address ?? '',
    networks: [...context.networks],
    device: who.device,
    signed,
    purpose: context.purpose,
  };
  return { caller, action: (command as unknown as Command).type, zone: context.zone };
}

/** What a decision was made on, which an earlier cause may have. */
async function inputOf(
  read: Pick<LedgerReader, 'causeOf'>,
  { decision }: GateCauseDocument,
): Promise<DecisionInput> {
  if ('input' in decision) return decision.input as DecisionInput;
  const { cause } = await read.causeOf(decision.same);
  if (cause.v === 1 || !('input' in cause.decision))
    throw new ServiceProblem('integrity', 'a decision is not where another one says that it is');
  return cause.decision.input as DecisionInput;
}
