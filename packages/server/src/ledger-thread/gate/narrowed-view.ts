/** The state as somebody sees it who may do something for some products alone. */
import type { Identity } from '@tallystick/gate';
import { compareInstants, type TallyDocument, type View } from '@tallystick/license';

/** Ids of the products that a caller may do anything for; null for all of them. */
export function productsOf({ principal, credential }: Identity, at: string): ReadonlySet<string> | null {
  const held = principal.roles.filter(({ until }) => until === null || compareInstants(at, until) < 0);
  const scope = credential.scope.products;
  if (held.some(({ products }) => products === null)) return scope && new Set(scope);
  const given = new Set(held.flatMap(({ products }) => products ?? []));
  return scope === null ? given : new Set(scope.filter((product) => given.has(product)));
}

/**
 * What is of other products is not there, so that a refusal says the same of it as of what does not exist. Names stay
 * taken: codes are unique over all products.
 */
export function narrowedView(view: View, products: ReadonlySet<string>): View {
  return {
    subject: (type, id) => {
      const found = view.subject(type, id);
      return found === undefined || isOf(found.document, products) ? found : undefined;
    },
    idByCode: (type, code) => view.idByCode(type, code),
    idByReference: (reference) => view.idByReference(reference),
    idByLicenseKey: (key) => view.idByLicenseKey(key),
    licensesOfCustomer: (id) => view.licensesOfCustomer(id),
    plansOfProduct: (id) => view.plansOfProduct(id),
    idByCredential: (kind, lookup) => view.idByCredential(kind, lookup),
    principals: () => view.principals(),
    approvals: () => view.approvals(),
  };
}

function isOf(document: TallyDocument, products: ReadonlySet<string>): boolean {
  switch (document.type) {
    case 'product':
      return products.has(document.id);
    case 'plan':
      return products.has(document.product);
    case 'license':
      return products.has(document.product.id);
    default:
      return true;
  }
}
