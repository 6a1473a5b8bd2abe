import type { NamespaceRevisionBody } from '@tallystick/contract';
import type { SignedRevision } from '@tallystick/ledger';

/** A namespace revision as the ledger takes it, from base64. */
export function signedRevision({ entry, document, cause }: NamespaceRevisionBody): SignedRevision {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
  const { salt } = cause;
  return {
    entry: bytes(entry),
    document: bytes(document),
    cause: { salt: bytes(salt), document: bytes(cause.document) },
  };
}
