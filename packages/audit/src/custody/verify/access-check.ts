/** Who read or exported a license: records of an access log that the log vouches for and witnesses cosigned. */
import {
  type AccessRecord,
  accessVerifierKeys,
  openSegment,
  parseAccessRecord,
  parseLeaf,
} from '@tallystick/access';
import {
  type CustodyAccess,
  type CustodyReport,
  IntegrityError,
  leafHash,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  type TrustRoot,
  utf8,
  verifyInclusion,
  verifyLogSignatures,
  verifyQuorum,
  witnessPolicy,
} from '@tallystick/core';
import type { Findings } from './findings.ts';
import type { ProvenAccess } from './proven.ts';

/** null where the report shows none, or something is wrong with it, which the findings say. */
export async function checkAccess(
  { access, license }: CustodyReport,
  trusted: readonly TrustRoot[],
  findings: Findings,
): Promise<ProvenAccess | null> {
  if (access === null) return null;
  const opened = await findings.check(null, () => openCheckpoint(access, trusted), 'ACCESS_ALTERED');
  if (opened === undefined) return null;
  const records: ProvenAccess['records'] = [];
  for (const segment of access.segments) {
    const found = await findings.check(
      null,
      () => readSegment(segment, opened.checkpoint, license),
      'ACCESS_ALTERED',
    );
    for (const record of found ?? []) records.push({ leaf: segment.index, record });
  }
  const { origin, size } = opened.checkpoint;
  return { origin, size, asOf: opened.asOf * 1000, dropped: access.dropped, records };
}

/** The log may have been another version's when the access log began, and the quorum when it was cosigned. */
async function openCheckpoint(
  { identity, path, checkpoint: note }: CustodyAccess,
  trusted: readonly TrustRoot[],
): Promise<{ checkpoint: SignedCheckpoint; asOf: number }> {
  const checkpoint = parseSignedCheckpoint(utf8(note));
  const vkeys = await firstOf(trusted, (trust) => accessVerifierKeys(identity, trust, checkpoint.origin));
  await verifyLogSignatures(checkpoint, vkeys);
  const asOf = await firstOf(trusted, ({ quorum }) => verifyQuorum(checkpoint, witnessPolicy(quorum)));
  verifyInclusion(leafHash(identity), 0, checkpoint.size, path, checkpoint.root);
  return { checkpoint, asOf };
}

async function firstOf<T>(trusted: readonly TrustRoot[], run: (trust: TrustRoot) => Promise<T>): Promise<T> {
  let failure: unknown = new IntegrityError('TRUST_INVALID', 'no trust root');
  for (const trust of trusted.toReversed()) {
    try {
      return await run(trust);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** The records about the license, of which there is at least one. */
function readSegment(
  { index, leaf: bytes, path, salt, bytes: packed }: CustodyAccess['segments'][number],
  { size, root }: SignedCheckpoint,
  license: string,
): AccessRecord[] {
  verifyInclusion(leafHash(bytes), index, size, path, root);
  const records = openSegment(parseLeaf(bytes), salt, packed)
    .map(parseAccessRecord)
    .filter(({ resource }) => resource?.id === license);
  if (records.length === 0)
    throw new IntegrityError('MALFORMED', `segment ${index} of the access log says nothing of the license`);
  return records;
}
