/**
 * Unique names: what a subject can be found by besides its id. Computed from a subject's state, so that
 * what is taken and what is free follows from the log alone.
 */
import type { CredentialKind, Current, LicenseCompanion, TallyDocument } from '@tallystick/license';

/** Turns a license key into what the index may know of it: an HMAC, never the key. */
export type IndexLicenseKey = (licenseKey: string) => string;

export function codeName(type: 'product' | 'plan', code: string): string {
  return `${type}-code:${code}`;
}

export function referenceName(reference: string): string {
  return `reference:${reference}`;
}

export function licenseKeyName(licenseKey: string, indexKey: IndexLicenseKey): string {
  return `license-key:${indexKey(licenseKey)}`;
}

export function credentialName(kind: CredentialKind, lookup: string): string {
  return `credential:${kind}:${lookup}`;
}

/** All names of a subject in this state. */
function namesOf(
  document: TallyDocument,
  companion: LicenseCompanion | null,
  indexKey: IndexLicenseKey,
): string[] {
  switch (document.type) {
    case 'product':
    case 'plan':
      return [codeName(document.type, document.code)];
    case 'customer':
      return document.reference === null ? [] : [referenceName(document.reference)];
    case 'license':
      return companion === null || companion.key === null ? [] : [licenseKeyName(companion.key, indexKey)];
    case 'credential':
      return document.state === 'active' ? [credentialName(document.kind, document.lookup)] : [];
    default:
      return [];
  }
}

/**
 * What a change does to the names: taken by its subject, or null for given up. A name is given up only by the
 * subject that holds it: a successor takes over a license key before its predecessor lets go of it.
 */
export function nameChanges(
  before: Current | undefined,
  after: Current,
  indexKey: IndexLicenseKey,
): Map<string, string | null> {
  const changes = new Map<string, string | null>();
  if (before !== undefined) {
    for (const name of namesOf(before.document, before.companion, indexKey)) changes.set(name, null);
  }
  for (const name of namesOf(after.document, after.companion, indexKey)) changes.set(name, after.document.id);
  return changes;
}
