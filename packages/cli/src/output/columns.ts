/** Which columns lists and histories show to people. */
import type {
  CustomerDocument,
  HistoryItem,
  Item,
  LicenseDocument,
  LicenseItem,
  PlanDocument,
  ProductDocument,
  Sold,
} from '@tallystick/contract';
import type { Column } from './table.ts';

type AnyItem = Item | LicenseItem;
type AnyColumn = Column<AnyItem>;

/** A list holds documents of one type, which the route decided. */
const of = <T>(title: string, value: (document: T) => string | number | null): AnyColumn => ({
  title,
  value: ({ document }) => value(document as T),
});

const columns: Readonly<Record<Sold, readonly AnyColumn[]>> = {
  product: [
    of<ProductDocument>('CODE', ({ code }) => code),
    of<ProductDocument>('NAME', ({ name }) => name),
    of<ProductDocument>('STATE', ({ state }) => state),
    of<ProductDocument>('ENTITLEMENTS', ({ entitlements }) => Object.keys(entitlements).length),
    of<ProductDocument>('ID', ({ id }) => id),
  ],
  plan: [
    of<PlanDocument>('CODE', ({ code }) => code),
    of<PlanDocument>('NAME', ({ name }) => name),
    of<PlanDocument>('KIND', ({ kind }) => kind),
    of<PlanDocument>('STATE', ({ state }) => state),
    of<PlanDocument>('TERM', ({ term }) => term.length ?? 'perpetual'),
    of<PlanDocument>('ID', ({ id }) => id),
  ],
  customer: [
    of<CustomerDocument>('REFERENCE', ({ reference }) => reference),
    of<CustomerDocument>('NAME', ({ name }) => name),
    of<CustomerDocument>('COUNTRY', ({ country }) => country),
    of<CustomerDocument>('STATE', ({ state }) => state),
    of<CustomerDocument>('ID', ({ id }) => id),
  ],
  license: [
    of<LicenseDocument>('ID', ({ id }) => id),
    of<LicenseDocument>('PLAN', ({ plan }) => plan.code),
    of<LicenseDocument>('STATE', ({ status }) => status.state),
    of<LicenseDocument>('UNTIL', ({ term }) => shortInstant(term.until) ?? 'perpetual'),
    of<LicenseDocument>('LICENSEE', ({ licensee }) => licensee),
    of<LicenseDocument>('CUSTOMER', ({ customer }) => customer),
  ],
};

export function listColumns(subject: Sold): readonly AnyColumn[] {
  return columns[subject];
}

export const historyColumns: readonly Column<HistoryItem>[] = [
  { title: 'REV', value: ({ rev }) => rev, align: 'right' },
  { title: 'ENTRY', value: ({ index }) => index, align: 'right' },
  { title: 'AT', value: ({ at }) => at },
  { title: 'RECORD', value: ({ recordType }) => recordType },
  { title: 'WHO', value: ({ cause }) => (cause === null ? '(erased)' : (cause.who ?? 'the system')) },
  { title: 'WHY', value: ({ cause }) => cause?.why ?? null },
];

/** The date alone where the time is midnight, UTC. */
export function shortInstant(instant: string | null): string | null {
  return instant === null ? null : instant.replace('T00:00:00.000Z', '');
}
