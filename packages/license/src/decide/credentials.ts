import type { Change, Current } from '../change.ts';
import type { CredentialCreate, CredentialExpire, CredentialRevoke } from '../gate-commands.ts';
import type { CredentialDocument } from '../gate-documents.ts';
import { addDuration, compareInstants } from '../time.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { productId } from './principals.ts';
import { sortedByName } from './sorted.ts';
import { expected, firstChange, nextChange } from './subjects.ts';

/** Credentials: what a principal shows to be let in. */

const OVERLAP = 'PT24H';

export function createCredential(view: View, command: CredentialCreate, env: Environment): Change[] {
  const { kind, lookup } = command;
  const principal = view.subject('principal', command.principal)?.document;
  if (principal === undefined)
    return refuse('principal_unknown', `There is no principal ${command.principal}. Create it first.`, {
      path: '$.principal',
    });
  if (principal.state !== 'active')
    refuse('state_forbids', `The principal ${principal.id} is disabled. Enable it first.`, {
      path: '$.principal',
    });
  const holder = view.idByCredential(kind, lookup);
  if (holder !== undefined && holder !== command.replaces)
    refuse('credential_taken', 'This credential is in use already. Revoke that one first, or use another.', {
      path: '$.lookup',
    });
  const replaced = command.replaces === undefined ? null : replacedBy(view, command, command.replaces);
  const document: CredentialDocument = {
    v: 1,
    type: 'credential',
    ns: env.ns,
    id: env.newId('crd'),
    rev: 0,
    crit: [],
    principal: principal.id,
    kind,
    name: command.name,
    state: 'active',
    notAfter: command.notAfter ?? null,
    scope: {
      actions: command.scope?.actions ?? null,
      products:
        command.scope?.products?.map((product, at) => productId(view, product, `$.scope.products[${at}]`)) ??
        null,
      networks: command.scope?.networks ?? null,
    },
    lookup,
    material: sortedByName(command.material ?? {}),
    replaces: command.replaces ?? null,
  };
  const ended = replaced === null ? [] : endReplaced(replaced, command, holder !== undefined, env);
  const spent = spentInvitation(view, command, env);
  keepWithinScope(view, document, env);
  return [...ended, ...spent, firstChange('credential.created', document)].sort(createdFirst);
}

/** An invitation makes one credential of its owner, and has ended with that: two at once cannot both succeed. */
function spentInvitation(view: View, { principal, kind }: CredentialCreate, { gate }: Environment): Change[] {
  const shown = gate === null ? undefined : view.subject('credential', gate.actor.credential);
  if (shown?.document.kind !== 'invitation') return [];
  if (shown.document.principal !== principal || (kind !== 'passkey' && kind !== 'password'))
    refuse(
      'state_forbids',
      'An invitation makes a passkey, or password and codes, of who was invited. Log in for anything else.',
    );
  return [nextChange('credential.revoked', active(shown, '$.credential'), { state: 'revoked' })];
}

/** What a narrowed credential makes reaches no further than itself, or its scope would be a word alone. */
function keepWithinScope(view: View, { scope }: CredentialDocument, { gate }: Environment): void {
  const shown = gate === null ? undefined : view.subject('credential', gate.actor.credential)?.document;
  // An invitation is for making one's first, and good for nothing else.
  if (shown === undefined || shown.kind === 'invitation') return;
  for (const name of ['actions', 'products', 'networks'] as const) {
    const within: string[] | null = shown.scope[name];
    const asked: string[] | null = scope[name];
    if (within === null || asked?.every((each) => within.includes(each)) === true) continue;
    refuse(
      'may_only_tighten',
      `The credential that asks for this is narrowed itself. Name ${name} of its scope.`,
      {
        path: `$.scope.${name}`,
      },
    );
  }
}

/** The first change is what the caller is told of; nothing depends on the order of two subjects. */
function createdFirst(a: Change, b: Change): number {
  return Number(b.type === 'credential.created') - Number(a.type === 'credential.created');
}

function replacedBy(view: View, { principal, kind }: CredentialCreate, id: string): Current<'credential'> {
  const current = expected(view.subject('credential', id), 'credential', id, undefined, '$.replaces');
  const before = current.document;
  if (before.principal !== principal || before.kind !== kind)
    refuse(
      'input_invalid',
      'A credential takes the place of one of the same principal and kind. Name such a one, or none.',
      {
        path: '$.replaces',
      },
    );
  return active(current, '$.replaces');
}

/** What is replaced goes on for a while, so that whoever uses it can change over; not where both are found by the same name. */
function endReplaced(
  current: Current<'credential'>,
  { overlap = OVERLAP }: CredentialCreate,
  isSame: boolean,
  env: Environment,
): Change[] {
  if (isSame) return [nextChange('credential.revoked', current, { state: 'revoked' })];
  const end = addDuration(env.now, overlap);
  const { notAfter } = current.document;
  if (notAfter !== null && compareInstants(notAfter, end) <= 0) return [];
  return [nextChange('credential.expired', current, { notAfter: end })];
}

export function expireCredential(view: View, command: CredentialExpire): Change[] {
  const current = active(targetCredential(view, command), '$.credential');
  const { notAfter } = current.document;
  if (notAfter !== null && compareInstants(command.notAfter, notAfter) > 0)
    refuse(
      'may_only_tighten',
      `The credential ends at ${notAfter}, and that only comes nearer. Make another one to go on later.`,
      {
        path: '$.notAfter',
      },
    );
  return [nextChange('credential.expired', current, { notAfter: command.notAfter })];
}

export function revokeCredential(view: View, command: CredentialRevoke): Change[] {
  const current = active(targetCredential(view, command), '$.credential');
  return [nextChange('credential.revoked', current, { state: 'revoked' })];
}

function targetCredential(
  view: View,
  command: { credential: string; expectedRev?: number },
): Current<'credential'> {
  const found = view.subject('credential', command.credential);
  return expected(found, 'credential', command.credential, command.expectedRev);
}

function active(current: Current<'credential'>, path: string): Current<'credential'> {
  if (current.document.state === 'active') return current;
  return refuse(
    'state_forbids',
    `The credential ${current.document.id} is revoked, which is final. Make another one.`,
    {
      path,
    },
  );
}
