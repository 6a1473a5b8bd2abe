/**
 * Whether others approved what was signed elsewhere, where the rules of the time wanted that. Who handed it in is not in the log
 * unless it waited, so what somebody could have done alone is taken to be theirs.
 */
import { base64, decodeBase64, leafHash, loosenings, type RecoveryStatement } from '@tallystick/core';
import { actsAlone, applicableRules, type Directory, noEffect } from '@tallystick/gate';
import {
  type ApprovalDocument,
  isSignedCommand,
  type NamespaceDocument,
  parseSignedCommand,
  type TallyDocument,
} from '@tallystick/license';
import { asChange } from './change-problem.ts';
import type { LoggedChanges } from './logged-commands.ts';

/** A problem of the entry at `index`; `message` is one sentence without its period. */
export interface SignedProblem {
  index: number;
  message: string;
}

/** What a request that was carried out has behind it. */
interface Expected {
  index: number;
  end: number;
  /** Leaf hashes in base64. */
  leaves: Set<string>;
}

export class SignedCheck {
  readonly #mayActAlone: readonly string[];
  #expected: Expected | null = null;

  constructor(mayActAlone: readonly string[]) {
    this.#mayActAlone = mayActAlone;
  }

  /** Takes a request that was carried out. What it is about has to come next. */
  executed(index: number, documents: readonly TallyDocument[]): void {
    const request = documents.find(isExecuted);
    if (request === undefined || !isSignedCommand(request.command)) return;
    const leaves = leavesOf(request.command);
    this.#expected = { index, end: index + leaves.length, leaves: new Set(leaves) };
  }

  /** Takes an entry in order. Returns what a request before it said of it, and did not keep. */
  next(index: number, leaf: Uint8Array | null): SignedProblem | null {
    const expected = this.#expected;
    if (expected === null || index === expected.index) return null;
    const isKept = leaf !== null && expected.leaves.delete(base64(leaf));
    if (isKept && index <= expected.end) return null;
    return this.end();
  }

  /** Nothing more comes for the request before. */
  end(): SignedProblem | null {
    const expected = this.#expected;
    this.#expected = null;
    if (expected === null || expected.leaves.size === 0) return null;
    return {
      index: expected.index,
      message: 'it says that what was signed elsewhere was put into the log, and that is not behind it',
    };
  }

  /** Whether the entry that `next` took is what a request before it was about. */
  isApproved(index: number): boolean {
    return this.#expected !== null && index <= this.#expected.end;
  }

  /** A version of the trust root that no request was about. Returns one sentence without its period, or null. */
  trustRoot(directory: Directory, at: string): string | null {
    return this.#unapproved('trust.publish', { documents: [], brake: null, namespace: null }, directory, at);
  }

  /** As `trustRoot`, of a revision of the namespace, which may let somebody in. */
  revision(
    changes: LoggedChanges,
    recovery: RecoveryStatement | undefined,
    directory: Directory,
    at: string,
  ): string | null {
    if (recovery === undefined) return this.#unapproved('namespace.revise', changes, directory, at);
    const { brake, namespace } = changes;
    const next = changes.documents.find((each): each is NamespaceDocument => each.type === 'namespace');
    const isKnown = next !== undefined && brake !== null && namespace !== null;
    if (isKnown && loosenings(namespace, next, brake).length === 0) return null;
    const { principal } = recovery;
    const isAlone = actsAlone(principal ?? 'nobody', directory.people(), at);
    if (isAlone || (principal !== null && this.#mayActAlone.includes(principal))) return null;
    return this.#wanted('namespace.revise', changes, directory);
  }

  #unapproved(
    type: string,
    changes: Pick<LoggedChanges, 'documents' | 'brake' | 'namespace'>,
    directory: Directory,
    at: string,
  ): string | null {
    const people = directory.people();
    const isSomebodyAlone = people.length === 0 || people.some(({ id }) => actsAlone(id, people, at));
    if (isSomebodyAlone || this.#mayActAlone.length > 0) return null;
    return this.#wanted(type, changes, directory);
  }

  #wanted(
    type: string,
    { documents, brake, namespace }: Pick<LoggedChanges, 'documents' | 'brake' | 'namespace'>,
    { policy }: Directory,
  ): string | null {
    const proposed = {
      command: { type },
      changes: documents.map(asChange),
      effect: noEffect,
      author: 'nobody',
      principal: () => undefined,
      brake,
      namespace,
    };
    const [applicable] = applicableRules(policy?.approvals ?? [], proposed, () => 0);
    if (applicable === undefined) return null;
    const wanted = applicable.rule.approvers.map(({ role, count }) => `${count} of ${role}`).join(' and ');
    return `${wanted} had to approve ${type}, and nobody did`;
  }
}

function isExecuted(document: TallyDocument): document is ApprovalDocument {
  return document.type === 'approval' && document.state === 'executed';
}

/** Leaf hashes of what was signed, in base64. Throws ModelError for what is no such command. */
function leavesOf(stored: object): string[] {
  const command = parseSignedCommand(stored);
  const envelopes = command.type === 'trust.publish' ? command.envelopes : [];
  const revision = command.type === 'trust.publish' ? command.namespace : command;
  const entries = [...envelopes, ...(revision === undefined ? [] : [revision.entry])];
  return entries.map((entry) => base64(leafHash(decodeBase64(entry))));
}
