/**
 * The closed registry of verdict codes, in order of precedence.
 *
 * A class is one question, asked in this order: can the file be read (1), is it proven (2), is it the newest
 * word (3), is it about this application (4), was it ever issued (5), is it in good standing (6, 7), what time
 * is it (8, 9, 10), and then what may this build on this device do (11 to 14). Bad standing outranks time:
 * bad news does not go stale. Within a class the order of the table decides.
 */

import type { IntegrityCode } from '@tallystick/core';

/** Integrity: found while proving a bundle, before anything is judged. Each one ends the verification. */
export type FailureCode = IntegrityCode | 'PRODUCT_MISMATCH' | 'NEVER_ISSUED';

/** Judgment: found in a proven license. All of them are collected. */
export type JudgmentCode =
  | 'REVOKED'
  | 'SUSPENDED'
  | 'REVALIDATION_REQUIRED'
  | 'CLOCK_ROLLED_BACK'
  | 'STALE'
  | 'NOT_STARTED'
  | 'NOT_YET_VALID'
  | 'EXPIRED'
  | 'RELEASE_NOT_COVERED'
  | 'NOT_ACTIVATED'
  | 'ACTIVATION_ENDED'
  | 'DEVICE_MISMATCH'
  | 'LEASE_REQUIRED'
  | 'SEATS_EXHAUSTED'
  | 'ENTITLEMENT_MISSING'
  | 'LIMIT_REACHED';

/** Never blocks; says what will happen unless somebody acts. */
export type WarningCode =
  | 'EXPIRES_SOON'
  | 'IN_PAYMENT_GRACE'
  | 'STALE_SOON'
  | 'IN_OFFLINE_GRACE'
  | 'ON_FALLBACK'
  | 'OVER_SEATS'
  | 'LEASE_ENDING'
  | 'NAMESPACE_LOCKED'
  | 'TRUST_EXPIRING';

export type FindingCode = FailureCode | JudgmentCode | WarningCode;
export type VerdictCode = FindingCode | 'VALID';
export type VerdictClass = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;

/** The ladder for applications, mildest rung first. No rung ever loses the user's data. */
export type Severity = 'notify' | 'banner' | 'degrade' | 'read-only' | 'stop';
export const SEVERITIES: readonly Severity[] = ['notify', 'banner', 'degrade', 'read-only', 'stop'];

/** What to do next: a closed set, so that an application can translate it or attach a button to it. */
export type Remedy =
  | 'fetch a fresh license file'
  | 'fetch the license that replaces this one'
  | 'renew'
  | 'activate'
  | 'wait until the license begins'
  | 'contact the vendor'
  | 'update the application'
  | 'use an earlier release or renew'
  | 'correct the clock'
  | 'connect to the license server'
  | 'free a seat or buy more seats'
  | 'buy the missing entitlement';

export interface CodeEntry {
  readonly class: VerdictClass;
  /** Whether the code makes a verdict invalid. */
  readonly blocks: boolean;
  /** The rung of the ladder that the vendor's application should stand on; null for VALID alone. */
  readonly severity: Severity | null;
  /** The rung when a license's own terms turn this blocking code into a warning; null where none can. */
  readonly asWarning: Severity | null;
  /** One plain sentence for the user of the application. */
  readonly message: string;
  /** Null where nothing needs doing. */
  readonly remedy: Remedy | null;
}

function blocking(
  at: VerdictClass,
  severity: Severity,
  message: string,
  remedy: Remedy,
  asWarning: Severity | null = null,
): CodeEntry {
  return { class: at, blocks: true, severity, asWarning, message, remedy };
}

function warning(severity: Severity, message: string, remedy: Remedy | null): CodeEntry {
  return { class: 15, blocks: false, severity, asWarning: null, message, remedy };
}

const FETCH = 'fetch a fresh license file';
const VENDOR = 'contact the vendor';
const UPDATE = 'update the application';

