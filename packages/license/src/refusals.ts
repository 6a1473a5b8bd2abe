/**
 * The closed registry of refusal codes. A code never changes its meaning; callers may depend on it.
 *
 * `raisedBy` says who can answer with it:
 * - `decide`: the commands of this package;
 * - `records`: the checks on records (`checkAfter`, `checkTransition`), which also guard what is not made by
 *   a command here, such as the namespace and the brake;
 * - `reserved`: a part of the model that does not exist yet (activations, usage, the journal).
 */
export interface RefusalMeaning {
  raisedBy: 'decide' | 'records' | 'reserved';
  /** What the code means, for reference pages. The message of a refusal says what happened and what to do. */
  meaning: string;
}

export const REFUSALS = {
  // Common to every command.
  input_invalid: { raisedBy: 'decide', meaning: 'A field of the command breaks a rule of the model.' },
  subject_unknown: { raisedBy: 'decide', meaning: 'The subject that the command is about does not exist.' },
  revision_conflict: {
    raisedBy: 'decide',
    meaning: 'The subject has another revision than the caller expected.',
  },
  state_forbids: { raisedBy: 'decide', meaning: 'The state of the subject does not allow this change.' },
  namespace_locked: { raisedBy: 'decide', meaning: 'The namespace is locked against this kind of change.' },
  limit_exceeded: { raisedBy: 'decide', meaning: 'The change would exceed a limit of the model.' },
  no_change: { raisedBy: 'decide', meaning: 'The command would change nothing.' },

  // Namespace and brake.
  may_only_tighten: {
    raisedBy: 'decide',
    meaning: 'Loosening needs a namespace revision with a higher epoch.',
  },
  key_in_use: { raisedBy: 'decide', meaning: 'The key already belongs to something else.' },

  // Products and plans.
  code_taken: { raisedBy: 'decide', meaning: 'Another product or plan of the namespace has this code.' },
  entitlement_type: {
    raisedBy: 'decide',
    meaning: 'A grant does not fit the type in the catalog of the product.',
  },
  in_use: { raisedBy: 'decide', meaning: 'Something that is still active depends on what would be removed.' },

  // Customers.
  reference_taken: { raisedBy: 'decide', meaning: 'Another customer has this reference.' },
  merge_cycle: {
    raisedBy: 'decide',
    meaning: 'A customer cannot be merged into itself or into one merged into it.',
  },
  customer_unknown: { raisedBy: 'decide', meaning: 'No customer has this id or reference.' },
  customer_not_active: { raisedBy: 'decide', meaning: 'The customer was merged into another or erased.' },

  // What is sold.
  plan_unknown: { raisedBy: 'decide', meaning: 'No plan has this id or code.' },
  plan_retired: { raisedBy: 'decide', meaning: 'The plan is retired and can no longer be sold.' },
  plan_kind: { raisedBy: 'decide', meaning: 'An add-on stands where a base plan belongs, or the reverse.' },
  plan_product_mismatch: { raisedBy: 'decide', meaning: 'The plan belongs to another product.' },
  entitlement_unknown: { raisedBy: 'decide', meaning: 'The catalog of the product has no such entitlement.' },
  addon_conflict: {
    raisedBy: 'decide',
    meaning: 'The plan and its add-ons grant the same thing in ways that cannot be combined.',
  },
  term_invalid: { raisedBy: 'decide', meaning: 'The term of the license makes no sense.' },
  trial_used: { raisedBy: 'decide', meaning: 'The customer already had this trial.' },
  seats_unsupported: {
    raisedBy: 'decide',
    meaning: 'The plan needs activations, which this version does not have.',
  },

  // Changes of a license.
  term_not_later: {
    raisedBy: 'decide',
    meaning: 'The renewal would not end later than the license already does.',
  },
  perpetual: { raisedBy: 'decide', meaning: 'The license never ends, so its term cannot be renewed.' },
  already_suspended: { raisedBy: 'decide', meaning: 'The license is suspended already.' },
  not_suspended: { raisedBy: 'decide', meaning: 'The license is not suspended.' },
  already_revoked: { raisedBy: 'decide', meaning: 'The license is revoked already, which is final.' },
  successor_unknown: {
    raisedBy: 'decide',
    meaning: 'The license that should succeed this one does not exist.',
  },
  successor_cycle: { raisedBy: 'decide', meaning: 'The successor is itself succeeded by this license.' },
  same_customer: { raisedBy: 'decide', meaning: 'The license belongs to this customer already.' },

  // Who may use the system.
  principal_unknown: { raisedBy: 'decide', meaning: 'No principal has this id.' },
  credential_taken: { raisedBy: 'decide', meaning: 'Another credential is found by the same name.' },
  last_administrator: {
    raisedBy: 'decide',
    meaning: 'Nobody would be left who can manage principals.',
  },
  approval_not_needed: { raisedBy: 'decide', meaning: 'No rule asks for approvals of this command.' },
  approval_void: {
    raisedBy: 'decide',
    meaning: 'The rules have changed since the request was made, so its approvals no longer count.',
  },
  not_an_approver: { raisedBy: 'decide', meaning: 'The request waits for the approval of other roles.' },
  not_approved: { raisedBy: 'decide', meaning: 'The request does not have the approvals that it needs.' },
  own_request: { raisedBy: 'decide', meaning: 'Nobody approves what they asked for themselves.' },

  // Activations, usage and the journal.
  already_started: { raisedBy: 'reserved', meaning: 'The term of the license has started already.' },
  below_seats_in_use: { raisedBy: 'reserved', meaning: 'More seats are in use than would remain.' },
  reset_cooldown: { raisedBy: 'reserved', meaning: 'The seats were reset too recently.' },
  seats_exhausted: { raisedBy: 'reserved', meaning: 'All seats of the license are in use.' },
  binding_in_use: { raisedBy: 'reserved', meaning: 'The device is bound to another activation.' },
  binding_not_allowed: { raisedBy: 'reserved', meaning: 'The plan does not allow this kind of binding.' },
  license_not_active: { raisedBy: 'reserved', meaning: 'The license is not active.' },
  borrow_too_long: { raisedBy: 'reserved', meaning: 'The seat may not be borrowed for this long.' },
  rehost_cooldown: { raisedBy: 'reserved', meaning: 'The license moved between devices too often.' },
  would_decrease: { raisedBy: 'reserved', meaning: 'Recorded usage never decreases.' },
  period_open: { raisedBy: 'reserved', meaning: 'The period is not over yet.' },
  gap: { raisedBy: 'reserved', meaning: 'A period or segment before this one is missing.' },
} as const;

export type RefusalCode = keyof typeof REFUSALS;

/** Why a command was refused. Nothing was changed. */
export interface Refusal {
  code: RefusalCode;
  /** Plain text that says what happened and what to do next. Never carries a license key. */
  message: string;
  /** A JSON path into the command, where one member is to blame. */
  path?: string;
  details?: Record<string, string | number>;
}

/** What a code means and who raises it. */
export function refusalMeaning(code: RefusalCode): RefusalMeaning {
  return REFUSALS[code];
}
