import type { EntitlementType, Grant, ProductDocument } from '../documents.ts';
import { refuse } from './decision.ts';

/** Why a grant does not fit the catalog of its product. */
export interface GrantProblem {
  code: 'entitlement_unknown' | 'entitlement_type';
  message: string;
}

/** Checks one grant against the catalog; null when it fits. */
export function checkGrant(product: ProductDocument, code: string, grant: Grant): GrantProblem | null {
  const type = catalogType(product, code);
  if (type === undefined) {
    return { code: 'entitlement_unknown', message: `the product ${product.code} has no entitlement ${code}` };
  }
  const expected = expectedGrant(type, grant);
  return expected === null ? null : { code: 'entitlement_type', message: `${code} must be ${expected}` };
}

/** Refuses the first grant that does not fit; `path` is that of the map in the command. */
export function checkGrants(product: ProductDocument, grants: Record<string, Grant>, path: string): void {
  for (const [code, grant] of Object.entries(grants)) {
    const problem = checkGrant(product, code, grant);
    if (problem === null) continue;
    refuse(
      problem.code,
      `The grant does not fit: ${problem.message}. Correct it, or change the product's catalog.`,
      {
        path: `${path}.${code}`,
      },
    );
  }
}

/** The type of an entitlement, never one that every object inherits (a code may be `constructor`). */
function catalogType(product: ProductDocument, code: string): EntitlementType | undefined {
  return Object.hasOwn(product.entitlements, code) ? product.entitlements[code] : undefined;
}

/** What the type expects instead of the grant, or null when it fits. */
function expectedGrant(type: EntitlementType, grant: Grant): string | null {
  if (type.type === 'quota') return 'limit' in grant ? null : 'a quota with a limit';
  if ('limit' in grant) return 'a value, not a quota';
  switch (type.type) {
    case 'boolean':
      return typeof grant.value === 'boolean' ? null : 'true or false';
    case 'integer':
      return typeof grant.value === 'number' ? null : 'an integer';
    case 'string':
      if (typeof grant.value !== 'string') return 'text';
      return type.enum === null || type.enum.includes(grant.value) ? null : `one of ${type.enum.join(', ')}`;
  }
}