/** The registry. The order of its members is the order of precedence. */
export const VERDICT_CODES: Readonly<Record<VerdictCode, CodeEntry>> = {
  MALFORMED: blocking(1, 'stop', 'The license file is damaged or is not a license file.', FETCH),
  TOO_NEW: blocking(1, 'stop', 'The license file needs a newer version of this application.', UPDATE),

  TRUST_INVALID: blocking(
    2,
    'stop',
    'The license file does not continue the trust built into this application.',
    VENDOR,
  ),
  TRUST_OUTDATED: blocking(
    2,
    'stop',
    'This application does not yet know the keys that the license file relies on.',
    UPDATE,
  ),
  LOG_SIGNATURE_INVALID: blocking(
    2,
    'stop',
    'The license log did not sign what this license file says.',
    VENDOR,
  ),
  QUORUM_UNMET: blocking(2, 'stop', 'Too few independent witnesses have confirmed this license file.', FETCH),
  NOT_LOGGED: blocking(2, 'stop', 'The license is not recorded in the license log.', VENDOR),
  NOT_CURRENT: blocking(2, 'stop', 'The license file does not show the newest state of the license.', FETCH),
  ALTERED: blocking(2, 'stop', 'The license file has been changed after it was issued.', FETCH),
  KEY_NOT_VALID: blocking(
    2,
    'stop',
    'The license was signed with a key that was not entitled to sign it.',
    VENDOR,
  ),

  ROLLED_BACK: blocking(3, 'stop', 'The license log shows less than it has shown before.', VENDOR),
  FORKED: blocking(3, 'stop', 'The license log shows two different histories.', VENDOR),
  SUPERSEDED: blocking(3, 'stop', 'A newer state of this license is already known on this device.', FETCH),

  NAMESPACE_MISMATCH: blocking(
    4,
    'stop',
    'The license was issued by a different vendor or environment.',
    VENDOR,
  ),
  PRODUCT_MISMATCH: blocking(4, 'stop', 'The license is for a different product.', VENDOR),

  NEVER_ISSUED: blocking(5, 'stop', 'No such license has ever been issued.', VENDOR),

  REVOKED: blocking(6, 'stop', 'The license has been revoked.', VENDOR),
  SUSPENDED: blocking(6, 'read-only', 'The license is suspended.', VENDOR),

  REVALIDATION_REQUIRED: blocking(
    7,
    'read-only',
    'The vendor asks for every license to be confirmed again.',
    FETCH,
  ),

  CLOCK_ROLLED_BACK: blocking(
    8,
    'read-only',
    'The clock of this device is behind a time that has already passed.',
    'correct the clock',
    'banner',
  ),

  STALE: blocking(9, 'read-only', 'The license file is too old to rely on.', FETCH),

  NOT_STARTED: blocking(10, 'stop', 'The license begins with its first activation.', 'activate'),
  NOT_YET_VALID: blocking(10, 'stop', 'The license has not begun yet.', 'wait until the license begins'),
  EXPIRED: blocking(10, 'read-only', 'The license has expired.', 'renew'),

  RELEASE_NOT_COVERED: blocking(
    11,
    'read-only',
    'The license does not cover this release of the application.',
    'use an earlier release or renew',
  ),

  NOT_ACTIVATED: blocking(12, 'stop', 'The license is not activated on this device.', 'activate'),
  ACTIVATION_ENDED: blocking(12, 'read-only', 'The activation of this device has ended.', 'activate'),
  DEVICE_MISMATCH: blocking(12, 'read-only', 'The license is activated for a different device.', 'activate'),

  LEASE_REQUIRED: blocking(
    13,
    'read-only',
    'The license needs a seat, and this device holds none.',
    'connect to the license server',
  ),
  SEATS_EXHAUSTED: blocking(
    13,
    'read-only',
    'All seats of the license are in use.',
    'free a seat or buy more seats',
  ),

  ENTITLEMENT_MISSING: blocking(
    14,
    'degrade',
    'The license does not include this.',
    'buy the missing entitlement',
  ),
  LIMIT_REACHED: blocking(
    14,
    'degrade',
    'A limit of the license has been reached.',
    'buy the missing entitlement',
    'banner',
  ),

  VALID: {
    class: 15,
    blocks: false,
    severity: null,
    asWarning: null,
    message: 'The license is valid.',
    remedy: null,
  },
  EXPIRES_SOON: warning('notify', 'The license expires soon.', 'renew'),
  IN_PAYMENT_GRACE: warning('banner', 'The license has expired and runs for a short time of grace.', 'renew'),
  STALE_SOON: warning('notify', 'The license file will soon be too old to rely on.', FETCH),
  IN_OFFLINE_GRACE: warning(
    'banner',
    'The license file is too old and runs for a short time of grace.',
    FETCH,
  ),
  ON_FALLBACK: warning('notify', 'The license has expired; this release keeps running.', 'renew'),
  OVER_SEATS: warning(
    'banner',
    'More seats are in use than the license includes.',
    'free a seat or buy more seats',
  ),
  LEASE_ENDING: warning('notify', 'The seat held by this device ends soon.', 'connect to the license server'),
  NAMESPACE_LOCKED: warning('notify', 'The vendor has locked changes to licenses for now.', null),
  TRUST_EXPIRING: warning('notify', 'The trust built into this application must be renewed soon.', UPDATE),
};

const ORDER = new Map(Object.keys(VERDICT_CODES).map((code, position) => [code, position]));

/** Position of a code in the order of precedence, 0 first. */
export function precedence(code: VerdictCode): number {
  return ORDER.get(code) ?? ORDER.size;
}
