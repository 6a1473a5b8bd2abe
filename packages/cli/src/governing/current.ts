/** What a running system says of its namespace, for people and for proposals. */
import {
  type BrakeDocument,
  decodeBase64,
  entitledKeys,
  type NamespaceDocument,
  type NamespaceKey,
} from '@tallystick/core';
import { readClientFile } from '../client/connection.ts';
import { usageError } from '../errors.ts';
import type { Session } from '../session.ts';

export interface CurrentTrust {
  namespace: { index: number; document: NamespaceDocument };
  brake: { index: number; document: BrakeDocument };
  /** Entries of the log. */
  size: number;
}

/** Throws a usage error where it is not known which namespace is meant. */
export async function currentTrust(session: Session): Promise<CurrentTrust> {
  const ns = readClientFile(session.dataFolder)?.namespace;
  if (ns === undefined) {
    throw usageError('It is not known which namespace this is.', 'Name its data folder with --data.');
  }
  const client = session.admin();
  const { value } = await client.call('trust.get', { params: { key: ns } });
  const { value: log } = await client.call('log.status');
  return { ...(value as unknown as Omit<CurrentTrust, 'size'>), size: log.size };
}

/** The logged entry of the newest namespace revision with its exact document. */
export async function newestRevision(
  session: Session,
  { namespace }: CurrentTrust,
): Promise<{ entry: Uint8Array; document: string }> {
  const client = session.admin();
  const { index, document } = namespace;
  const { value } = await client.call('log.entry', { params: { index } });
  const { text } = await client.call('trust.namespace', { params: { ns: document.ns, rev: document.rev } });
  return { entry: decodeBase64(value.entry), document: text };
}

/** The keys that sign license records at the end of the log: the first one listed of each algorithm. */
export function signingKeys({ namespace, brake, size }: CurrentTrust): NamespaceKey[] {
  const entitled = entitledKeys(namespace.document, brake.document, 'license', size);
  return entitled.filter((key, at) => entitled.findIndex(({ alg }) => alg === key.alg) === at);
}
