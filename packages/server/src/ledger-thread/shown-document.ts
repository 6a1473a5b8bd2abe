/** Documents as callers see them: without what verifies a credential, and without bearer secrets. */
import { base64 } from '@tallystick/core';
import type { AppliedChange } from '@tallystick/ledger';
import type { CredentialKind, TallyDocument } from '@tallystick/license';

/** Kinds whose lookup is public; that of the others is derived from a secret, or says nothing. */
const publicLookups: ReadonlySet<unknown> = new Set<CredentialKind>([
  'passkey',
  'oidc',
  'spiffe',
  'http_signature',
]);

export function shownDocument(document: TallyDocument): object {
  if (document.type === 'credential') {
    const { material: _material, lookup, ...rest } = document;
    return { ...rest, lookup: publicLookups.has(document.kind) ? lookup : null };
  }
  if (document.type === 'approval') return { ...document, command: shownCommand(document.command) };
  return document;
}

/** A command that waits, without the secrets in it: of a license key the end, as elsewhere. */
function shownCommand(command: Record<string, unknown>): Record<string, unknown> {
  const { type, key, material: _material, lookup, ...rest } = command;
  return {
    type,
    ...rest,
    ...(typeof key === 'string' ? { keyHint: key.slice(-4) } : {}),
    ...(publicLookups.has(command['kind']) ? { lookup } : {}),
  };
}

/** One record that a command made. */
export interface ShownChange {
  type: string;
  subject: { type: string; id: string };
  rev: number;
  index: number | null;
  leaf: string | null;
  at: string;
}

export function shownChange({ change, index, leaf, at }: AppliedChange): ShownChange {
  const { type, subject, rev } = change;
  return { type, subject, rev, index, leaf: leaf && base64(leaf), at };
}
