/** What the projections write of documents. */
import type { ApprovalDocument, TallyDocument } from '@tallystick/license';
import type { CatalogRow, CustomerRow, LicenseRow, ProjectedRevision, RevisionRows } from './projections.ts';

/** What is written of a revision. */
export function revisionRows({
  index,
  id,
  rev,
  dropsNames,
  names,
  document,
}: ProjectedRevision): RevisionRows {
  const row = document === null ? null : rowFor(document);
  return {
    index,
    id,
    rev,
    dropsNames: dropsNames === true,
    names: [...names],
    row: document === null || row === null ? null : { type: document.type, ...row },
  };
}

/** The row that a document should have. */
export function rowFor(document: TallyDocument): LicenseRow | CustomerRow | CatalogRow | null {
  const { id } = document;
  switch (document.type) {
    case 'license': {
      const { customer, plan, product, status, term } = document;
      return { id, customer, plan: plan.id, product: product.id, state: status.state, until: term.until };
    }
    case 'customer':
      return { id, reference: document.reference, state: document.state };
    case 'plan':
      return { id, code: document.code, product: document.product, state: document.state };
    case 'product':
      return { id, code: document.code, product: null, state: document.state };
    case 'principal':
      return { id, code: document.kind, product: null, state: document.state };
    case 'credential':
      return { id, code: document.kind, product: document.principal, state: document.state };
    case 'approval':
      return { id, code: typeOfCommand(document), product: document.author.principal, state: document.state };
    default:
      return null;
  }
}

function typeOfCommand({ command }: ApprovalDocument): string {
  return String(command['type']);
}
