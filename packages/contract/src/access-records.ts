/** What the access log keeps of a request to each route. A test holds this table against that of the routes. */

/**
 * - `durable`: answered once its record is on disk. For what shows somebody's documents, and hands things out.
 * - `batched`: its record is on disk within a second. For what is public, or says nothing of anybody.
 * - `change`: as `batched`, since the main log says what changed and why; refused while nothing can be recorded.
 * - `none`: what operators ask every few seconds.
 */
export type AccessRecording = 'durable' | 'batched' | 'change' | 'none';

const reads = (name: string): Record<string, AccessRecording> => ({
  [`${name}.list`]: 'durable',
  [`${name}.get`]: 'durable',
  [`${name}.history`]: 'durable',
});
const changes = (name: string, ...verbs: string[]): Record<string, AccessRecording> =>
  Object.fromEntries(verbs.map((verb) => [`${name}.${verb}`, 'change']));

export const accessRecordings: Readonly<Record<string, AccessRecording>> = {
  'log.checkpoint': 'batched',
  'log.tile': 'batched',
  'log.contents': 'durable',
  'log.access': 'batched',
  'log.status': 'batched',
  'log.entry': 'batched',
  'trust.get': 'batched',
  'trust.keys': 'batched',
  'trust.namespace': 'batched',
  'trust.brake': 'batched',
  'trust.publish': 'change',
  'namespace.revise': 'change',
  'recovery.describe': 'batched',
  'recovery.submit': 'change',
  'brake.tighten': 'change',
  ...reads('product'),
  ...changes('product', 'create', 'update', 'retire'),
  ...reads('plan'),
  ...changes('plan', 'create', 'update', 'retire'),
  ...reads('customer'),
  ...changes('customer', 'create', 'update', 'merge', 'erase'),
  ...reads('license'),
  'license.bundle': 'durable',
  'license.custody': 'durable',
  ...changes('license', 'issue', 'amend', 'renew', 'change_plan', 'suspend', 'reinstate', 'revoke'),
  ...changes('license', 'replace', 'transfer', 'rekey', 'reissue'),
  ...reads('principal'),
  ...changes('principal', 'create', 'update', 'assign', 'grant', 'disable', 'enable'),
  ...reads('credential'),
  ...changes('credential', 'create', 'expire', 'revoke'),
  'policy.get': 'durable',
  'policy.history': 'durable',
  'policy.shadow': 'durable',
  ...changes('policy', 'publish', 'drop_access'),
  ...reads('approval'),
  ...changes('approval', 'request', 'approve', 'reject', 'withdraw', 'execute'),
  'session.list': 'durable',
  'session.current': 'batched',
  'session.end': 'durable',
  // That somebody was let in is a record of its own, which comes first.
  'login.describe': 'batched',
  'login.password': 'durable',
  'enrollment.begin': 'durable',
  'enrollment.finish': 'durable',
  // Customers' machines fetch their own file, with a key that only they have: that is a validation.
  'bundle.fetch': 'batched',
  'access.list': 'durable',
  'event.stream': 'durable',
  'openapi.get': 'batched',
  'metrics.get': 'none',
  'health.get': 'none',
  'ready.get': 'none',
  'primary.get': 'none',
};

/**
 * Whether the record of an answer has to be on disk before it is given. Denials always, and what nobody thought of.
 *
 * @param name of the route; null where none took the request
 */
export function isRecordedFirst(name: string | null, status: number): boolean {
  if (status === 401 || status === 403) return true;
  return name !== null && (accessRecordings[name] ?? 'durable') === 'durable';
}
