/** The store in PostgreSQL, apart from the rest: its driver is read by those alone who use it. */
export { HeldLease, LeaseWatch, leaseTimes } from './lease.ts';
export { PostgresStore } from './postgres-store.ts';
