/** What is allowed in a trust root and still worth a second thought. */
import type { Review, ReviewedCosigners, ReviewedKeys } from './review.ts';

export interface Warning {
  code:
    | 'single_key'
    | 'threshold_one'
    | 'no_key_to_lose'
    | 'one_algorithm_suffices'
    | 'expires_late'
    | 'expires_soon'
    | 'quorum_splits'
    | 'quorum_nobody_absent'
    | 'nobody_stays'
    | 'authority_changes'
    | 'log_key_changes';
  message: string;
}

/** Days after which an expiry is called late: nobody knows whether the people are still there. */
const lateDays = 3 * 366;
/** Days before which an expiry is called soon: a ceremony wants to be prepared. */
const soonDays = 90;

export function reviewWarnings(review: Omit<Review, 'warnings'>): Warning[] {
  return [
    ...keyWarnings('the root', review.root),
    ...(review.root.kept.length === 0
      ? [warning('nobody_stays', 'No root key of the current version stays: everybody is new.')]
      : []),
    ...review.authorities.flatMap((each) => [
      ...keyWarnings(`the authority of ${each.ns}`, each),
      ...authorityChanges(each),
    ]),
    ...expiryWarnings(review.expires.daysLeft),
    ...cosignerWarnings('witnesses', review.witnesses),
    ...(review.log.added.length + review.log.removed.length === 0
      ? []
      : [
          warning(
            'log_key_changes',
            'The signer of the log has to hold the new log keys before this version is in force.',
          ),
        ]),
  ];
}

function keyWarnings(what: string, keys: ReviewedKeys): Warning[] {
  const { count, holders, needsBothKinds } = keys;
  if (needsBothKinds !== false) return peopleWarnings(what, keys);
  const message =
    `The keys of one algorithm reach the threshold of ${what} without the others: who breaks that algorithm is it. ` +
    `Ask for at least ${Math.min(holders + 1, count.after)} of the ${count.after} keys.`;
  return [warning('one_algorithm_suffices', message), ...peopleWarnings(what, keys)];
}

function peopleWarnings(what: string, { count, holders, threshold, mustCollude }: ReviewedKeys): Warning[] {
  if (holders === 1) {
    const each = count.after === 1 ? 'one key' : 'one key of each algorithm';
    const message = `All of ${what} hangs on ${each}: who loses it stops it, and who steals it is it.`;
    return [warning('single_key', message)];
  }
  if (mustCollude === 1)
    return [warning('threshold_one', `Any one of the ${count.after} keys of ${what} can act alone.`)];
  if (threshold.after === count.after)
    return [warning('no_key_to_lose', `All ${count.after} keys of ${what} are needed: losing one loses it.`)];
  return [];
}

function authorityChanges({ ns, added, removed }: Review['authorities'][number]): Warning[] {
  if (added.length + removed.length === 0) return [];
  const message = `The authority of ${ns} changes: the namespace has to be signed anew by it, in the batch of this version.`;
  return [warning('authority_changes', message)];
}

function expiryWarnings(daysLeft: number): Warning[] {
  if (daysLeft > lateDays)
    return [
      warning(
        'expires_late',
        `It ends in ${daysLeft} days. A year lets people show that they still have their keys.`,
      ),
    ];
  if (daysLeft < soonDays)
    return [warning('expires_soon', `It ends in ${daysLeft} days: clients then refuse what is newer.`)];
  return [];
}

function cosignerWarnings(what: string, { colluding, absent, count }: ReviewedCosigners): Warning[] {
  const warnings: Warning[] = [];
  if (colluding < 0) {
    const message = `Two disjoint sets of ${what} are enough each: two histories can come about without a dishonest one.`;
    warnings.push(warning('quorum_splits', message));
  }
  if (absent === 0 && count.after > 1)
    warnings.push(
      warning('quorum_nobody_absent', `All ${what} have to answer: one that is away stops the log.`),
    );
  return warnings;
}

function warning(code: Warning['code'], message: string): Warning {
  return { code, message };
}
