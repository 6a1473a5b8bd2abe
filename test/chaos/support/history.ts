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
   * again; `unknown` where nobody said.
   */
  outcome: { done: { index: number; rev: number } } | 'not_done' | 'unknown';
}

/** What a server that writes said of a license. */
export interface SeenState extends Timed {
  kind: 'read';
  id: string;
  rev: number;
}

export type Seen = SeenChange | SeenState;

/** A record of the log in the end. */
export interface LoggedRecord {
  index: number;
  id: string;
  rev: number;
  /** Idempotency key of its command; null where it had none. */
  key: string | null;
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
    ...staleReads(reads, changes),
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
    if (typeof outcome !== 'object') return [];
    const { index, rev } = outcome.done;
    const found = byIndex.get(index);
    if (found?.id === id && found.rev === rev && found.key === key) return [];
    return [`${id} rev ${rev} was acknowledged at ${index}, where the log has ${describe(found)}`];
  });
}

function deniedAndThere(changes: readonly SeenChange[], log: readonly LoggedRecord[]): string[] {
  const byKey = new Map(log.map((record) => [record.key, record]));
  return changes.flatMap(({ key, outcome }) => {
    const found = outcome === 'not_done' ? byKey.get(key) : undefined;
    return found === undefined ? [] : [`key ${key} was denied, and stands at ${found.index}`];
  });
}

/** What ended before another began stands before it. */
function outOfOrder(changes: readonly SeenChange[]): string[] {
  const done = changes.flatMap(({ begun, ended, outcome }) =>
    typeof outcome === 'object' ? [{ begun, ended, index: outcome.done.index }] : [],
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

/** A read covers what was acknowledged, or read, before it began. */
function staleReads(reads: readonly SeenState[], changes: readonly SeenChange[]): string[] {
  const known = [
    ...reads.map(({ id, rev, ended }) => ({ id, rev, ended })),
    ...changes.flatMap(({ id, ended, outcome }) =>
      typeof outcome === 'object' ? [{ id, rev: outcome.done.rev, ended }] : [],
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
  const revisions = new Set(log.map(({ id, rev }) => `${id} ${rev}`));
  return reads.flatMap(({ id, rev }) =>
    revisions.has(`${id} ${rev}`) ? [] : [`${id} was read at rev ${rev}, which the log does not have`],
  );
}

function describe(record: LoggedRecord | undefined): string {
  return record === undefined ? 'nothing' : `${record.id} rev ${record.rev} under key ${record.key}`;
}
