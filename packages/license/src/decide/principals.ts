import type { Change, Current } from '../change.ts';
import type {
  PrincipalAssign,
  PrincipalCreate,
  PrincipalDisable,
  PrincipalEnable,
  PrincipalGrant,
  PrincipalUpdate,
  RoleInput,
} from '../gate-commands.ts';
import type { PrincipalDocument, RoleGrant } from '../gate-documents.ts';
import { addDuration, compareDurations, compareInstants } from '../time.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { sortedByName } from './sorted.ts';
import { expected, findProduct, firstChange, nextChange } from './subjects.ts';

/** Principals: people, services and partners, and the roles that they have. */

/** Roles are given for a time with `principal.grant`; longer than this they are assigned. */
const GRANT_MAX = 'P1D';
const ROLES_MAX = 50;
/** Who may give roles. A system that has one keeps one. */
const ADMINISTRATOR = 'administrator';

export function createPrincipal(view: View, command: PrincipalCreate, env: Environment): Change[] {
  const document: PrincipalDocument = {
    v: 1,
    type: 'principal',
    ns: env.ns,
    id: env.newId('prn'),
    rev: 0,
    crit: [],
    kind: command.kind,
    name: command.name,
    email: command.email ?? null,
    state: 'active',
    roles: rolesOf(view, command.roles ?? [], '$.roles'),
    metadata: sortedByName(command.metadata ?? {}),
  };
  return [firstChange('principal.created', document)];
}

export function updatePrincipal(view: View, command: PrincipalUpdate): Change[] {
  const current = targetPrincipal(view, command);
  const members: Partial<PrincipalDocument> = {};
  if (command.name !== undefined) members.name = command.name;
  if (command.email !== undefined) members.email = command.email;
  if (command.metadata !== undefined) members.metadata = sortedByName(command.metadata);
  return [nextChange('principal.updated', activePrincipal(current), members)];
}

export function assignRoles(view: View, command: PrincipalAssign): Change[] {
  const current = activePrincipal(targetPrincipal(view, command));
  const roles = rolesOf(view, command.roles, '$.roles');
  if (!isAdministrator({ ...current.document, roles })) keepAnAdministrator(view, current);
  return [nextChange('principal.assigned', current, { roles })];
}

/** Adds a role that ends by itself; ended ones make room. */
export function grantRole(view: View, command: PrincipalGrant, env: Environment): Change[] {
  const current = activePrincipal(targetPrincipal(view, command));
  if (compareDurations(command.length, GRANT_MAX) > 0) {
    refuse('limit_exceeded', 'A grant lasts a day at most. Assign the role to give it for longer.', {
      path: '$.length',
    });
  }
  const until = addDuration(env.now, command.length);
  const products = command.products ?? null;
  const [granted] = rolesOf(view, [{ role: command.role, products, until }], '$');
  const { roles } = current.document;
  const kept = roles.filter(({ until: end }) => end === null || compareInstants(end, env.now) > 0);
  if (granted === undefined || kept.length >= ROLES_MAX)
    refuse('limit_exceeded', `A principal has at most ${ROLES_MAX} roles. Take one away first.`, {
      path: '$.role',
    });
  return [nextChange('principal.assigned', current, { roles: [...kept, granted] })];
}

export function disablePrincipal(view: View, command: PrincipalDisable): Change[] {
  const current = activePrincipal(targetPrincipal(view, command));
  keepAnAdministrator(view, current);
  return [nextChange('principal.disabled', current, { state: 'disabled' })];
}

export function enablePrincipal(view: View, command: PrincipalEnable): Change[] {
  const current = targetPrincipal(view, command);
  if (current.document.state === 'active')
    refuse('no_change', `The principal ${current.document.id} is active already. There is nothing to do.`);
  return [nextChange('principal.enabled', current, { state: 'active' })];
}

/** The principal that a command is about. */
function targetPrincipal(
  view: View,
  command: { principal: string; expectedRev?: number },
): Current<'principal'> {
  const found = view.subject('principal', command.principal);
  return expected(found, 'principal', command.principal, command.expectedRev);
}

/** The names of the roles that a principal has at an instant for everything, whatever the product. */
export function rolesAt({ state, roles }: PrincipalDocument, at: string): string[] {
  if (state !== 'active') return [];
  return roles.flatMap(({ role, products, until }) =>
    products === null && (until === null || compareInstants(until, at) > 0) ? [role] : [],
  );
}

function activePrincipal(current: Current<'principal'>): Current<'principal'> {
  if (current.document.state === 'active') return current;
  return refuse('state_forbids', `The principal ${current.document.id} is disabled. Enable it first.`, {
    path: '$.principal',
  });
}

/** Otherwise nobody could let anybody in any more. */
function keepAnAdministrator(view: View, leaving: Current<'principal'>): void {
  if (!isAdministrator(leaving.document)) return;
  const others = view.principals().filter((id) => id !== leaving.document.id);
  const isLeft = others.some((id) => {
    const other = view.subject('principal', id)?.document;
    return other !== undefined && isAdministrator(other);
  });
  if (isLeft) return;
  refuse(
    'last_administrator',
    'Nobody else could manage who may use this system. Make somebody else administrator first.',
    { path: '$.principal' },
  );
}

/** Somebody who can give roles for good: a role that ends would leave the system without anybody. */
function isAdministrator({ kind, state, roles }: PrincipalDocument): boolean {
  if (kind !== 'person' || state !== 'active') return false;
  return roles.some(
    ({ role, products, until }) => role === ADMINISTRATOR && products === null && until === null,
  );
}

function rolesOf(view: View, inputs: readonly RoleInput[], path: string): RoleGrant[] {
  return inputs.map(({ role, products = null, until = null }, at) => ({
    role,
    products:
      products?.map((product, nth) => productId(view, product, `${path}[${at}].products[${nth}]`)) ?? null,
    until,
  }));
}

/** The id of a product that is named by id or code. */
export function productId(view: View, product: string, path: string): string {
  const found = findProduct(view, product);
  if (found !== undefined) return found.document.id;
  return refuse('input_invalid', `There is no product ${product}. Name one that there is.`, { path });
}
