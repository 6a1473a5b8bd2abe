import type { TrustRoot } from '@tallystick/core';
import { Governance } from './governance.ts';
import { Mark } from './mark.ts';

/** A logged record of a namespace or a brake, with the document that it commits to. */
export interface LoggedDocument {
  entry: Uint8Array;
  document: Uint8Array;
}

/**
 * Makes the mark of a new log's signer, which knows its trust root and the log's first documents from the beginning:
 * what a server brings later can only follow from them. Throws MarkError where there is a mark.
 */
export async function createMark(
  file: string,
  trust: TrustRoot,
  documents: readonly LoggedDocument[],
): Promise<void> {
  Mark.create(file, trust.log.origin);
  using mark = Mark.open(file, trust.log.origin);
  const governance = new Governance(mark, [trust]);
  for (const { entry, document } of documents) await governance.adopt(entry, document, { keys: [], size: 0 });
}
