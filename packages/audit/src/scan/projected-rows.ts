/**
 * What one revision puts into the projections, as rows to be summed. At the end of the log the sum over all revisions,
 * less that over all that a later one replaced, is the sum over the rows that the projections must hold.
 */
import { licenseKeyName, nameChanges, rowFor } from '@tallystick/ledger/derive';
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
  if (row === null) return;
  if ('plan' in row) {
    sum[sign]('licenses', [row.id, row.customer, row.plan, row.product, row.state, row.until]);
  } else if ('code' in row) {
    sum[sign]('catalog', [row.id, document.type, row.code, row.product, row.state]);
  } else {
    sum[sign]('customers', [row.id, row.reference, row.state]);
  }
}

/** A name of a subject; that of a license key is left to whoever can index it. */
export type Name = string | { licenseKey: string };

export function namesIn(revision: Revision): Name[] {
  const current: Current = { ...revision, rev: revision.document.rev, index: 0 };
  const keys = new Map<string, Name>();
  const unindexed = (licenseKey: string): string => {
    keys.set(
      licenseKeyName(licenseKey, () => licenseKey),
      { licenseKey },
    );
    return licenseKey;
  };
  const names = [...nameChanges(undefined, current, unindexed).keys()];
  return names.map((name) => keys.get(name) ?? name);
}

/** Adds or subtracts the rows of a revision's names. `onKey` is told of those that the caller has to add or subtract. */
export function mixNameRows(
  sum: RowSum,
  sign: 'add' | 'subtract',
  revision: Revision,
  onKey: (name: KeyedName) => void,
): void {
  const { id } = revision.document;
  for (const name of namesIn(revision)) {
    if (typeof name === 'string') sum[sign]('names', [name, id]);
    else onKey({ ...name, id });
  }
}
