/** What of a revision follows from its content alone; without the ledger, for threads that check a store. */
export { requestKeyOf } from './content.ts';
export { licenseKeyName, nameChanges } from './names.ts';
export { rowFor } from './projections/rows.ts';
export { isUnknownSubject } from './unknown-subject.ts';
