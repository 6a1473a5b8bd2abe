/**
 * What is signed elsewhere and put into the log as it is. No decision makes it; while it waits for the approval of others it
 * is stored as a command is.
 */
import type { Base64 } from './documents.ts';

/** A revision of the namespace, as its authority signed it. */
export interface SignedRevisionParts {
  /** The exact bytes of the envelope. */
  entry: Base64;
  document: Base64;
  cause: { salt: Base64; document: Base64 };
}

export interface NamespaceRevise extends SignedRevisionParts {
  type: 'namespace.revise';
}

export interface TrustPublish {
  type: 'trust.publish';
  /** Envelopes of the versions that are new. */
  envelopes: Base64[];
  /** The namespace signed anew, where one of them changes its authority. */
  namespace?: SignedRevisionParts;
}

export type SignedCommand = NamespaceRevise | TrustPublish;
export type SignedCommandType = SignedCommand['type'];

export const SIGNED_COMMAND_TYPES: readonly SignedCommandType[] = ['namespace.revise', 'trust.publish'];

/** Whether a command that waits is of this kind. */
export function isSignedCommand({ type }: { type?: unknown }): boolean {
  return SIGNED_COMMAND_TYPES.some((known) => known === type);
}

/**
 * What rules for approvals may call a command that waits: a trust root that brings a revision of the namespace along is one as
 * well, or it would be the way around a rule about those.
 */
export function actionsOf(command: { type?: unknown; namespace?: unknown }): string[] {
  const type = String(command.type);
  return type === 'trust.publish' && command.namespace !== undefined ? [type, 'namespace.revise'] : [type];
}
