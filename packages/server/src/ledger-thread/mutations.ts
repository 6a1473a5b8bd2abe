/** Changes, as callers ask for them and are told of them. */
import type { NamespaceRevisionBody, TrustPublishBody, TrustPublished } from '@tallystick/contract';
import type { NoteCode } from '@tallystick/contract/problems';
import type { KeptPromise } from '@tallystick/core';
import { PublicationTimeout, type SubmitResult } from '@tallystick/ledger';
import type { Command, TrustPublish } from '@tallystick/license';
import { Approvals, type Carried, carriedOut, type Execution, requestOf } from './approvals.ts';
import type { Judgment } from './gate/judgment.ts';
import { pastEffect } from './gate/past-effect.ts';
import type { NamespaceKeys } from './namespace-keys.ts';
import type { ServedLog } from './served-log.ts';
import { type ShownChange, shownChange, shownDocument } from './shown-document.ts';
import { SignedElsewhere } from './signed-elsewhere.ts';
import { resourceIn } from './subject-reads.ts';

/** What is known of holding a policy that is to be published against what was decided. */
export interface Seen {
  /** Why it should not be published yet, null where nothing is in the way. Left out: nobody has looked. */
  shadowProblem?: string | null | undefined;
  /** Hashes of the policy that was in force then; null or left out where that does not matter any more. */
  shadowedUnder?: string | null | undefined;
}

export interface MutateInput extends Seen {
  command: Command;
  why: string | null;
  /** Idempotency key and base64 of the hash of the request. */
  request: { key: string; hash: string } | null;
  dryRun: boolean;
  wait: 'durable' | 'published';
  waitMs: number;
}

export interface NamespaceRevisionInput extends NamespaceRevisionBody {
  command: { type: 'namespace.update' };
  /** Why it is logged now; what the log keeps is the cause that the authority signed. */
  why: string | null;
  dryRun: boolean;
  wait: 'durable' | 'published';
  waitMs: number;
}

export interface TrustPublishInput extends TrustPublishBody {
  why: string | null;
  dryRun: boolean;
}

export interface MutationAnswer {
  changes: ShownChange[];
  promises: KeptPromise[];
  document: object;
  published: boolean;
  dryRun: boolean;
  notes: { code: NoteCode; detail: string }[];
  licenseKey?: string;
  bundle?: unknown;
  execution?: Execution;
}

function isOfApproval({ change: { subject } }: { change: { subject: { type: string } } }): boolean {
  return subject.type === 'approval';
}

const makingCommands = /\.create$|^license\.issue$|^approval\.request$/;

/** 202 where it is durable and was not published in time, 201 where making something was asked for, else 200. */
export function statusOfMutation(command: string, { notes, dryRun }: MutationAnswer): number {
  if (dryRun) return 200;
  if (notes.some(({ code }) => code === 'wait_timeout')) return 202;
  return makingCommands.test(command) ? 201 : 200;
}

/** Commands whose answer shows the license key that they made. */
const keyMakingCommands = new Set(['license.issue', 'license.rekey', 'license.replace']);

export class Mutations {
  readonly #ledger: ServedLog;
  readonly #signed: SignedElsewhere;
  readonly #note: (code: NoteCode) => { code: NoteCode; detail: string };
  readonly #approvals: Approvals;

  constructor(
    ledger: ServedLog,
    keys: NamespaceKeys,
    note: (code: NoteCode) => { code: NoteCode; detail: string },
  ) {
    this.#ledger = ledger;
    this.#note = note;
    this.#signed = new SignedElsewhere(ledger, keys);
    this.#approvals = new Approvals(ledger, this.#signed);
  }

