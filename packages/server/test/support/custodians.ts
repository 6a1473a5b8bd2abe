/** Custodians at a system where what is signed elsewhere waits for the approval of others. */
import { replayDecisions } from '@tallystick/audit';
import type { NamespaceRevisionBody, TrustPublished } from '@tallystick/contract';
import { base64, encodeEnvelope, type NamespaceDocument, type TrustRoot } from '@tallystick/core';
import { defaultPolicyDocument } from '@tallystick/gate';
import type { SignedRevision, Store } from '@tallystick/ledger';
import type { ApprovalRule } from '@tallystick/license';
import type { KeystoreKey } from '@tallystick/signer';
import { only, signedRevision } from '@tallystick/testkit';
import { expect } from 'vitest';
import type { MutationAnswer } from '../../src/ledger-thread/mutations.ts';
import { Office, type Said } from './office.ts';

/** Unlocking needs a second custodian; locking needs nobody. */
export const unlocking: ApprovalRule = {
  actions: ['namespace.revise'],
  above: { termDays: null, seats: null, perHour: null, loosened: 0 },
  approvers: [{ role: 'key-custodian', count: 1 }],
  within: 'P1D',
};
export const publishing: ApprovalRule = { ...unlocking, actions: ['trust.publish'], above: null };

interface Problem {
  code: string;
  message: string;
  details?: { approval?: string };
}

/** What stands in the way of something. */
export const problemOf = (asked: Promise<unknown>): Promise<Problem> =>
  asked.then(
    () => {
      throw new Error('nothing stood in the way');
    },
    (error: unknown) => error as Problem,
  );

/** The request that something has to wait as. */
export async function waiting(asked: Promise<unknown>): Promise<string> {
  const { code, details, message } = await problemOf(asked);
  expect([code, message]).toEqual(['approval_required', expect.stringContaining('Stored as apr_')]);
  return details?.approval ?? '';
}

/** A revision as it is handed in. */
export function bodyOf({ entry, document, cause }: SignedRevision): NamespaceRevisionBody {
  return {
    entry: base64(entry),
    document: base64(document),
    cause: { salt: base64(cause.salt), document: base64(cause.document) },
  };
}

export class Custodians {
  readonly office: Office;
  /** Another credential of Ada's. */
  readonly otherKey: string;
  /** Who signs for the namespace. */
  authority: KeystoreKey;

  private constructor(office: Office, otherKey: string) {
    this.office = office;
    this.otherKey = otherKey;
    this.authority = only(office.world.identity.keys.authority);
  }

  /** Ada and Bea, who are administrators as well, and Cid. */
  static async open(store?: Store): Promise<Custodians> {
    const office = await Office.open(store);
    await office.hire('Ada', 'administrator', 'key-custodian');
    await office.hire('Bea', 'administrator', 'key-custodian');
    await office.hire('Cid', 'key-custodian');
    const otherKey = await office.credentialFor(office.id('Ada'), 'second');
    const custodians = new Custodians(office, otherKey);
    await custodians.rule(unlocking);
    return custodians;
  }

  /** Puts the rules in force that come with the software, and these. */
  async rule(...rules: ApprovalRule[]): Promise<void> {
    const content = defaultPolicyDocument();
    const approvals = [...content.approvals, ...rules];
    await this.office.system({ type: 'policy.publish', ...content, approvals });
  }

  get lock(): string {
    return this.office.gatekeeper.governing().lock;
  }

  get epoch(): number {
    return this.office.ledger.governing.namespace.epoch;
  }

  async freeze(): Promise<void> {
    if (this.lock === 'open') await this.office.system({ type: 'brake.tighten', lock: 'frozen' });
    expect(this.lock).toBe('frozen');
  }

  /** A revision that lets go what the brake said. */
  unlock(document: Partial<NamespaceDocument> = {}): Promise<SignedRevision> {
    const next = { epoch: this.epoch + 1, ...document };
    return signedRevision(this.office, { by: this.authority, document: next });
  }

  revise(name: string, signed: SignedRevision, said: Said = {}): Promise<MutationAnswer> {
    const { why = 'T-1', dryRun = false } = said;
    const command = { type: 'namespace.update' } as const;
    const asked = { command, why, dryRun, wait: 'durable', waitMs: 0 } as const;
    const judgment = this.office.judgment(name, 'namespace.revise', said);
    return this.office.mutations.reviseNamespace({ ...bodyOf(signed), ...asked }, judgment);
  }

  publish(
    name: string,
    chain: readonly TrustRoot[],
    signed: SignedRevision | null = null,
    dryRun = false,
  ): Promise<TrustPublished> {
    const envelopes = chain.map(({ envelope }) => base64(encodeEnvelope(envelope)));
    const body = { envelopes, ...(signed && { namespace: bodyOf(signed) }), why: 'T-1', dryRun };
    return this.office.mutations.publishTrust(body, this.office.judgment(name, 'trust.publish'));
  }

  approve(name: string, approval: string, said: Said = {}): Promise<MutationAnswer> {
    return this.office.ask(name, { type: 'approval.approve', approval }, said);
  }

  /** As Office.approveOnly. */
  async approveOnly(name: string, approval: string): Promise<void> {
    await this.office.approveOnly(name, approval);
    // Nothing is left that writes by itself.
    await this.office.ledger.whenPublished(this.office.ledger.size, 10_000);
  }

  /** The request as Bea is shown it. */
  shown(approval: string): Promise<object> {
    const { reads } = this.office;
    return reads.get({ type: 'approval', id: approval }, this.office.judgment('Bea', 'approval.get'));
  }

  /** What replaying finds, but for what the office itself did. */
  async findings(mayActAlone: string[] = []): Promise<object[]> {
    const found = await replayDecisions(this.office.world.store, { from: null, to: null, mayActAlone });
    return found.findings.filter(({ index }) => !this.office.unjudged.has(index));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.office[Symbol.asyncDispose]();
  }
}
