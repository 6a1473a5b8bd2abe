import type { Change } from '../change.ts';
import type { PlanCreate, PlanRetire, PlanTermsInput, PlanUpdate } from '../commands.ts';
import type { PlanDocument, PlanSeats, ProductDocument } from '../documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { checkGrants } from './grants.ts';
import { sortedByName } from './sorted.ts';
import { checkNotId, findProduct, firstChange, nextChange, productById, targetPlan } from './subjects.ts';

type PlanTerms = Pick<PlanDocument, keyof PlanTermsInput>;

/** What a plan says where its creator says nothing: perpetual, without seats, checked every 30 days. */
const DEFAULT_TERMS: PlanTerms = {
  purpose: 'production',
  term: { length: null, grace: 'P0D', basis: 'issue' },
  updates: { length: null, fallback: false, maxMajor: null },
  seats: {
    model: 'none',
    max: null,
    over: 0,
    bind: [],
    need: null,
    lease: null,
    borrowMax: null,
    rehost: null,
  },
  entitlements: {},
  offline: { maxAge: 'P30D', grace: 'P7D', clock: 'tolerant' },
  trial: null,
  metadata: {},
};

export function createPlan(view: View, command: PlanCreate, env: Environment): Change[] {
  const product = productToExtend(view, command.product);
  checkNotId(command.code, '$.code');
  if (view.idByCode('plan', command.code) !== undefined) {
    refuse('code_taken', `There is a plan with the code ${command.code} already. Choose another code.`, {
      path: '$.code',
    });
  }
  const terms = mergeTerms(DEFAULT_TERMS, command);
  checkTerms(product, terms);
  const document: PlanDocument = {
    v: 1,
    type: 'plan',
    ns: env.ns,
    id: env.newId('pln'),
    rev: 0,
    crit: [],
    product: product.id,
    code: command.code,
    name: command.name,
    kind: command.kind ?? 'base',
    state: 'active',
    purpose: terms.purpose,
    term: terms.term,
    updates: terms.updates,
    seats: terms.seats,
    entitlements: terms.entitlements,
    offline: terms.offline,
    trial: terms.trial,
    metadata: terms.metadata,
    private: null,
  };
  return [firstChange('plan.created', document)];
}

export function updatePlan(view: View, command: PlanUpdate): Change[] {
  const current = targetPlan(view, command);
  const plan = current.document;
  checkActive(plan);
  const terms = mergeTerms(plan, command);
  checkTerms(productById(view, plan.product), terms);
  return [nextChange('plan.updated', current, { name: command.name ?? plan.name, ...terms })];
}

export function retirePlan(view: View, command: PlanRetire): Change[] {
  const current = targetPlan(view, command);
  checkActive(current.document);
  return [nextChange('plan.retired', current, { state: 'retired' })];
}

function productToExtend(view: View, named: string): ProductDocument {
  const product = findProduct(view, named)?.document;
  if (product === undefined) {
    return refuse('subject_unknown', `There is no product ${named}. Create it first, or correct the code.`, {
      path: '$.product',
    });
  }
  if (product.state === 'active') return product;
  return refuse('state_forbids', `The product ${product.code} is retired. Choose another product.`, {
    path: '$.product',
  });
}

function checkActive(plan: PlanDocument): void {
  if (plan.state === 'active') return;
  refuse('state_forbids', `The plan ${plan.code} is retired, which is final. Create another plan.`, {
    path: '$.plan',
  });
}

function mergeTerms(before: PlanTerms, input: PlanTermsInput): PlanTerms {
  return {
    purpose: input.purpose ?? before.purpose,
    term: { ...before.term, ...input.term },
    updates: { ...before.updates, ...input.updates },
    seats: { ...before.seats, ...input.seats },
    entitlements: sortedByName(input.entitlements ?? before.entitlements),
    offline: { ...before.offline, ...input.offline },
    trial: input.trial === undefined ? before.trial : input.trial,
    metadata: sortedByName(input.metadata ?? before.metadata),
  };
}

function checkTerms(product: ProductDocument, terms: PlanTerms): void {
  checkGrants(product, terms.entitlements, '$.entitlements');
  checkSeats(terms.seats);
  if (terms.trial !== null && terms.purpose !== 'trial') {
    refuse(
      'input_invalid',
      '$.trial: only a plan with the purpose trial can be a trial. Set its purpose too.',
      {
        path: '$.trial',
      },
    );
  }
}

function checkSeats(seats: PlanSeats): void {
  if (new Set(seats.bind).size !== seats.bind.length) {
    refuse('input_invalid', '$.seats.bind: must not name a binding twice. Remove one.', {
      path: '$.seats.bind',
    });
  }
  if (seats.bind.includes('components') !== (seats.need !== null)) {
    const message =
      'seats.need goes with binding to components, and with nothing else. Say how many have to match, or leave it out.';
    refuse('input_invalid', message, { path: '$.seats.need' });
  }
}
