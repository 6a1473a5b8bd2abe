import type { Change } from '../change.ts';
import type { LicenseRenew } from '../commands.ts';
import type { Instant, LicenseDocument, PlanDocument } from '../documents.ts';
import { laterInstant } from '../time.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { nextLicense, targetStandingLicense } from './subjects.ts';
import { instantAfter } from './terms.ts';

/** Renews the term of a license and what goes with it, or only the updates of a perpetual one. */
export function renewLicense(view: View, command: LicenseRenew, env: Environment): Change[] {
  const current = targetStandingLicense(view, command);
  const license = current.document;
  checkOneEnd(command, '$');
  if (command.updates !== undefined) checkOneEnd(command.updates, '$.updates');
  const until =
    license.term.until === null ? null : laterTerm(view, command, license, license.term.until, env.now);
  if (until === null) checkOnlyUpdates(command, license);
  const updates = laterUpdates(view, command, license, until, env.now);
  return [nextLicense('license.renewed', current, env, { term: { ...license.term, until }, updates })];
}

function laterTerm(
  view: View,
  command: LicenseRenew,
  license: LicenseDocument,
  until: Instant,
  now: Instant,
): Instant {
  const base = laterInstant(until, now);
  const end = command.until ?? instantAfter(base, command.length ?? lengthOfPlan(view, license), '$.length');
  if (end > until) return end;
  return refuse('term_not_later', `The license already runs until ${until}. Choose a later end.`, {
    path: command.until === undefined ? '$.length' : '$.until',
    details: { until },
  });
}

/** Renewing sells a term of the plan as it is now. */
function planOf(view: View, license: LicenseDocument): PlanDocument | undefined {
  return view.subject('plan', license.plan.id)?.document;
}

function lengthOfPlan(view: View, license: LicenseDocument): string {
  const length = planOf(view, license)?.term.length ?? null;
  if (length !== null) return length;
  return refuse(
    'term_invalid',
    `The plan ${license.plan.code} has no length. Say until when or for how long to renew.`,
    {
      path: '$.length',
    },
  );
}

function checkOnlyUpdates(command: LicenseRenew, license: LicenseDocument): void {
  const onlyUpdates =
    command.updates !== undefined && command.until === undefined && command.length === undefined;
  if (onlyUpdates && license.updates.until !== null) return;
  refuse(
    'perpetual',
    'The license never ends. Only its updates can be renewed, where those end: give updates alone.',
    {
      path: '$.license',
    },
  );
}

/**
 * Unless said otherwise, builds are covered at least as long as the term. The fallback is set as when issuing; where the
 * license came to a plan without one, what was earned before stays.
 */
function laterUpdates(
  view: View,
  command: LicenseRenew,
  license: LicenseDocument,
  until: Instant | null,
  now: Instant,
): LicenseDocument['updates'] {
  const { updates } = license;
  const hasFallback = planOf(view, license)?.updates.fallback ?? false;
  const fallback = hasFallback ? laterInstant(updates.fallback ?? now, now) : updates.fallback;
  if (updates.until === null) return { ...updates, fallback };
  const base = laterInstant(updates.until, now);
  const { updates: input } = command;
  const end =
    input?.until ??
    (input?.length === undefined ? until : instantAfter(base, input.length, '$.updates.length'));
  if (input !== undefined && (end === null || end <= updates.until)) {
    refuse('term_not_later', `Updates are already covered until ${updates.until}. Choose a later end.`, {
      path: '$.updates',
      details: { until: updates.until },
    });
  }
  return { ...updates, fallback, until: end === null ? updates.until : laterInstant(updates.until, end) };
}

function checkOneEnd(input: { until?: Instant; length?: string }, path: string): void {
  if (input.until === undefined || input.length === undefined) return;
  refuse('term_invalid', 'Give either an end or a length. Leave one of them out.', { path });
}
