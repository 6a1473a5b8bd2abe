/** Checkpoints of a log as its cosigners hold them, and as the log shows one: pulled, and checked before they count. */
import {
  cosignatureTimes,
  equalBytes,
  formatNote,
  hex,
  IntegrityError,
  type Note,
  type NoteSignature,
  parseNote,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  sha256,
  signaturesBy,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
} from '@tallystick/core';
import { fetchBytes, type HttpSource } from '../replayer/http-source.ts';

export interface Head extends SignedCheckpoint {
  /** The note, with the signature lines of keys that the trust root knows. */
  text: string;
  /** Who showed it. */
  source: string;
  /** When cosigners cosigned it, in seconds, by their names in the policy. */
  cosigned: ReadonlyMap<string, number>;
}

const noteLengthMax = 256 * 1024;

export interface HeadSource {
  source: string;
  url: string;
  path: string;
  /** By the name in its keys; null for the log itself. */
  cosigner: string | null;
}

/** Cosigners, where tlog-witness has the newest checkpoint that each cosigned, and the log. */
export function headSources(
  { witnesses, logUrl }: { witnesses: readonly { name: string; url: string }[]; logUrl: string },
  origin: string,
): HeadSource[] {
  const path = `${hex(sha256(utf8(origin)))}/checkpoint`;
  return [
    ...witnesses.map(({ name, url }) => ({ source: name, url, path, cosigner: name })),
    { source: 'log', url: logUrl, path: 'checkpoint', cosigner: null },
  ];
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
  const cosigned = await cosignatureTimes(checkpoint, trust.quorum);
  return { ...checkpoint, text: knownLines(checkpoint.note, trust), source, cosigned };
}

/** The note with one line of each key that the trust root knows: a source could fill it up with others. */
function knownLines({ text, signatures }: Note, { log, quorum }: TrustRoot): string {
  const keys = [...log.vkeys, ...quorum.witnesses.map(({ vkey }) => vkey)];
  const lines = keys.flatMap((key) => signaturesBy({ text, signatures }, key).slice(0, 1));
  return formatNote({ text, signatures: lines });
}

/** Every source shows the signature lines that it has: what shows the same tree is given the lines of all. */
export function mergeNotes(heads: readonly Head[]): Head[] {
  const merged = new Map<string, string>();
  for (const { note, text } of heads) {
    const known = merged.get(note.text);
    merged.set(note.text, known === undefined ? text : mergeSignatures(known, text));
  }
  return heads.map((head) => ({ ...head, text: merged.get(head.note.text) ?? head.text }));
}

/** Two notes of one text as one, with the older line of each key. */
export function mergeSignatures(older: string, newer: string): string {
  const { text, signatures } = parseNote(utf8(older));
  const isNew = (line: NoteSignature): boolean =>
    !signatures.some(({ name, id }) => name === line.name && equalBytes(id, line.id));
  const added = parseNote(utf8(newer)).signatures.filter(isNew);
  return formatNote({ text, signatures: [...signatures, ...added] });
}
