/** Runs one case of bundle verification; needs neither Node nor a key. */
import {
  base64,
  decodeBase64,
  IntegrityError,
  type ProvenBundle,
  utf8,
  verifyBundle,
  verifyTrustChain,
} from '../../src/index.ts';
import type { BundleCase, ValidBundle } from './bundle-case.ts';

export async function runCase(
  vector: BundleCase,
  bytes: Uint8Array = utf8(vector.bundle),
): Promise<BundleCase['expect']> {
  const pin = await verifyTrustChain(vector.pin.map((envelope) => decodeBase64(envelope)));
  const { namespace, remembered } = vector;
  try {
    return { valid: summary(await verifyBundle(bytes, { pin, namespace, remembered })) };
  } catch (error) {
    if (error instanceof IntegrityError) return { code: error.code };
    throw error;
  }
}

function summary(proven: ProvenBundle): ValidBundle {
  const { license, anchor } = proven;
  return {
    licenseId: proven.licenseId,
    document: license && base64(license.document),
    recordType: license?.recordType ?? null,
    keyOfflineMaxMs: license?.keyOfflineMaxMs ?? null,
    size: anchor.size,
    root: base64(anchor.root),
    asOf: anchor.asOf,
    trustVersion: proven.trust.version,
    remembered: proven.remembered,
  };
}
