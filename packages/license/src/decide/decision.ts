import type { Change, Current } from '../change.ts';
import type { BrakeDocument, Instant, LockLevel, SubjectType } from '../documents.ts';
import type { ApprovalRule, Asker, CredentialKind } from '../gate-documents.ts';
import type { IdPrefix } from '../identifiers.ts';
import type { Refusal, RefusalCode } from '../refusals.ts';

/**
 * A consistent snapshot of one namespace, read synchronously. A view may throw anything of its own to say
 * that something must be loaded first; `decide` lets that pass, has no effects, and can simply be called again.
 */
export interface View {
  subject<T extends SubjectType>(type: T, id: string): Current<T> | undefined;
  /** Codes are unique per namespace and type, retired subjects included. */
  idByCode(type: 'product' | 'plan', code: string): string | undefined;
  /** References are unique, merged customers included. */
  idByReference(reference: string): string | undefined;
  /** The license whose newest companion holds this key. */
  idByLicenseKey(key: string): string | undefined;
  /** Every license whose document names the customer, in a stable order, revoked ones included. */
  licensesOfCustomer(id: string): readonly string[];
  /** Every plan of the product, in a stable order, retired ones included. */
  plansOfProduct(id: string): readonly string[];
  /** The credential of this kind that is found by this, and not revoked. */
  idByCredential(kind: CredentialKind, lookup: string): string | undefined;
  /** Every principal, in a stable order, disabled ones included. */
  principals(): readonly string[];
  /** Every request for approval, in a stable order, those that have ended included. */
  approvals(): readonly string[];
}

/** What a decision may use besides the view. Ids and keys are drawn after the last read of the view. */
export interface Environment {
  ns: string;
  now: Instant;
  /** The prefix, an underscore and a UUIDv7 as a TypeID. */
  newId(prefix: IdPrefix): string;
  newLicenseKey(): string;
  /** The stricter of the locks of namespace and brake. */
  lock: LockLevel;
  /** The epoch of the namespace. */
  epoch: number;
  /** The log index that the first record of this command gets. */
  index: number;
  /** The newest brake that was ever signed: where its record was never committed, it still binds the signer. */
  signedBrake: BrakeDocument | null;
  /** null where the system itself acts. */
  gate: GateEnvironment | null;
}

/** Who asks for a command, and the rules in force for it. */
export interface GateEnvironment {
  actor: Asker;
  /** In the actor's words. */
  why: string | null;
  approvals: readonly ApprovalRule[];
  /** Hash of the policy that the rules are of. */
  policy: string;
}

/** One to 500 changes that become records together or not at all, or the reason why nothing changes. */
export type Decision = { ok: true; changes: Change[] } | { ok: false; refusal: Refusal };

/** Ends a decision from anywhere inside it; never leaves `decide`. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** Refuses the command. `path` points into the command. */
export function refuse(
  code: RefusalCode,
  message: string,
  extra: { path?: string; details?: Record<string, string | number> } = {},
): never {
  throw new Refused({ code, message, ...extra });
}
