import { base64, decodeBase64, parseRecordEntry, utf8 } from '@tallystick/core';
import type { RecoveryInput } from '../../src/ledger-thread/recovery.ts';

/** A signed revision with another cause behind it, of the same time. */
export function withCause(signed: RecoveryInput, cause: RecoveryInput['cause']): RecoveryInput {
  const { at } = parseRecordEntry(decodeBase64(signed.entry)).record;
  const told = JSON.parse(Buffer.from(cause.document, 'base64').toString()) as object;
  return { ...signed, cause: { ...cause, document: base64(utf8(JSON.stringify({ ...told, at }))) } };
}
