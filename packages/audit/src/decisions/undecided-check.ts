/**
 * What was logged without a decision of the gate. What the authority signed elsewhere carries a cause of its own, and may let
 * somebody in; the system itself has no rights to be judged, and so does no more than to begin and end: with its first policy,
 * and with keys that are due.
 */
import { base64, type RecoveryStatement } from '@tallystick/core';
import { enrollAction } from '@tallystick/gate';
import type { CauseDocument } from '@tallystick/ledger';
import type { CredentialDocument, PrincipalDocument, TallyDocument } from '@tallystick/license';
import type { LoggedCommand } from './logged-commands.ts';

/** Whom the authority let in. */
export interface RecoveryFound {
  /** Log index of the revision of the namespace that says so. */
  index: number;
  at: string;
  why: string | null;
  /** null where it was not carried out. */
  principal: string | null;
  /** Who was to be somebody new; null for a principal that there was. */
  name: string | null;
  /** The invitation; null where it was not carried out. */
  credential: string | null;
  until: string;
}

interface Recovery {
  statement: RecoveryStatement;
  found: RecoveryFound;
}

export class UndecidedCheck {
  readonly #lookupOf: ((hash: string) => string) | null;
  /** By the leaf of the revision. */
  readonly #recoveries = new Map<string, Recovery>();

  /** @param lookupOf what an invitation is found by, of its hash; null where the secret for that is not known */
  constructor(lookupOf: ((hash: string) => string) | null) {
    this.#lookupOf = lookupOf;
  }

  get recoveries(): RecoveryFound[] {
    return [...this.#recoveries.values()].map(({ found }) => found);
  }

  /** Takes each of them in order. Returns one sentence without its period; null where nothing is wrong. Throws what `open` does. */
  async take(command: LoggedCommand): Promise<string | null> {
    const { cause, types, directory } = command;
    const { command: name, who } = cause;
    const isAll = (pattern: RegExp): boolean => types.every((type) => pattern.test(type));
    if (name.startsWith('namespace.') && isAll(/^namespace\./)) {
      this.#begin(command, cause);
      return null;
    }
    const isFirstPolicy = name === 'policy.publish' && isAll(/^policy\./) && directory.policy === null;
    const isBrake = name === 'brake.tighten' && isAll(/^brake\./);
    if (who.kind === 'system' && (isFirstPolicy || isBrake)) return null;
    const recovery = who.kind === 'authority' ? this.#recoveries.get(cause.request?.hash ?? '') : undefined;
    if (recovery !== undefined) return this.#carriedOut(command, recovery);
    return `${who.kind} ${who.id} asked for ${name}, and nothing says that it was allowed`;
  }

  #begin({ index, leaf }: LoggedCommand, cause: CauseDocument): void {
    const statement = cause.v === 1 ? cause.recovery : undefined;
    if (statement === undefined) return;
    const { principal, name, until } = statement;
    const { at, why } = cause;
    const found = { index, at, why, principal, name, credential: null, until };
    this.#recoveries.set(base64(leaf), { statement, found });
  }

  /** One new administrator at most, and one invitation, as they were signed for. */
  async #carriedOut({ cause, open }: LoggedCommand, { statement, found }: Recovery): Promise<string | null> {
    if (cause.at >= statement.until) return `the authority let somebody in until ${statement.until} alone`;
    const [document, ...others] = (await open())?.documents ?? [];
    // No erasure reaches people and their credentials: whoever removed it had something to hide.
    if (document === undefined) return `the document of this ${cause.command} is gone`;
    const isPerson = cause.command === 'principal.create' && isSignedPerson(document, statement);
    if (others.length === 0 && isPerson && found.principal === null) {
      found.principal = document.id;
      return null;
    }
    const isInvitation =
      cause.command === 'credential.create' &&
      isSignedInvitation(document, statement, this.#lookupOf) &&
      document.principal === found.principal;
    if (others.length === 0 && isInvitation && found.credential === null) {
      found.credential = document.id;
      return null;
    }
    return `the authority signed for something else than this ${cause.command} at ${found.index}`;
  }
}

function isSignedPerson(
  document: TallyDocument,
  { principal, name, email }: RecoveryStatement,
): document is PrincipalDocument {
  if (document.type !== 'principal' || principal !== null) return false;
  const [role, ...others] = document.roles;
  const isAdministrator =
    role?.role === 'administrator' && role.products === null && role.until === null && others.length === 0;
  return document.kind === 'person' && document.name === name && document.email === email && isAdministrator;
}

function isSignedInvitation(
  document: TallyDocument,
  { invitation, until }: RecoveryStatement,
  lookupOf: ((hash: string) => string) | null,
): document is CredentialDocument {
  if (document.type !== 'credential') return false;
  const { kind, notAfter, scope, material, lookup } = document;
  const isFound = lookupOf === null || lookup === lookupOf(invitation);
  const isForEnrolling = scope.actions?.join() === enrollAction;
  return (
    kind === 'invitation' &&
    notAfter === until &&
    isForEnrolling &&
    isFound &&
    material['hash'] === invitation
  );
}
