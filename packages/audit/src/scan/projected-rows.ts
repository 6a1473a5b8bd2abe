/**
 * What one revision puts into the projections, as rows to be summed. At the end of the log the sum over all revisions,
 * less that over all that a later one replaced, is the sum over the rows that the projections must hold.
 */
import { type IndexLicenseKey, nameChanges, rowFor } from '@tallystick/ledger';
import type { Current, LicenseCompanion, TallyDocument } from '@tallystick/license';
import type { RowSum } from './row-sum.ts';

/** A license key whose name only the main thread can make: it has the secret that keys are indexed with. */
export interface KeyedName {
  licenseKey: string;
  /** Subject id. */
  id: string;
}

export interface Revision {
  document: TallyDocument;
  companion: LicenseCompanion | null;
}

/** The row of a record in `revisions`, which also an erased one has. */
export function addRevisionRow(sum: RowSum, id: string, rev: number, index: number): void {
  sum.add('revisions', [id, rev, index]);
}

export function addRequestRow(sum: RowSum, key: string, index: number): void {
  sum.add('requests', [key, index]);
}

/** Adds or subtracts the rows that a subject has while this revision is its newest. */
export function mixStateRows(sum: RowSum, sign: 'add' | 'subtract', revision: Revision): void {
  const { document } = revision;
  const row = rowFor(document);
  if (row !== null) {
    if ('plan' in row) {
      sum[sign]('licenses', [row.id, row.customer, row.plan, row.product, row.state, row.until]);
    } else if ('code' in row) {
      sum[sign]('catalog', [row.id, document.type, row.code, row.product, row.state]);
    } else {
      sum[sign]('customers', [row.id, row.reference, row.state]);
    }
  }
}

/** The names of a revision; for license keys, `indexKey` says what they are indexed as. */
export function namesOf(revision: Revision, indexKey: IndexLicenseKey): string[] {
  const current: Current = { ...revision, rev: revision.document.rev, index: 0 };
  return [...nameChanges(undefined, current, indexKey).keys()];
}

/**
 * Adds or subtracts the rows of a revision's names. The name of a license key is left to the caller, who is told.
 */
export function mixNameRows(
  sum: RowSum,
  sign: 'add' | 'subtract',
  revision: Revision,
  onKey: (name: KeyedName) => void,
): void {
  const { document, companion } = revision;
  if (document.type === 'license') {
    // Licenses have no other names.
    if (companion?.key != null) onKey({ licenseKey: companion.key, id: document.id });
    return;
  }
  for (const name of namesOf(revision, (key) => key)) sum[sign]('names', [name, document.id]);
}
