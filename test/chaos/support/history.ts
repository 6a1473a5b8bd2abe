/**
 * Judges what clients saw of a log through faults. The log index is the order in which changes took effect, so that
 * checking takes O(n log n): no search for an order is needed.
 */

/** One request of a client, with the times of its own clock, in milliseconds. */
interface Timed {
  begun: number;
  ended: number;
}

/** A change as its caller saw it end. */
export interface SeenChange extends Timed {
  kind: 'change';
  /** Idempotency key. */
  key: string;
  id: string;
  /**
   * `done` with its place in the log; `not_done` where the server said that nothing was changed, and it was not asked
   * again; `refused` where it said that the license does not allow this verb as it stands; `unknown` where nobody said.
   * `document` is what the answer showed of the license.
   */
  outcome:
    | { done: { index: number; rev: number; document: string } }
    | { refused: string }
    | 'not_done'
    | 'unknown';
}

/** What a server said of a license. */
export interface SeenState extends Timed {
  kind: 'read';
  id: string;
  /** -1 where it said that there is none. */
  rev: number;
  /** What it showed; '' where there is none. */
  document: string;
  /** Name of a server that followed the log; null where it was one that wrote. */
  follower: string | null;
}

export type Seen = SeenChange | SeenState;

/** A record of the log in the end. */
export interface LoggedRecord {
  index: number;
  id: string;
  rev: number;
  /** Idempotency key of its command; null where it had none. */
  key: string | null;
  /** The license as the record says it. */
  document: string;
}

/** What is wrong, one sentence each; nothing where a sequential log explains everything that was seen. */
export function problemsOf(seen: readonly Seen[], log: readonly LoggedRecord[]): string[] {
  const changes = seen.filter((each) => each.kind === 'change');
  const reads = seen.filter((each) => each.kind === 'read');
  return [
    ...doubled(log),
    ...acknowledgedAndMissing(changes, log),
    ...deniedAndThere(changes, log),
    ...outOfOrder(changes),
    ...refusedWithoutReason(changes, log),
    ...staleReads(
      reads.filter(({ follower }) => follower === null),
      changes,
    ),
    ...followers(reads).flatMap((own) => staleReads(own, [])),
    ...inventedReads(reads, log),
  ];
}

/** No command was applied twice, and no revision stands twice. */
function doubled(log: readonly LoggedRecord[]): string[] {
  const keys = new Map<string, number>();
  const revisions = new Map<string, number>();
  return log.flatMap(({ index, id, rev, key }) => {
    const found: string[] = [];
    const revision = `${id} rev ${rev}`;
    const [first, earlier] = [key === null ? undefined : keys.get(key), revisions.get(revision)];
    if (first !== undefined) found.push(`key ${key} was applied at ${first} and again at ${index}`);
    if (earlier !== undefined) found.push(`${revision} stands at ${earlier} and at ${index}`);
    if (key !== null) keys.set(key, index);
    revisions.set(revision, index);
    return found;
  });
}

function acknowledgedAndMissing(changes: readonly SeenChange[], log: readonly LoggedRecord[]): string[] {
  const byIndex = new Map(log.map((record) => [record.index, record]));
  return changes.flatMap(({ key, id, outcome }) => {
    if (!isDone(outcome)) return [];
    const { index, rev, document } = outcome.done;
    const found = byIndex.get(index);
    if (found?.id === id && found.rev === rev && found.key === key)
      return found.document === document ? [] : [`${id} rev ${rev} was acknowledged with another document`];
    return [`${id} rev ${rev} was acknowledged at ${index}, where the log has ${describe(found)}`];
  });
}

function deniedAndThere(changes: readonly SeenChange[], log: readonly LoggedRecord[]): string[] {
  const byKey = new Map(log.map((record) => [record.key, record]));
  return changes.flatMap(({ key, outcome }) => {
    const found = outcome === 'unknown' || isDone(outcome) ? undefined : byKey.get(key);
    return found === undefined ? [] : [`key ${key} was denied, and stands at ${found.index}`];
  });
}

function isDone(outcome: SeenChange['outcome']): outcome is Extract<SeenChange['outcome'], { done: object }> {
  return typeof outcome === 'object' && 'done' in outcome;
}

/** States of a license in which a verb is allowed. */
const allowedIn: Record<string, readonly string[]> = {
  suspend: ['active'],
  reinstate: ['suspended'],
  revoke: ['active', 'suspended'],
};

