import type { Change } from '../change.ts';
import type { CustomerCreate, CustomerInput, CustomerUpdate } from '../commands.ts';
import type { CustomerDocument } from '../documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { sortedByName } from './sorted.ts';
import { checkNotId, customerToServe, firstChange, nextChange, targetCustomer } from './subjects.ts';

/** How many parents above a customer are followed when looking for a cycle. */
const ANCESTORS_MAX = 32;

export function createCustomer(view: View, command: CustomerCreate, env: Environment): Change[] {
  checkReference(view, command.reference, undefined);
  const parent = parentOf(view, command.parent, undefined);
  const document: CustomerDocument = {
    v: 1,
    type: 'customer',
    ns: env.ns,
    id: env.newId('cus'),
    rev: 0,
    crit: [],
    reference: command.reference ?? null,
    name: command.name ?? null,
    email: command.email ?? null,
    country: command.country ?? null,
    parent: parent ?? null,
    state: 'active',
    into: null,
    metadata: sortedByName(command.metadata ?? {}),
  };
  return [firstChange('customer.created', document)];
}

export function updateCustomer(view: View, command: CustomerUpdate): Change[] {
  const current = targetCustomer(view, command);
  const { id, state } = current.document;
  if (state !== 'active') {
    refuse(
      'state_forbids',
      `The customer ${id} is ${state} and can no longer change. Name another customer.`,
      {
        path: '$.customer',
      },
    );
  }
  checkReference(view, command.reference, id);
  const parent = parentOf(view, command.parent, id);
  return [nextChange('customer.updated', current, membersOf(command, parent))];
}

function membersOf(input: CustomerInput, parent: string | null | undefined): Partial<CustomerDocument> {
  const members: Partial<CustomerDocument> = {};
  for (const name of ['reference', 'name', 'email', 'country'] as const) {
    const value = input[name];
    if (value !== undefined) members[name] = value;
  }
  if (parent !== undefined) members.parent = parent;
  if (input.metadata !== undefined) members.metadata = sortedByName(input.metadata);
  return members;
}

function checkReference(view: View, reference: string | null | undefined, ownId: string | undefined): void {
  if (reference === null || reference === undefined) return;
  checkNotId(reference, '$.reference');
  const holder = view.idByReference(reference);
  if (holder === undefined || holder === ownId) return;
  refuse(
    'reference_taken',
    `The customer ${holder} has this reference. Use that customer, or another reference.`,
    {
      path: '$.reference',
      details: { customer: holder },
    },
  );
}

/** The id of the parent; undefined when the command does not say. */
function parentOf(
  view: View,
  parent: string | null | undefined,
  ownId: string | undefined,
): string | null | undefined {
  if (parent === undefined || parent === null) return parent;
  const { id } = customerToServe(view, parent, '$.parent');
  let ancestor: string | null = id;
  for (let steps = 0; ancestor !== null; steps += 1) {
    if (ancestor === ownId || steps >= ANCESTORS_MAX) {
      refuse('input_invalid', '$.parent: a customer cannot be below itself. Choose another parent.', {
        path: '$.parent',
      });
    }
    ancestor = view.subject('customer', ancestor)?.document.parent ?? null;
  }
  return id;
}
