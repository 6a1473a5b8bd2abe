/**
 * A proposal: the payload of the next version in a file that people can read, and the rules that it keeps before
 * anybody signs it.
 *
 *     {"kind":"tallystick-trust-root-proposal","v":1,"rehearsal":false,"payload":{…}}
 *
 * indented by two spaces. The file has one encoding, so that what a reader sees in an editor is what is signed: the
 * payload's canonical bytes are those of the same members without white space.
 */
import {
  checkTrustStep,
  encodeEnvelope,
  hex,
  parseInstant,
  parseTrustRoot,
  payloadTypes,
  sha256,
  type TrustRoot,
  utf8,
} from '@tallystick/core';
import { messageOf } from '../errors.ts';
import { quorumOf } from './quorum.ts';
import { altered, refusal, refusing } from './refusal.ts';

export interface Proposal {
  /** For practice: its signatures are over another payload type, so they count for nothing else. */
  rehearsal: boolean;
  payload: Uint8Array;
}

const kind = 'tallystick-trust-root-proposal';

/** What a signature of a rehearsal is over. No verifier of trust roots takes an envelope of this type. */
const rehearsalType = 'application/vnd.tallystick.trust.root.rehearsal.v1+json';

export function payloadTypeOf({ rehearsal }: Pick<Proposal, 'rehearsal'>): string {
  return rehearsal ? rehearsalType : payloadTypes.trustRoot;
}

/** SHA-256 of the payload, 64 hexadecimal digits: what people compare, and what a signature file names. */
export function payloadHash({ payload }: Pick<Proposal, 'payload'>): string {
  return hex(sha256(payload));
}

export function formatProposal({ rehearsal, payload }: Proposal): string {
  const content = JSON.parse(Buffer.from(payload).toString('utf8')) as unknown;
  return `${JSON.stringify({ kind, v: 1, rehearsal, payload: content }, null, 2)}\n`;
}

/** Throws an integrity error for a file that is not exactly what `formatProposal` writes. `path` is for messages. */
export function parseProposal(text: string, path: string): Proposal {
  try {
    const json = JSON.parse(text) as { rehearsal?: unknown; payload?: unknown };
    const proposal = {
      rehearsal: json.rehearsal === true,
      payload: utf8(JSON.stringify(json.payload ?? null)),
    };
    if (formatProposal(proposal) === text) return proposal;
  } catch {
    // Text that is not even JSON is no more of a proposal than one that was edited.
  }
  throw altered(
    `${path} is not a proposal as tally root propose writes it.`,
    'Get it again from whoever proposed it; to change it, change the file of changes and propose anew.',
  );
}

/**
 * The trust root that a proposal would make, without signatures. Throws a refusal where it could not follow
 * `current`, changes the log's name, has a quorum that cannot be reviewed, or has expired. `now` is in milliseconds.
 */
export function checkProposal(current: TrustRoot, { payload }: Proposal, now: number): TrustRoot {
  const envelope = encodeEnvelope({ payload, payloadType: payloadTypes.trustRoot, signatures: [] });
  const todo = 'Sign nothing of it. Correct the changes, and propose anew from the newest trust root.';
  const next = refusing('The proposal is no trust root', todo, () => parseTrustRoot(envelope));
  if (next.version !== current.version + 1) {
    throw refusal(
      `The proposal makes version ${next.version}, and version ${current.version} is current: only version ${current.version + 1} can follow.`,
      'Check that --from names the newest trust root that you trust, or ask for a proposal that follows it.',
    );
  }
  refusing(`The proposal does not follow version ${current.version}`, todo, () =>
    checkTrustStep(current, next),
  );
  if (next.log.origin !== current.log.origin) {
    throw refusal(`The proposal changes the name of the log to ${next.log.origin}.`, todo);
  }
  quorumOf(next);
  if (parseInstant(next.expires) <= now)
    throw refusal(`The proposal has expired: it ends at ${next.expires}.`, todo);
  return next;
}

/** Reads what a file holds as text; throws an integrity error for bytes that are none. */
export function decodeText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw altered(`${path} is no text: ${messageOf(error)}.`, 'Get it again from whoever wrote it.');
  }
}