/** At some time while it was asked for, the license may have been in a state that forbids it. */
function refusedWithoutReason(changes: readonly SeenChange[], log: readonly LoggedRecord[]): string[] {
  const byId = Map.groupBy(log, ({ id }) => id);
  const times = new Map(
    changes.flatMap(({ id, outcome, begun, ended }) =>
      isDone(outcome) ? [[`${id} ${outcome.done.rev}`, { begun, ended }] as const] : [],
    ),
  );
  return changes.flatMap(({ id, key, outcome, begun, ended }) => {
    if (typeof outcome !== 'object' || isDone(outcome)) return [];
    const possible = (byId.get(id) ?? []).filter(({ rev }) => {
      const [own, next] = [times.get(`${id} ${rev}`), times.get(`${id} ${rev + 1}`)];
      return (own?.begun ?? 0) <= ended && (next?.ended ?? Number.POSITIVE_INFINITY) >= begun;
    });
    const allowed = allowedIn[outcome.refused] ?? [];
    if (possible.some(({ document }) => !allowed.includes(stateOf(document)))) return [];
    return [`key ${key} was refused, and ${id} was in no state that forbids it`];
  });
}

function stateOf(document: string): string {
  return (JSON.parse(document) as { status: { state: string } }).status.state;
}

/** What ended before another began stands before it. */
function outOfOrder(changes: readonly SeenChange[]): string[] {
  const done = changes.flatMap(({ begun, ended, outcome }) =>
    isDone(outcome) ? [{ begun, ended, index: outcome.done.index }] : [],
  );
  const byBegin = done.toSorted((a, b) => a.begun - b.begun);
  const byEnd = done.toSorted((a, b) => a.ended - b.ended);
  const problems: string[] = [];
  let next = 0;
  let highest = -1;
  for (const { begun, index } of byBegin) {
    for (; (byEnd[next]?.ended ?? Number.POSITIVE_INFINITY) < begun; next++)
      highest = Math.max(highest, byEnd[next]?.index ?? -1);
    if (index < highest) problems.push(`entry ${index} was asked for after ${highest} had been acknowledged`);
  }
  return problems;
}

/** A server that follows may be behind, and goes no further back: what each of them said. */
function followers(reads: readonly SeenState[]): SeenState[][] {
  const byName = Map.groupBy(reads, ({ follower }) => follower);
  byName.delete(null);
  return [...byName.values()];
}

/** A read covers what was acknowledged, or read, before it began. */
function staleReads(reads: readonly SeenState[], changes: readonly SeenChange[]): string[] {
  const known = [
    ...reads.map(({ id, rev, ended }) => ({ id, rev, ended })),
    ...changes.flatMap(({ id, ended, outcome }) =>
      isDone(outcome) ? [{ id, rev: outcome.done.rev, ended }] : [],
    ),
  ].toSorted((a, b) => a.ended - b.ended);
  const newest = new Map<string, number>();
  let next = 0;
  return reads
    .toSorted((a, b) => a.begun - b.begun)
    .flatMap(({ id, rev, begun }) => {
      for (let each = known[next]; each !== undefined && each.ended < begun; each = known[++next])
        newest.set(each.id, Math.max(newest.get(each.id) ?? -1, each.rev));
      const before = newest.get(id) ?? -1;
      return rev < before ? [`${id} was read at rev ${rev} after rev ${before} was known`] : [];
    });
}

function inventedReads(reads: readonly SeenState[], log: readonly LoggedRecord[]): string[] {
  const revisions = new Map(log.map(({ id, rev, document }) => [`${id} ${rev}`, document]));
  return reads.flatMap(({ id, rev, document }) => {
    if (rev === -1) return [];
    const found = revisions.get(`${id} ${rev}`);
    if (found === undefined) return [`${id} was read at rev ${rev}, which the log does not have`];
    return found === document ? [] : [`${id} was read at rev ${rev} with another document`];
  });
}

/** The same text for the same document, however its members are ordered. */
export function textOf(document: unknown): string {
  return JSON.stringify(document, (_, value: unknown) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  });
}

function describe(record: LoggedRecord | undefined): string {
  return record === undefined ? 'nothing' : `${record.id} rev ${record.rev} under key ${record.key}`;
}
