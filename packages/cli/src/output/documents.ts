/** One document for people. Products, plans and customers are shown as they are; licenses are told. */
import type {
  CompanionView,
  CredentialItem,
  Entitlement,
  Grant,
  Item,
  LicenseDocument,
  LicenseItem,
} from '@tallystick/contract';
import { shortInstant } from './columns.ts';
import type { Printer } from './printer.ts';
import { properties } from './table.ts';

export type Row = readonly [string, string | number | null];

export function describeItem(item: Item | LicenseItem | CredentialItem, print: Printer): string[] {
  const { document, rev, index, at } = item;
  const companion = 'companion' in item ? (item.companion ?? null) : null;
  const body: readonly Row[] =
    document.type === 'license'
      ? [...licenseRows(document), ...companionRows(companion)]
      : [...memberRows(document), ...('lastUse' in item ? [lastUseRow(item)] : [])];
  return [
    print.style('bold', `${document.type} ${document.id}`),
    ...properties([['revision', `${rev}, entry ${index} of the log, ${at}`], ...body]),
  ];
}

function lastUseRow({ lastUse = null }: CredentialItem): Row {
  return ['last use', lastUse === null ? 'never at this server' : `${lastUse.at} from ${lastUse.address}`];
}

const headMembers: ReadonlySet<string> = new Set(['v', 'type', 'ns', 'id', 'rev', 'crit', 'private']);

/** Every member, with those of inner objects under their path. */
export function memberRows(document: object, path: string = ''): Row[] {
  return Object.entries(document).flatMap(([name, value]: [string, unknown]): Row[] => {
    if (path === '' && headMembers.has(name)) return [];
    const at = path === '' ? name : `${path}.${name}`;
    if (value === null) return [];
    if (isGrant(value)) return [[at, describeGrant(value)]];
    if (typeof value !== 'object') return [[at, typeof value === 'string' ? value : JSON.stringify(value)]];
    if (Array.isArray(value)) return value.length === 0 ? [] : [[at, value.map(memberText).join(', ')]];
    return memberRows(value, at);
  });
}

function memberText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isGrant(value: unknown): value is Grant {
  return (
    typeof value === 'object' && value !== null && ('value' in value || ('limit' in value && 'over' in value))
  );
}

export function licenseRows(document: LicenseDocument): Row[] {
  const { product, plan, status, term, updates, seats, entitlements, metadata, addons } = document;
  return [
    ['state', [status.state, status.reason].filter((part) => part !== null).join(', ')],
    ['message', status.message],
    ['replaced by', status.successor],
    ['product', product.code],
    ['plan', `${plan.code} (${plan.name}, revision ${plan.rev})`],
    ...addons.map(({ code, quantity, until }): Row => ['add-on', `${code} × ${quantity}${untilText(until)}`]),
    ['licensee', document.licensee],
    ['customer', document.customer],
    ['purpose', document.purpose],
    ['from', shortInstant(term.from) ?? 'first activation'],
    ['until', shortInstant(term.until) ?? 'perpetual'],
    ['updates until', shortInstant(updates.until)],
    ['seats', seats.model === 'none' ? null : `${seats.max ?? 'any number of'} (${seats.model})`],
    ...Object.entries(entitlements).map(
      ([code, entitlement]): Row => [code, describeEntitlement(entitlement)],
    ),
    ...Object.entries(metadata).map(([name, value]): Row => [`metadata.${name}`, value]),
  ];
}

function companionRows(companion: CompanionView | null): Row[] {
  if (companion === null) return [];
  const { keyHint, order, price, currency, reseller, crm, notes } = companion;
  return [
    ['license key', keyHint === null ? null : `…${keyHint}`],
    ['order', order],
    ['price', price === null ? null : `${price} minor units${currency === null ? '' : ` of ${currency}`}`],
    ['reseller', reseller],
    ...Object.entries(crm).map(([name, value]): Row => [`crm.${name}`, value]),
    ['notes', notes],
  ];
}

function describeEntitlement(entitlement: Entitlement): string {
  const via = entitlement.via === 'plan' ? '' : ` (by ${entitlement.via})`;
  return `${describeGrant(entitlement)}${untilText(entitlement.until)}${via}`;
}

function describeGrant(grant: Grant): string {
  if ('value' in grant) return String(grant.value);
  return `${grant.limit}${grant.per === null ? '' : ` per ${grant.per}`}, then ${grant.over}`;
}

function untilText(until: string | null): string {
  return until === null ? '' : ` until ${shortInstant(until)}`;
}
