/**
 * Refusals of the license model, with the HTTP status of each: 403 where it is for somebody else to do, 404 where
 * the subject in the path does not exist, 409 where its state or another subject stands in the way, 422 where the request itself cannot be met,
 * and 423 where the namespace is locked.
 */
export const refusalProblems = {
  input_invalid: {
    status: 422,
    title: 'A field breaks a rule of the model',
    remedy: 'Correct the field that path names.',
  },
  subject_unknown: {
    status: 404,
    title: 'The subject does not exist',
    remedy: 'Check the id, code or reference.',
  },
  revision_conflict: {
    status: 409,
    title: 'The subject has another revision',
    remedy: 'Read the subject again, decide anew, and send its present revision as expectedRev.',
  },
  state_forbids: {
    status: 409,
    title: 'The state of the subject does not allow this',
    remedy: 'Look at the state of the subject; detail says what is possible instead.',
  },
  namespace_locked: {
    status: 423,
    title: 'The namespace is locked',
    remedy: 'Ask those who hold the authority of the namespace to unlock it.',
  },
  limit_exceeded: {
    status: 422,
    title: 'The change would exceed a limit',
    remedy: 'Ask for less, or split the request; detail names the limit.',
  },
  no_change: { status: 409, title: 'Nothing would change', remedy: 'There is nothing to do.' },

  may_only_tighten: {
    status: 409,
    title: 'Only tightening is possible here',
    remedy: 'Loosen with a namespace revision of a higher epoch, signed by the authority.',
  },
  key_in_use: { status: 409, title: 'The key belongs to something else', remedy: 'Use another key.' },

  code_taken: { status: 409, title: 'The code is taken', remedy: 'Choose another code.' },
  entitlement_type: {
    status: 422,
    title: 'A grant does not fit its type in the catalog',
    remedy: 'Correct the grant, or change the catalog of the product first.',
  },
  in_use: {
    status: 409,
    title: 'Something active depends on this',
    remedy: 'Retire or change what depends on it first.',
  },

  reference_taken: {
    status: 409,
    title: 'Another customer has this reference',
    remedy: 'Use that customer, or another reference.',
  },
  merge_cycle: {
    status: 409,
    title: 'The customers are merged the other way around already',
    remedy: 'Choose another customer to merge into.',
  },
  customer_unknown: { status: 422, title: 'There is no such customer', remedy: 'Check the id or reference.' },
  customer_not_active: {
    status: 409,
    title: 'The customer was merged or erased',
    remedy: 'Choose an active customer.',
  },

  plan_unknown: { status: 422, title: 'There is no such plan', remedy: 'Check the id or code.' },
  plan_retired: { status: 409, title: 'The plan is no longer sold', remedy: 'Choose a plan that is active.' },
  plan_kind: {
    status: 422,
    title: 'An add-on stands where a base plan belongs, or the reverse',
    remedy: 'Choose a plan of the other kind.',
  },
  plan_product_mismatch: {
    status: 422,
    title: 'The plan belongs to another product',
    remedy: 'Choose a plan of the same product, or issue a new license.',
  },
  entitlement_unknown: {
    status: 422,
    title: 'The catalog has no such entitlement',
    remedy: 'Correct the code, or add it to the catalog of the product first.',
  },
  addon_conflict: {
    status: 422,
    title: 'Plan and add-ons cannot be combined',
    remedy: 'Leave one of the add-ons out.',
  },
  term_invalid: {
    status: 422,
    title: 'The term makes no sense',
    remedy: 'Correct the dates that detail names.',
  },
  trial_used: { status: 409, title: 'The customer already had this trial', remedy: 'Sell a plan instead.' },
  seats_unsupported: {
    status: 422,
    title: 'The plan needs activations, which this version does not have',
    remedy: 'Choose or change a plan so that it works without them.',
  },

  term_not_later: {
    status: 409,
    title: 'The license already runs as long',
    remedy: 'Choose a later end.',
  },
  perpetual: {
    status: 409,
    title: 'The license never ends',
    remedy: 'Renew its updates alone, where those end.',
  },
  already_suspended: {
    status: 409,
    title: 'The license is suspended already',
    remedy: 'There is nothing to do.',
  },
  not_suspended: { status: 409, title: 'The license is not suspended', remedy: 'There is nothing to do.' },
  already_revoked: {
    status: 409,
    title: 'The license is revoked already',
    remedy: 'Revoking is final; replace the license to undo it.',
  },
  successor_unknown: {
    status: 422,
    title: 'The successor does not exist',
    remedy: 'Issue the successor first, or leave it out.',
  },
  successor_cycle: {
    status: 409,
    title: 'The successor leads back to this license',
    remedy: 'Choose another successor.',
  },
  same_customer: {
    status: 409,
    title: 'The license belongs to this customer already',
    remedy: 'Name another customer.',
  },

  principal_unknown: { status: 422, title: 'There is no such principal', remedy: 'Check the id.' },
  credential_taken: {
    status: 409,
    title: 'Another credential is found by the same name',
    remedy: 'Revoke that credential first, or use another.',
  },
  last_administrator: {
    status: 409,
    title: 'Nobody would be left who can manage principals',
    remedy: 'Make somebody else administrator first.',
  },
  approval_not_needed: {
    status: 422,
    title: 'No rule asks for approvals of this command',
    remedy: 'Ask for the command itself.',
  },
  approval_void: {
    status: 409,
    title: 'The rules have changed since the request was made',
    remedy: 'Ask anew; approvals under the rules of before do not count.',
  },
  not_an_approver: {
    status: 403,
    title: 'The request waits for the approval of other roles',
    remedy: 'Ask somebody who has a role that detail names.',
  },
  not_approved: {
    status: 409,
    title: 'The request does not have the approvals that it needs',
    remedy: 'Wait for them; the request says which ones are missing.',
  },
  own_request: {
    status: 403,
    title: 'Nobody approves what they asked for themselves',
    remedy: 'Ask somebody else to approve it.',
  },

  already_started: { status: 409, title: 'The term has started already', remedy: 'There is nothing to do.' },
  below_seats_in_use: {
    status: 409,
    title: 'More seats are in use than would remain',
    remedy: 'Release activations first.',
  },
  reset_cooldown: {
    status: 409,
    title: 'The seats were reset too recently',
    remedy: 'Wait until the time that detail names.',
  },
  seats_exhausted: {
    status: 409,
    title: 'All seats are in use',
    remedy: 'Release an activation, or add seats to the license.',
  },
  binding_in_use: {
    status: 409,
    title: 'The device is bound to another activation',
    remedy: 'Release that activation first.',
  },
  binding_not_allowed: {
    status: 422,
    title: 'The plan does not allow this binding',
    remedy: 'Use a kind of binding that the plan allows.',
  },
  license_not_active: {
    status: 409,
    title: 'The license is not active',
    remedy: 'Reinstate or replace the license first.',
  },
  borrow_too_long: {
    status: 422,
    title: 'The seat may not be borrowed for this long',
    remedy: 'Ask for a shorter time.',
  },
  rehost_cooldown: {
    status: 409,
    title: 'The license moved between devices too often',
    remedy: 'Wait until the time that detail names.',
  },
  would_decrease: {
    status: 409,
    title: 'Recorded usage never decreases',
    remedy: 'Report the larger count.',
  },
  period_open: {
    status: 409,
    title: 'The period is not over yet',
    remedy: 'Close the period after its end.',
  },
  gap: {
    status: 409,
    title: 'A period or segment before this one is missing',
    remedy: 'Send the missing one first.',
  },
} as const;
