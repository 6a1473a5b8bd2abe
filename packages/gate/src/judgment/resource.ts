/** What a request is about, in the terms of policies. */

import type { TallyDocument } from '@tallystick/license';
import type { ResourceType } from '../policy/input.ts';

/** What a decision sees of a resource: what it is like, and not which one it is. */
export interface Resource {
  type: ResourceType;
  /** The product that it is or belongs to; null where it belongs to none. */
  product: { id: string; code: string } | null;
  state: string | null;
  purpose: string | null;
  /** The principal whose it is: itself, its credential, its session, its request. */
  owner: string | null;
}

/** A resource that belongs to nobody and has no state. */
export function bareResource(type: ResourceType): Resource {
  return { type, product: null, state: null, purpose: null, owner: null };
}

const types: { [T in TallyDocument['type']]: ResourceType } = {
  namespace: 'Namespace',
  brake: 'Brake',
  product: 'Product',
  plan: 'Plan',
  customer: 'Customer',
  license: 'License',
  principal: 'Principal',
  credential: 'Credential',
  policy: 'Policy',
  approval: 'Approval',
};

/** @param productCode names the product of a plan */
export function resourceOf(
  document: TallyDocument,
  productCode: (id: string) => string | undefined,
): Resource {
  const bare = bareResource(types[document.type]);
  switch (document.type) {
    case 'license': {
      const { product, status, purpose } = document;
      return { ...bare, product, state: status.state, purpose };
    }
    case 'plan': {
      const { product: id, state, purpose } = document;
      return { ...bare, product: { id, code: productCode(id) ?? id }, state, purpose };
    }
    case 'product':
      return { ...bare, product: { id: document.id, code: document.code }, state: document.state };
    case 'customer':
      return { ...bare, state: document.state };
    case 'principal':
      return { ...bare, state: document.state, owner: document.id };
    case 'credential':
      return { ...bare, state: document.state, owner: document.principal };
    case 'approval':
      return { ...bare, state: document.state, owner: document.author.principal };
    default:
      return bare;
  }
}
