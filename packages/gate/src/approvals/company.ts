/** Whether there is anybody whose approval a rule could ask for. Pure. */
import { compareInstants, type PrincipalDocument } from '@tallystick/license';

/** Who appoints others. */
const APPOINTING_ROLE = 'administrator';

/**
 * Whether an author acts alone, so that rules for approvals ask nobody.
 *
 * That is so while the log has one person, and for the only administrator there ever was: who can appoint the others who
 * would have to approve is not held up by them, and neither is whoever invites the second one. Whoever was disabled still counts, or an administrator could disable
 * everybody else and go on alone. Otherwise a rule binds, even one that nobody can fulfill.
 *
 * @param principals everybody who has come in, ever: disabled ones as well, and not those who were only invited
 * @param at now, as an instant
 */
export function actsAlone(author: string, principals: readonly PrincipalDocument[], at: string): boolean {
  const people = principals.filter(({ kind }) => kind === 'person');
  const isOne = people.length === 1 && people[0]?.id === author;
  if (isOne || people.length === 0) return true;
  const appointing = people.filter((person) => isAppointing(person, at));
  return appointing.length === 1 && appointing[0]?.id === author;
}

function isAppointing({ roles }: PrincipalDocument, at: string): boolean {
  return roles.some(
    ({ role, products, until }) =>
      role === APPOINTING_ROLE && products === null && (until === null || compareInstants(at, until) < 0),
  );
}

/** The names of the roles of a rule that nobody but the author has, now and for everything. */
export function missingRoles(
  approvers: readonly { role: string; count: number }[],
  author: string,
  rolesOf: ReadonlyMap<string, readonly string[]>,
): string[] {
  return approvers
    .filter(({ role, count }) => {
      const able = [...rolesOf].filter(([id, roles]) => id !== author && roles.includes(role));
      return able.length < count;
    })
    .map(({ role }) => role);
}
