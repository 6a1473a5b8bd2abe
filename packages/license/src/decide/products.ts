import type { Change } from '../change.ts';
import type { EntitlementTypeInput, ProductCreate, ProductRetire, ProductUpdate } from '../commands.ts';
import type { EntitlementType, PlanDocument, ProductDocument } from '../documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { checkGrant } from './grants.ts';
import { sortedByName } from './sorted.ts';
import { checkNotId, firstChange, nextChange, targetProduct } from './subjects.ts';

export function createProduct(view: View, command: ProductCreate, env: Environment): Change[] {
  checkNotId(command.code, '$.code');
  if (view.idByCode('product', command.code) !== undefined) {
    refuse('code_taken', `There is a product with the code ${command.code} already. Choose another code.`, {
      path: '$.code',
    });
  }
  const entitlements = catalogOf(command.entitlements ?? {});
  const document: ProductDocument = {
    v: 1,
    type: 'product',
    ns: env.ns,
    id: env.newId('prd'),
    rev: 0,
    crit: [],
    code: command.code,
    name: command.name,
    state: 'active',
    entitlements,
    metadata: sortedByName(command.metadata ?? {}),
    private: null,
  };
  return [firstChange('product.created', document)];
}

export function updateProduct(view: View, command: ProductUpdate): Change[] {
  const current = targetProduct(view, command);
  checkActive(current.document);
  const members: Partial<ProductDocument> = {};
  if (command.name !== undefined) members.name = command.name;
  if (command.metadata !== undefined) members.metadata = sortedByName(command.metadata);
  if (command.entitlements !== undefined) {
    members.entitlements = catalogOf(command.entitlements);
    checkPlansStillFit(view, { ...current.document, entitlements: members.entitlements });
  }
  return [nextChange('product.updated', current, members)];
}

export function retireProduct(view: View, command: ProductRetire): Change[] {
  const current = targetProduct(view, command);
  checkActive(current.document);
  const plan = activePlans(view, current.document.id)[0];
  if (plan !== undefined) {
    refuse('in_use', `The plan ${plan.code} of this product is still active. Retire its plans first.`, {
      path: '$.product',
      details: { plan: plan.id },
    });
  }
  return [nextChange('product.retired', current, { state: 'retired' })];
}

function checkActive(product: ProductDocument): void {
  if (product.state === 'active') return;
  refuse('state_forbids', `The product ${product.code} is retired, which is final. Create another product.`, {
    path: '$.product',
  });
}

/** Every active plan must still be sellable under a changed catalog. */
function checkPlansStillFit(view: View, product: ProductDocument): void {
  for (const plan of activePlans(view, product.id)) {
    for (const [code, grant] of Object.entries(plan.entitlements)) {
      const problem = checkGrant(product, code, grant);
      if (problem === null) continue;
      const message = `The active plan ${plan.code} grants ${code}, which would no longer fit: ${problem.message}.`;
      refuse('in_use', `${message} Change or retire the plan first.`, {
        path: '$.entitlements',
        details: { plan: plan.id, entitlement: code },
      });
    }
  }
}

function activePlans(view: View, productId: string): PlanDocument[] {
  const plans: PlanDocument[] = [];
  for (const id of view.plansOfProduct(productId)) {
    const plan = view.subject('plan', id)?.document;
    if (plan?.state === 'active') plans.push(plan);
  }
  return plans;
}

function catalogOf(input: Record<string, EntitlementTypeInput>): Record<string, EntitlementType> {
  const catalog: Record<string, EntitlementType> = {};
  for (const [code, entry] of Object.entries(input))
    catalog[code] = catalogEntry(entry, `$.entitlements.${code}`);
  return sortedByName(catalog);
}

function catalogEntry(entry: EntitlementTypeInput, path: string): EntitlementType {
  const { type, name = null, unit = null } = entry;
  if (entry.enum !== undefined && type !== 'string') {
    refuse('input_invalid', `${path}.enum: only a string has choices. Leave it out.`, {
      path: `${path}.enum`,
    });
  }
  if (entry.unit !== undefined && type !== 'integer' && type !== 'quota') {
    refuse('input_invalid', `${path}.unit: only integers and quotas have a unit. Leave it out.`, {
      path: `${path}.unit`,
    });
  }
  if (type === 'string') return { type, name, enum: entry.enum ?? null };
  return type === 'boolean' ? { type, name } : { type, name, unit };
}
