import type { Change, Current } from '../change.ts';
import type { CustomerErase, CustomerMerge } from '../commands.ts';
import type { CustomerDocument, LicenseCompanion } from '../documents.ts';
import { isErasedCommand } from '../gate-records.ts';
import { isSignedCommand } from '../signed-commands.ts';
import { erasedCommand } from './approvals.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { findCustomer, nextChange, nextLicense, targetCustomer } from './subjects.ts';

/** The most records that one command makes. */
export const RECORDS_MAX = 500;

/** How many merges are followed when looking for a cycle. */
const MERGES_MAX = 64;

/** The customer is merged first, then each of its licenses is transferred, revoked ones included. */
export function mergeCustomer(view: View, command: CustomerMerge, env: Environment): Change[] {
  const current = targetCustomer(view, command);
  if (current.document.state !== 'active') {
    refuse(
      'state_forbids',
      `The customer ${current.document.id} is ${current.document.state}. Use an active one.`,
      {
        path: '$.customer',
      },
    );
  }
  const into = customerToMergeInto(view, command.into, current.document.id);
  const licenses = view.licensesOfCustomer(current.document.id);
  if (licenses.length + 1 > RECORDS_MAX) {
    const message = `The customer has ${licenses.length} licenses, too many for one command.`;
    refuse('limit_exceeded', `${message} Transfer some of them to the other customer first, then merge.`, {
      details: { licenses: licenses.length, recordsMax: RECORDS_MAX },
    });
  }
  const merged = nextChange('customer.merged', current, { state: 'merged', into: into.id });
  const moved = licensesNamed(view, licenses).map((license) =>
    nextLicense('license.transferred', license, env, { customer: into.id }),
  );
  return [merged, ...moved];
}

/**
 * The customer is erased first, then its licenses are amended, revoked ones included, and then the requests for approval that
 * speak of it lose what their commands say. The license key, order, price and reseller stay: they are the vendor's books.
 *
 * Licenses that say nothing personal now may have said it before, or in what was signed for them: an erasure reaches what is
 * before a record of it. Where there is no room for all, those that say something come first.
 */
export function eraseCustomer(view: View, command: CustomerErase, env: Environment): Change[] {
  const current = targetCustomer(view, command);
  if (current.document.state === 'erased') {
    refuse('state_forbids', 'The customer is erased already. There is nothing to do.', {
      path: '$.customer',
    });
  }
  const erased = nextChange('customer.erased', current, {
    reference: null,
    name: null,
    email: null,
    country: null,
    parent: null,
    state: 'erased',
    metadata: {},
  });
  const licenses = licensesNamed(view, view.licensesOfCustomer(current.document.id));
  const personal = licenses.filter(saysSomethingPersonal);
  const requests = requestsAbout(view, current.document);
  if (personal.length + requests.length + 1 > RECORDS_MAX) {
    const message = `${personal.length} licenses of the customer carry personal text, and ${requests.length} requests for approval speak of it, too many for one command.`;
    refuse('limit_exceeded', `${message} Amend some first: licensee null, companion crm {} and notes null.`, {
      details: { licenses: personal.length, requests: requests.length, recordsMax: RECORDS_MAX },
    });
  }
  const room = RECORDS_MAX - 1 - personal.length - requests.length;
  const silent = licenses.filter((license) => !saysSomethingPersonal(license)).slice(0, room);
  const amended = [...personal, ...silent].map((license) =>
    nextLicense('license.amended', license, env, { licensee: null }, withoutPersonalText(license.companion)),
  );
  const emptied = requests.map((request) =>
    nextChange('approval.erased', request, erasedCommand(request.document)),
  );
  return [erased, ...amended, ...emptied];
}

/** The requests for approval whose commands are about a customer, or say what it or its licenses say now. */
function requestsAbout(view: View, { id, reference, name, email }: CustomerDocument): Current<'approval'>[] {
  const licenses = view.licensesOfCustomer(id);
  const licensees = licensesNamed(view, licenses).map(({ document }) => document.licensee);
  const said = [id, reference, name, email, ...licenses, ...licensees].filter((text) => text !== null);
  const words = new Set(said.map(plain));
  return view.approvals().flatMap((approval) => {
    const request = view.subject('approval', approval);
    if (request === undefined || isErasedCommand(request.document.command)) return [];
    const { customers, command } = request.document;
    // What it is called says nothing of anybody: a customer of that name would withdraw all of them.
    const { type: _, ...members } = command;
    const isSaid = !isSignedCommand(command) && says(members, words);
    return customers?.includes(id) === true || isSaid ? [request] : [];
  });
}

function plain(text: string): string {
  return text.trim().toLowerCase();
}

/** Whether any text in it is one of these. */
function says(value: unknown, words: ReadonlySet<string>): boolean {
  if (typeof value === 'string') return words.has(plain(value));
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((member) => says(member, words));
}

function customerToMergeInto(view: View, named: string, mergedId: string): CustomerDocument {
  const into = findCustomer(view, named)?.document;
  if (into === undefined) {
    return refuse('customer_unknown', `There is no customer ${named}. Check the id or reference.`, {
      path: '$.into',
    });
  }
  checkNoCycle(view, into, mergedId);
  if (into.state === 'active') return into;
  return refuse('customer_not_active', `The customer ${named} is ${into.state}. Choose an active customer.`, {
    path: '$.into',
    ...(into.into === null ? {} : { details: { into: into.into } }),
  });
}

function checkNoCycle(view: View, into: CustomerDocument, mergedId: string): void {
  let next: CustomerDocument | undefined = into;
  for (let steps = 0; next !== undefined && steps < MERGES_MAX; steps += 1) {
    if (next.id === mergedId) {
      refuse(
        'merge_cycle',
        'A customer cannot be merged into itself or into one that was merged into it. Name another one.',
        {
          path: '$.into',
        },
      );
    }
    next = next.into === null ? undefined : view.subject('customer', next.into)?.document;
  }
}

function licensesNamed(view: View, ids: readonly string[]): Current<'license'>[] {
  const licenses: Current<'license'>[] = [];
  for (const id of ids) {
    const license = view.subject('license', id);
    if (license !== undefined) licenses.push(license);
  }
  return licenses;
}

function saysSomethingPersonal({ document, companion }: Current<'license'>): boolean {
  if (document.licensee !== null) return true;
  return companion !== null && (companion.notes !== null || Object.keys(companion.crm).length > 0);
}

function withoutPersonalText(companion: LicenseCompanion | null): LicenseCompanion | null {
  return companion === null ? null : { ...companion, crm: {}, notes: null };
}