  async mutate(input: MutateInput, judgment: Judgment): Promise<MutationAnswer> {
    const { command, why } = input;
    if (command.type === 'approval.execute')
      return this.#mutationAnswer(input, await this.#approvals.execute(input, command.approval, judgment));
    if (command.type === 'approval.request') await this.#approvals.checkCommand(input, command, judgment);
    const result = await this.#submit(input, judgment);
    const [main] = result.changes;
    if (main === undefined) throw new Error('a command without changes');
    const waits = result.repeated && main.change.type === 'approval.created';
    if (waits && command.type !== 'approval.request')
      return this.#mutationAnswer(input, await this.#approvals.recall(main.change.subject.id, judgment));
    if (result.repeated) await this.#judgeRepeated(result, why, judgment);
    else if (main.index !== null) judgment.committed(main.index);
    const answer = await this.#mutationAnswer(input, result);
    this.#noteNeed(answer, judgment);
    if (command.type !== 'approval.approve' || input.dryRun) return answer;
    return { ...answer, ...(await this.#approvals.afterApproval(command.approval, judgment)) };
  }

  async #judgeRepeated({ changes }: Carried, why: string | null, judgment: Judgment): Promise<void> {
    const [main] = changes;
    if (main === undefined) throw new Error('a command without changes');
    const resource = await resourceIn(this.#ledger, main.current.document);
    judgment.repeat(resource, why, await pastEffect(this.#ledger.read, changes));
  }

  /** Carries a command out, or stores it where others have to approve it first. */
  async #submit(input: MutateInput, judgment: Judgment): Promise<Carried> {
    const { command, why, request, dryRun } = input;
    const submit = async (): Promise<Carried> =>
      carriedOut(
        await this.#ledger.submit({
          command,
          cause: { who: { kind: 'nobody', id: 'nobody' }, why },
          gate: judgment.environment(why),
          judge: judgment.judge(command, { why, isDryRun: dryRun, seen: input }),
          see: judgment.see(command),
          request: requestOf(request),
          dryRun,
        }),
      );
    return this.#approvals.orStore(() => input, judgment, submit);
  }

  /** Says what rules for approvals would do, or would have done. */
  #noteNeed({ dryRun, notes }: Pick<MutationAnswer, 'dryRun' | 'notes'>, { need }: Judgment): void {
    if (need.kind === 'nobody') notes.push(this.#note('approved_by_nobody'));
    if (need.kind === 'approval' && dryRun) notes.push(this.#note('needs_approval'));
  }

  /** Takes a namespace revision, or stores it where others have to approve it first; every member is base64. */
  async reviseNamespace(input: NamespaceRevisionInput, judgment: Judgment): Promise<MutationAnswer> {
    const { entry, document, cause, why, dryRun } = input;
    const command = { type: 'namespace.revise', entry, document, cause } as const;
    const result = await this.#approvals.orStore(
      () => ({ command, why, request: null }),
      judgment,
      () => this.#signed.revise(command, dryRun, judgment.judge(command, { why, isDryRun: dryRun })),
    );
    const answer = await this.#mutationAnswer(input, result);
    this.#noteNeed(answer, judgment);
    return answer;
  }

  /** Takes every version of the trust root, as envelopes in base64, or stores those that are new as `reviseNamespace` does. */
  async publishTrust(input: TrustPublishInput, judgment: Judgment): Promise<TrustPublished> {
    const { envelopes, namespace, why, dryRun } = input;
    const command: TrustPublish = { type: 'trust.publish', envelopes, ...(namespace && { namespace }) };
    const logged = await this.#approvals.orStore(
      () => ({ command: this.#signed.waiting(command), why, request: null }),
      judgment,
      () => this.#signed.publish(command, dryRun, judgment.judge(command, { why, isDryRun: dryRun })),
    );
    const notes: MutationAnswer['notes'] = [];
    this.#noteNeed({ dryRun, notes }, judgment);
    return { version: this.#ledger.trust.current.version, logged, notes };
  }

  async #mutationAnswer(
    input: Pick<MutateInput, 'dryRun' | 'wait' | 'waitMs'> & { command: { type: string } },
    result: Extract<SubmitResult, { changes: unknown }>,
  ): Promise<MutationAnswer> {
    const { changes, repeated } = result;
    const isExecution = input.command.type === 'approval.execute';
    const main = isExecution ? changes.find(isOfApproval) : changes[0];
    if (main === undefined) throw new Error('a command without changes');
    const notes: NoteCode[] = [];
    if (input.dryRun) notes.push('dry_run');
    if (repeated) notes.push('replayed');
    const end = (changes.at(-1)?.index ?? 0) + 1;
    if (input.wait === 'published' && !input.dryRun && !(await this.#waitFor(end, input.waitMs)))
      notes.push('wait_timeout');
    const published = !input.dryRun && (this.#ledger.published?.size ?? 0) >= end;
    const isLicense = main.change.subject.type === 'license';
    const licenseKey = keyMakingCommands.has(input.command.type) ? main.current.companion?.key : null;
    return {
      changes: changes.map(shownChange),
      promises: result.promises ?? [],
      document: shownDocument(main.current.document),
      published,
      dryRun: input.dryRun,
      notes: notes.map(this.#note),
      ...(typeof licenseKey === 'string' && !input.dryRun ? { licenseKey } : {}),
      ...(isLicense && published && input.wait === 'published'
        ? { bundle: JSON.parse(await this.#ledger.bundle(main.change.subject.id)) as unknown }
        : {}),
    };
  }

  async #waitFor(size: number, waitMs: number): Promise<boolean> {
    try {
      await this.#ledger.whenPublished(size, waitMs);
      return true;
    } catch (error) {
      if (error instanceof PublicationTimeout) return false;
      throw error;
    }
  }
}
