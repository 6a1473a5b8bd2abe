/** Which columns lists and histories show to people. */
import type {
  ApprovalDocument,
  CredentialDocument,
  CredentialItem,
  CustomerDocument,
  HistoryItem,
  Item,
  LicenseDocument,
  LicenseItem,
  Listed,
  PlanDocument,
  PrincipalDocument,
  ProductDocument,
} from '@tallystick/contract';
import type { Column } from './table.ts';

type AnyItem = Item | LicenseItem | CredentialItem;
type AnyColumn = Column<AnyItem>;

/** A list holds documents of one type, which the route decided. */
const of = <T>(title: string, value: (document: T) => string | number | null): AnyColumn => ({
  title,
  value: ({ document }) => value(document as T),
});

const columns: Readonly<Record<Listed, readonly AnyColumn[]>> = {
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
  principal: [
    of<PrincipalDocument>('ID', ({ id }) => id),
    of<PrincipalDocument>('KIND', ({ kind }) => kind),
    of<PrincipalDocument>('NAME', ({ name }) => name),
    of<PrincipalDocument>('STATE', ({ state }) => state),
    of<PrincipalDocument>('ROLES', ({ roles }) => roles.map(({ role }) => role).join(', ')),
  ],
  credential: [
    of<CredentialDocument>('ID', ({ id }) => id),
    of<CredentialDocument>('PRINCIPAL', ({ principal }) => principal),
    of<CredentialDocument>('KIND', ({ kind }) => kind),
    of<CredentialDocument>('NAME', ({ name }) => name),
    of<CredentialDocument>('STATE', ({ state }) => state),
    of<CredentialDocument>('ENDS', ({ notAfter }) => shortInstant(notAfter)),
    { title: 'LAST USE', value: (item) => lastUseText(item) },
  ],
  approval: [
    of<ApprovalDocument>('ID', ({ id }) => id),
    of<ApprovalDocument>('COMMAND', ({ command }) => String(command['type'])),
    of<ApprovalDocument>('STATE', ({ state }) => state),
    of<ApprovalDocument>('AUTHOR', ({ author }) => author.principal),
    of<ApprovalDocument>('UNTIL', ({ notAfter }) => notAfter),
    of<ApprovalDocument>('WHY', ({ why }) => why),
  ],
};

function lastUseText(item: AnyItem): string | null {
  const use = 'lastUse' in item ? (item.lastUse ?? null) : null;
  return use === null ? 'never' : `${use.at} ${use.address}`;
}

export function listColumns(subject: Listed): readonly AnyColumn[] {
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
