/** Verification of a license file, offline: from its bytes to a verdict. */
import {
  bundleLimits,
  IntegrityError,
  type ProvenBundle,
  type ProvenLicense,
  parseDuration,
  utf8,
  verifyBundle,
} from '@tallystick/core';
import {
  type ClockInputs,
  checkAfter,
  failure,
  isInstant,
  isRecordType,
  type JudgeRequest,
  judge,
  type LicenseDocument,
  ModelError,
  type Proven,
  parseDocument,
  readClock,
  type Verdict,
} from '@tallystick/license';
import { ClientMemory } from './memory.ts';
import { openPin, Pin } from './pin.ts';

export interface VerifyOptions extends Omit<JudgeRequest, 'remembered'> {
  /** A pin, or the text of a trust-root file. Open a pin once where many files are verified. */
  trustRoot: Pin | string;
  /** The vendor's namespace, such as `acme`. */
  namespace: string;
  /** What the last verification returned; null for a client that has seen nothing. */
  remembered?: ClientMemory | null;
}

/** What the proofs show, whatever the verdict. */
export interface ProvenFacts {
  licenseId: string;
  /** Until then the license was in this state for certain; milliseconds since 1970. */
  asOf: number;
  /** Entries in the log that the file was proven under. */
  size: number;
  trustVersion: number;
}

export interface Verification {
  verdict: Verdict;
  /** Null where nothing is proven, and where it is proven that the license was never issued. */
  license: LicenseDocument | null;
  /** Null where nothing is proven. */
  proven: ProvenFacts | null;
  /** To be kept for the next verification; what it was before where nothing is proven. */
  remembered: ClientMemory | null;
}

/**
 * Verifies a license file without network or clock. Whatever the file holds, this resolves to a verdict.
 * Rejects with TypeError where the request itself is wrong: a time or an amount that is not a number, a
 * release date that is not an instant, a memory that is not a ClientMemory.
 */
export async function verify(bundle: string | Uint8Array, options: VerifyOptions): Promise<Verification> {
  checkRequest(options);
  const before = options.remembered ?? null;
  try {
    const proven = await prove(bundle, options, before);
    const license = readLicense(proven.license);
    return conclude(proven, license, options, before);
  } catch (error) {
    return { verdict: failureOf(error), license: null, proven: null, remembered: before };
  }
}

function checkRequest(options: VerifyOptions): void {
  const { now, release, need = [], remembered = null } = options;
  readClock(now, 0, clockInputs(options));
  if (release !== undefined && !isInstant(release.date))
    throw new TypeError('release.date must be an instant');
  if (need.some(({ amount }) => amount !== undefined && !(amount >= 0))) {
    throw new TypeError('an amount needed must be at least 0');
  }
  if (remembered !== null && !(remembered instanceof ClientMemory)) {
    throw new TypeError('remembered must be a ClientMemory; read a stored one with ClientMemory.parse');
  }
}

/** Who issued it, what is logged, and that it is the newest: core. */
async function prove(
  bundle: string | Uint8Array,
  { trustRoot, namespace }: VerifyOptions,
  before: ClientMemory | null,
): Promise<ProvenBundle> {
  const pin = trustRoot instanceof Pin ? trustRoot : await openPin(trustRoot);
  return verifyBundle(bytesOf(bundle), { pin: pin.versions, namespace, remembered: before?.core ?? null });
}

function bytesOf(bundle: string | Uint8Array): Uint8Array {
  if (typeof bundle !== 'string') return bundle;
  if (bundle.length > bundleLimits.bytes) throw new IntegrityError('MALFORMED', 'bundle too long');
  return utf8(bundle);
}

/** The document says what its record's type says; throws IntegrityError or ModelError. */
function readLicense(license: ProvenLicense | null): LicenseDocument | null {
  if (license === null) return null;
  const { recordType } = license;
  if (!isRecordType(recordType)) throw new IntegrityError('TOO_NEW', `record of type ${recordType}`);
  const document = parseDocument('license', license.json);
  const problem = checkAfter(recordType, document);
  if (problem !== null) throw new IntegrityError('ALTERED', `${problem.path}: ${problem.message}`);
  return document;
}

function conclude(
  proven: ProvenBundle,
  license: LicenseDocument | null,
  options: VerifyOptions,
  before: ClientMemory | null,
): Verification {
  const asOf = proven.anchor.asOf * 1000;
  const request = { ...options, ...clockInputs(options) };
  return {
    verdict: judge(judgeable(proven, license, asOf), request),
    license,
    proven: {
      licenseId: proven.licenseId,
      asOf,
      size: proven.anchor.size,
      trustVersion: proven.trust.version,
    },
    remembered: ClientMemory.after(before, proven.remembered, asOf),
  };
}

/** Proofs and the model differ in which durations and dates exist: here the one is said in the other's terms. */
function judgeable(proven: ProvenBundle, license: LicenseDocument | null, asOf: number): Proven {
  const { trust, namespace, brake } = proven;
  const keyMs = proven.license?.keyOfflineMaxMs ?? null;
  return {
    license,
    namespace,
    brake,
    asOf,
    keyOfflineMax: keyMs === null ? null : seconds(keyMs),
    trustOfflineMax: seconds(parseDuration(trust.freshness.offlineMax)),
    trustExpires: trust.expires < firstInstant ? firstInstant : trust.expires,
  };
}

const firstInstant = '2000-01-01T00:00:00.000Z';
/** The longest duration of the model, and so longer than any that a license allows: nothing is lost by it. */
const durationSecondsMax = 36_600 * 86_400;

function seconds(ms: number): string {
  return `PT${Math.min(Math.floor(ms / 1000), durationSecondsMax)}S`;
}

/** Every time that was ever verified holds the clock up. */
function clockInputs({ buildTime, runtime, remembered }: VerifyOptions): ClockInputs & {
  remembered: readonly number[];
} {
  const verifiedAt = remembered?.verifiedAt ?? null;
  return {
    remembered: verifiedAt === null ? [] : [verifiedAt],
    ...(buildTime === undefined ? {} : { buildTime }),
    ...(runtime === undefined ? {} : { runtime }),
  };
}

/**
 * A license document is signed, logged and committed to as it stands, so one that breaks the model's rules was
 * not issued by the model. Anything that no rule foresees fails closed, and says that it is a defect.
 */
function failureOf(error: unknown): Verdict {
  if (error instanceof IntegrityError) return failure(error.code, { reason: error.message });
  if (error instanceof ModelError) {
    return failure(
      error.kind === 'too_new' ? 'TOO_NEW' : 'ALTERED',
      { reason: error.message },
      { path: error.path },
    );
  }
  return failure('MALFORMED', { reason: 'unexpected', error: String(error) });
}
