/** Problems of requests and of the service itself. See `ProblemMeaning` for the members. */
export const serviceProblems = {
  // The request cannot be read.
  malformed_request: {
    status: 400,
    title: 'The request is malformed',
    remedy: 'Correct the part that path names and send the request again.',
    retryable: false,
  },
  unknown_member: {
    status: 400,
    title: 'The request has a member that does not exist',
    remedy: 'Check the spelling of the member that path names, or leave it out.',
    retryable: false,
  },
  idempotency_key_invalid: {
    status: 400,
    title: 'The Idempotency-Key is invalid',
    remedy: 'Send 1 to 128 printable ASCII characters without spaces, such as a random UUID.',
    retryable: false,
  },
  shadow_needed: {
    status: 409,
    title: 'Nobody has looked what this policy would decide otherwise, or it would',
    remedy: 'Run a shadow on it, or publish it with despiteShadow and a reason.',
    retryable: false,
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    remedy: 'Send less; the limit of each route is in its description.',
    retryable: false,
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body is not JSON',
    remedy: 'Send JSON with Content-Type: application/json.',
    retryable: false,
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    remedy: 'Check the address; each listener serves only the routes of its zone.',
    retryable: false,
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed here',
    remedy: 'Use one of the methods that the Allow header lists.',
    retryable: false,
  },

  // The caller may not.
  unauthorized: {
    status: 401,
    title: 'The request has no valid credential',
    remedy: 'Send a valid token as Authorization: Bearer.',
    retryable: false,
  },
  forbidden: {
    status: 403,
    title: 'The credential does not allow this',
    remedy: 'Use a credential that is meant for this route; a mirror token reads the log only.',
    retryable: false,
  },
  insufficient_user_authentication: {
    status: 401,
    title: 'The proof that somebody is there is too old',
    remedy: 'Confirm with your passkey (tally login --step-up), then send the request again.',
    retryable: false,
  },
  content_key_missing: {
    status: 409,
    title: 'No content key is known of this mirror',
    remedy: 'Have the host of the server allow the content key of this principal (tally content-key allow).',
    retryable: false,
  },
  reason_required: {
    status: 403,
    title: 'The change needs a reason',
    remedy: 'Say why in Tally-Reason: a ticket, or a few words. It goes on the record.',
    retryable: false,
  },
  signature_required: {
    status: 403,
    title: 'The request has to be signed',
    remedy: 'Sign the request with a key of the caller (HTTP Message Signatures, RFC 9421).',
    retryable: false,
  },
  approval_required: {
    status: 409,
    title: 'Others have to approve this first',
    remedy:
      'The request was stored and waits: see details.approval. It is carried out once enough have approved.',
    retryable: false,
  },
  rate_limited: {
    status: 429,
    title: 'There were too many requests',
    remedy: 'Wait as long as the Retry-After header says, then send the request again.',
    retryable: true,
  },
  license_key_unknown: {
    status: 404,
    title: 'No license has this key',
    remedy: 'Check the license key; a license that was given a new key no longer answers to the old one.',
    retryable: false,
  },

  // Idempotency.
  idempotency_key_reused: {
    status: 409,
    title: 'The Idempotency-Key was used for another request',
    remedy: 'Choose a new key for a new request; repeat the old request only as it was.',
    retryable: false,
  },

  // The service cannot, for now. Nothing was changed unless it says that it is unknown.
  overloaded: {
    status: 503,
    title: 'The server has too much to do',
    remedy: 'Nothing was changed. Wait as long as the Retry-After header says, then send the request again.',
    retryable: true,
  },
  not_committed: {
    status: 503,
    title: 'The change was not committed',
    remedy: 'Nothing was changed. Send the same request again with the same Idempotency-Key.',
    retryable: true,
  },
  outcome_unknown: {
    status: 503,
    title: 'It is not known whether the change was committed',
    remedy:
      'Send the same request again with the same Idempotency-Key: it changes at most once, and you learn how it ended.',
    retryable: true,
  },
  store_unavailable: {
    status: 503,
    title: 'The database of the log does not answer',
    remedy: 'Nothing was read and nothing was changed. Send the request again once the database is back.',
    retryable: true,
  },
  access_log_unavailable: {
    status: 503,
    title: 'What is asked cannot be recorded',
    remedy:
      'Nothing was changed and nothing was handed out. Make room for the access log or mend its disk, then send the request again.',
    retryable: true,
  },
  publication_stalled: {
    status: 503,
    title: 'Changes are refused while the log cannot publish',
    remedy:
      'Nothing was changed. See GET /v1/log for what is missing; try again once the quorum and the signer are back.',
    retryable: true,
  },
  standby: {
    status: 503,
    title: 'This server follows the log and does not write it',
    remedy: 'Nothing was changed. Send the request to the server that detail names.',
    retryable: true,
  },
  signer_unavailable: {
    status: 503,
    title: 'The signer cannot be reached',
    remedy: 'Nothing was changed. Start the signer or check its socket, then send the request again.',
    retryable: true,
  },
  signer_refused: {
    status: 403,
    title: 'The signer refused to sign',
    remedy:
      'Nothing was changed. The change exceeds what the policy of the key allows; detail says which limit.',
    retryable: false,
  },
  clock_differs: {
    status: 503,
    title: "The signer's clock and the cosigners' differ",
    remedy:
      'Nothing was changed. Set the clock of the host of the signer right, then send the request again.',
    retryable: true,
  },
  namespace_refused: {
    status: 409,
    title: 'The namespace revision was refused',
    remedy: 'Nothing was changed. Detail says why; propose it anew and let the authority sign that.',
    retryable: false,
  },
  trust_refused: {
    status: 409,
    title: 'The trust root was refused',
    remedy: 'Nothing was changed. Detail says why; see tally root verify.',
    retryable: false,
  },
  log_behind: {
    status: 503,
    title: 'The log of this server is behind what was signed before',
    remedy:
      'Nothing was changed. The log was rolled back or restored from an old copy: restore the entries that details names.',
    retryable: true,
  },
  signer_behind: {
    status: 503,
    title: 'The memory of the signer is behind what was signed before',
    remedy:
      'Nothing was changed. The mark of the signer was put back, or its log key is used elsewhere: put the newest mark back.',
    retryable: true,
  },
  not_published_yet: {
    status: 409,
    title: 'This is not published yet',
    remedy: 'It is durable. Ask again after the next checkpoint, or send mutations with wait=published.',
    retryable: true,
  },
  report_too_large: {
    status: 409,
    title: 'The report would be too large',
    remedy: 'Ask for less of the history with from and to, and for the rest in further reports.',
    retryable: false,
  },
  integrity: {
    status: 500,
    title: 'Stored data does not match its commitment',
    remedy:
      'Nothing was served. Somebody or something altered the data: run the integrity check and restore it.',
    retryable: false,
  },
  internal: {
    status: 500,
    title: 'The server failed',
    remedy: 'Report the request id. Repeat a mutation only with the same Idempotency-Key.',
    retryable: true,
  },
} as const;
