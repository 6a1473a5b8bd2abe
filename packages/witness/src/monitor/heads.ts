/** Checkpoints of a log as its cosigners hold them, and as the log shows one: pulled, and checked before they count. */
import {
  cosignatureTimes,
  hex,
  IntegrityError,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  sha256,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
} from '@tallystick/core';
import { fetchBytes, type HttpSource } from '../replayer/http-source.ts';

export interface Head extends SignedCheckpoint {
  /** The bytes that were shown. */
  text: string;
  /** Who showed it. */
  source: string;
  /** When cosigners cosigned it, in seconds, by their names in the policy. */
  cosigned: ReadonlyMap<string, number>;
}

const noteLengthMax = 256 * 1024;

/** Where tlog-witness has the newest checkpoint that a cosigner cosigned. */
export function monitoringPath(origin: string): string {
  return `${hex(sha256(utf8(origin)))}/checkpoint`;
}

/**
 * What is shown at `path`; null where there is nothing yet. Throws Unavailable, or IntegrityError where the log, or the
 * cosigner `name`, did not sign it.
 */
export async function pullHead(
  http: HttpSource,
  path: string,
  wanted: { source: string; cosigner: string | null; trust: TrustRoot },
): Promise<Head | null> {
  const bytes = await fetchBytes(http, path, noteLengthMax);
  if (bytes === null) return null;
  const head = await checkHead(new TextDecoder().decode(bytes), wanted.source, wanted.trust);
  const { cosigner, trust } = wanted;
  const isCosigned = trust.quorum.witnesses.some(
    ({ name, vkey }) => vkey.name === cosigner && head.cosigned.has(name),
  );
  if (cosigner !== null && !isCosigned)
    throw new IntegrityError('QUORUM_UNMET', `${cosigner} shows a checkpoint that it has not cosigned`);
  return head;
}

/** Throws IntegrityError where the log did not sign it. */
export async function checkHead(text: string, source: string, trust: TrustRoot): Promise<Head> {
  const checkpoint = parseSignedCheckpoint(utf8(text));
  if (checkpoint.origin !== trust.log.origin)
    throw new IntegrityError('LOG_SIGNATURE_INVALID', `a checkpoint of another log: ${checkpoint.origin}`);
  await verifyLogSignatures(checkpoint, trust.log.vkeys);
  return { ...checkpoint, text, source, cosigned: await cosignatureTimes(checkpoint, trust.quorum) };
}
