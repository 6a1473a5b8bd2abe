/**
 * The file that holds every version of a trust root, and the one that a rehearsal writes in its place:
 *
 *     {"rehearsal":1,"versions":["<base64 of an envelope>"…]}
 *
 * Nothing but a rehearsal reads that: its members have other names, and its envelopes another type.
 */
import {
  base64,
  decodeBase64,
  encodeEnvelope,
  equalBytes,
  formatTrustRootFile,
  IntegrityError,
  parseEnvelope,
  parseTrustRoot,
  parseTrustRootFile,
  payloadTypes,
  type TrustRoot,
  verifyTrustChain,
  verifyTrustStep,
} from '@tallystick/core';
import { messageOf } from '../errors.ts';
import { payloadTypeOf } from './proposal.ts';
import { altered, refusal } from './refusal.ts';

export interface Chain {
  rehearsal: boolean;
  envelopes: Uint8Array[];
  /** Version 1 first, each verified to follow from the one before. */
  versions: TrustRoot[];
}

export function newestOf(chain: Chain): TrustRoot {
  const newest = chain.versions.at(-1);
  if (newest === undefined) throw new Error('a verified chain is never empty');
  return newest;
}

export function formatChain(rehearsal: boolean, envelopes: readonly Uint8Array[]): string {
  if (!rehearsal) return formatTrustRootFile(envelopes);
  return `${JSON.stringify({ rehearsal: 1, versions: envelopes.map(base64) })}\n`;
}

/** Reads and verifies a chain; throws an integrity error where a version does not follow. `path` is for messages. */
export async function parseChain(text: string, path: string): Promise<Chain> {
  try {
    const { rehearsal, envelopes } = parseFile(text);
    const versions = rehearsal ? await verifyRehearsal(envelopes) : await verifyTrustChain(envelopes);
    return { rehearsal, envelopes, versions };
  } catch (error) {
    throw altered(
      `${path} is no valid trust root: ${messageOf(error)}.`,
      'Get the trust root again, in a way that you trust.',
    );
  }
}

/** Throws where `chain` is older than what `known` says, or another history. */
export function checkContinues(known: Chain, chain: Chain): void {
  const fork = known.versions.findIndex((version, at) => {
    const other = chain.versions[at];
    return other !== undefined && !equalBytes(version.hash, other.hash);
  });
  if (fork >= 0) {
    throw altered(
      `Version ${fork + 1} is another one than the version ${fork + 1} that is known.`,
      'Take neither for true before it is clear how there came to be two.',
    );
  }
  if (chain.versions.length < known.versions.length) {
    throw refusal(
      `It ends at version ${chain.versions.length}, and version ${known.versions.length} is known: an older trust root.`,
      'Use the newer one.',
    );
  }
}

function parseFile(text: string): { rehearsal: boolean; envelopes: Uint8Array[] } {
  const { rehearsal, versions } = JSON.parse(text) as Record<'rehearsal' | 'versions', unknown>;
  if (rehearsal !== 1) return { rehearsal: false, envelopes: parseTrustRootFile(text) };
  if (!Array.isArray(versions)) throw new Error('it is not the result of a rehearsal');
  return { rehearsal: true, envelopes: versions.map((each) => decodeBase64(String(each))) };
}

/** As `verifyTrustChain`, for versions of which some exist only in a rehearsal. */
async function verifyRehearsal(envelopes: readonly Uint8Array[]): Promise<TrustRoot[]> {
  const versions: TrustRoot[] = [];
  for (const bytes of envelopes) {
    const next = parseEither(bytes);
    await verifyTrustStep(versions.at(-1) ?? null, next);
    versions.push(next);
  }
  if (versions.length === 0) throw new Error('it holds no version');
  return versions;
}

function parseEither(bytes: Uint8Array): TrustRoot {
  try {
    return parseTrustRoot(bytes);
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    const envelope = parseEnvelope(bytes, payloadTypeOf({ rehearsal: true }));
    const unsigned = { payload: envelope.payload, payloadType: payloadTypes.trustRoot, signatures: [] };
    // The thresholds are then counted over the signatures of the rehearsal, which are over its own payload type.
    return { ...parseTrustRoot(encodeEnvelope(unsigned)), envelope };
  }
}
