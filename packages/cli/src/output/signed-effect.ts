/** What waits for approval and was signed elsewhere, in the words in which it was reviewed before it was signed. */
import type { ApprovalItem } from '@tallystick/contract';
import {
  decodeBase64,
  encodeEnvelope,
  hex,
  parseNamespace,
  parseRecordEntry,
  parseTrustRoot,
  payloadTypes,
  sha256,
  type TrustRoot,
  utf8,
} from '@tallystick/core';
import { reviewOf } from '../ceremony/review.ts';
import { describeReview } from '../ceremony/review-text.ts';
import { describeStep } from '../governing/revision.ts';
import type { Row } from './documents.ts';
import type { Printer } from './printer.ts';
import { printable } from './table.ts';

type Effect = NonNullable<ApprovalItem['effect']>;
type Command = ApprovalItem['document']['command'];

/** Hashes of what is asked for, as whoever signs compares them; null for a command that the server makes itself. */
export function signedRows(command: Command): Row[] | null {
  const { type, envelopes, namespace } = command;
  if (type === 'namespace.revise') return [revisionRow(command)];
  if (type !== 'trust.publish' || !Array.isArray(envelopes)) return null;
  const roots = (envelopes as string[]).map((each) => parseTrustRoot(decodeBase64(each)));
  return [
    ...roots.map(({ version, hash }): Row => [`trust root ${version}`, `payload hash ${hex(hash)}`]),
    ...(namespace === undefined ? [] : [revisionRow(namespace as Command)]),
  ];
}

function revisionRow({ entry }: Command): Row {
  const { envelope, record } = parseRecordEntry(decodeBase64(String(entry)));
  return [`namespace revision ${record.rev}`, `hash ${hex(sha256(envelope.payload))}, signed ${record.at}`];
}

/** @param now milliseconds */
export function describeSignedEffect(
  { changes, loosens = [], trustRoots = [] }: Effect,
  print: Printer,
  now: number,
): string[] {
  const steps = changes.flatMap(({ before, after }) => [
    ...(before === null ? [] : describeStep(asNamespace(before), asNamespace(after)).map(printable)),
    ...(loosens.length === 0
      ? ['It loosens nothing.']
      : loosens.map((each) => `${print.style('yellow', 'Loosens:')} ${printable(each)}`)),
  ]);
  const reviews = trustRoots.flatMap(({ before, after }) => {
    const next = asTrustRoot(after);
    const proposal = { rehearsal: false, payload: next.envelope.payload };
    const review = reviewOf(asTrustRoot(before), next, { proposal, holders: new Map(), progress: [], now });
    return ['', ...describeReview(review, print)];
  });
  return [...steps, ...reviews];
}

function asNamespace(document: object): ReturnType<typeof parseNamespace> {
  return parseNamespace(utf8(JSON.stringify(document)));
}

/** Envelopes need a signature; which does not matter where only the payload is read. */
function asTrustRoot(payload: object): TrustRoot {
  const { trustRoot: payloadType } = payloadTypes;
  const signatures = [{ keyid: '0'.repeat(16), sig: new Uint8Array(64) }];
  return parseTrustRoot(encodeEnvelope({ payload: utf8(JSON.stringify(payload)), payloadType, signatures }));
}
