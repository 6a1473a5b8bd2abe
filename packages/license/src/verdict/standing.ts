/**
 * Good standing: what the vendor says about the license, and what the namespace says about all of them.
 */
import type { BrakeDocument, LicenseDocument, LockLevel, NamespaceDocument } from '../documents.ts';
import { type Finding, finding } from './verdict.ts';

/** Lock levels, loosest first. */
const LOCKS: readonly LockLevel[] = ['open', 'heightened', 'read-only', 'frozen', 'sealed'];

export interface Locks {
  readonly namespace: NamespaceDocument;
  readonly brake: BrakeDocument;
}

/** A brake of an earlier epoch has been released by the authority; any other can only tighten. */
function brakeCounts({ namespace, brake }: Locks): boolean {
  return brake.epoch >= namespace.epoch;
}

function rank(lock: LockLevel): number {
  const position = LOCKS.indexOf(lock);
  return position === -1 ? LOCKS.length : position;
}

/** The stricter of the namespace's lock and the brake's. */
export function effectiveLock(locks: Locks): LockLevel {
  const { namespace, brake } = locks;
  return brakeCounts(locks) && rank(brake.lock) > rank(namespace.lock) ? brake.lock : namespace.lock;
}

/** Licenses of a lower epoch must be confirmed again. */
export function effectiveMinEpoch(locks: Locks): number {
  const { namespace, brake } = locks;
  return brakeCounts(locks) ? Math.max(namespace.minEpoch, brake.minEpoch) : namespace.minEpoch;
}

export function observeStatus({ status }: LicenseDocument): Finding[] {
  if (status.state === 'active') return [];
  const path = 'status.state';
  const { reason, message, since, successor } = status;
  const details = { reason, message, since, successor };
  if (status.state === 'suspended') return [finding('SUSPENDED', { path, details })];
  if (successor === null) return [finding('REVOKED', { path, details })];
  return [finding('REVOKED', { path, details, remedy: 'fetch the license that replaces this one' })];
}

export function observeEpoch(license: LicenseDocument, locks: Locks): Finding[] {
  const minEpoch = effectiveMinEpoch(locks);
  if (license.epoch >= minEpoch) return [];
  return [finding('REVALIDATION_REQUIRED', { path: 'epoch', details: { epoch: license.epoch, minEpoch } })];
}

/** A lock stops changes to licenses, not the licenses: the user only hears why nothing can be changed. */
export function observeLock(locks: Locks): Finding[] {
  const lock = effectiveLock(locks);
  return rank(lock) < rank('read-only') ? [] : [finding('NAMESPACE_LOCKED', { details: { lock } })];
}
