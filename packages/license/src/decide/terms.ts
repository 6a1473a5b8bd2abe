import type { TermInput, UpdatesInput } from '../commands.ts';
import type { CalendarDuration, Instant, LicenseDocument, PlanDocument } from '../documents.ts';
import { ModelError } from '../errors.ts';
import { addDuration } from '../time.ts';
import { refuse } from './decision.ts';

/** Turning lengths into instants: verifiers never do calendar arithmetic, so it is all done here. */

type Term = LicenseDocument['term'];
type Updates = LicenseDocument['updates'];

/** The instant after a length; a result that no instant can express is a refusal. */
export function instantAfter(from: Instant, length: CalendarDuration, path: string): Instant {
  try {
    return addDuration(from, length);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return refuse(
      'term_invalid',
      'The term would end after the year 9999. Choose a shorter one, or null for none.',
      {
        path,
      },
    );
  }
}

/** The term of a license that begins under a plan. */
export function newTerm(plan: PlanDocument, input: TermInput, now: Instant): Term {
  if (input.until !== undefined && input.length !== undefined) {
    refuse('term_invalid', 'A term has either an end or a length. Leave one of them out.', {
      path: '$.term',
    });
  }
  const from = input.from ?? now;
  const length = input.length === undefined ? plan.term.length : input.length;
  const end = length === null ? null : instantAfter(from, length, '$.term');
  const until = input.until === undefined ? end : input.until;
  return checkedTerm({ from, until, grace: plan.term.grace });
}

/** Refuses a term that would end before it begins. */
export function checkedTerm(term: Term): Term {
  if (term.from !== null && term.until !== null && term.until <= term.from) {
    refuse('term_invalid', 'The term would end before it begins. Choose a later end.', { path: '$.term' });
  }
  return term;
}

/**
 * Which builds a license that begins under a plan covers. The fallback rule is simple: whenever a term of
 * a plan with fallback is sold (issued or renewed), the fallback becomes that moment. So a build that was out
 * when the last term was paid keeps running after the license ends.
 */
export function newUpdates(plan: PlanDocument, from: Instant, now: Instant, input: UpdatesInput): Updates {
  const { length, fallback, maxMajor } = plan.updates;
  const end = length === null ? null : instantAfter(from, length, '$.updates');
  return {
    until: input.until === undefined ? end : input.until,
    fallback: fallback ? now : null,
    maxMajor: input.maxMajor === undefined ? maxMajor : input.maxMajor,
  };
}
