import { describe, expect, it } from 'vitest';
import { type LoggedRecord, problemsOf, type Seen } from './support/history.ts';

const log: LoggedRecord[] = [
  { index: 4, id: 'a', rev: 0, key: 'k0' },
  { index: 5, id: 'b', rev: 0, key: 'k1' },
  { index: 7, id: 'a', rev: 1, key: 'k2' },
];

const done = (key: string, id: string, index: number, rev: number, begun: number, ended: number): Seen => ({
  kind: 'change',
  key,
  id,
  begun,
  ended,
  outcome: { done: { index, rev } },
});
const read = (id: string, rev: number, begun: number, ended: number): Seen => ({
  kind: 'read',
  id,
  rev,
  begun,
  ended,
});

describe('a history', () => {
  it('is explained where the log has all of it in an order that fits the times', () => {
    const seen: Seen[] = [
      done('k0', 'a', 4, 0, 0, 5),
      done('k1', 'b', 5, 0, 1, 3),
      done('k2', 'a', 7, 1, 6, 9),
      read('a', 0, 5.5, 7),
      read('a', 1, 7, 8),
      read('a', 1, 10, 11),
      { kind: 'change', key: 'k9', id: 'c', begun: 0, ended: 1, outcome: 'unknown' },
      { kind: 'change', key: 'k8', id: 'c', begun: 0, ended: 1, outcome: 'not_done' },
    ];
    expect(problemsOf(seen, log)).toEqual([]);
  });

  const broken: [string, Seen[], LoggedRecord[], RegExp][] = [
    ['something acknowledged is gone', [done('k3', 'c', 8, 0, 0, 1)], log, /acknowledged at 8.*nothing/],
    ['another record stands in its place', [done('k3', 'c', 5, 0, 0, 1)], log, /acknowledged at 5.*b rev 0/],
    ['a command was applied twice', [], [...log, { index: 9, id: 'd', rev: 0, key: 'k0' }], /again at 9/],
    [
      'a revision stands twice',
      [],
      [...log, { index: 9, id: 'a', rev: 1, key: 'k7' }],
      /stands at 7 and at 9/,
    ],
    [
      'a denied change was made',
      [{ kind: 'change', key: 'k1', id: 'b', begun: 0, ended: 1, outcome: 'not_done' }],
      log,
      /denied, and stands at 5/,
    ],
    [
      'what was asked for later came earlier',
      [done('k2', 'a', 7, 1, 0, 1), done('k1', 'b', 5, 0, 2, 3)],
      log,
      /entry 5 was asked for after 7/,
    ],
    [
      'a read misses what was acknowledged',
      [done('k2', 'a', 7, 1, 0, 1), read('a', 0, 2, 3)],
      log,
      /rev 0 after rev 1/,
    ],
    ['reads go back', [read('a', 1, 0, 1), read('a', 0, 2, 3)], log, /rev 0 after rev 1/],
    ['a read shows what never was', [read('a', 2, 0, 1)], log, /does not have/],
  ];
  it.each(broken)('is not explained where %s', (_case, seen, records, problem) => {
    expect(problemsOf(seen, records)).toEqual([expect.stringMatching(problem)]);
  });
});
