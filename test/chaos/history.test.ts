import { describe, expect, it } from 'vitest';
import { type LoggedRecord, problemsOf, type Seen } from './support/history.ts';

const log: LoggedRecord[] = [
  { index: 4, id: 'a', rev: 0, key: 'k0', document: 'a0' },
  { index: 5, id: 'b', rev: 0, key: 'k1', document: 'b0' },
  { index: 7, id: 'a', rev: 1, key: 'k2', document: 'a1' },
];

const done = (key: string, id: string, index: number, rev: number, begun: number, ended: number): Seen => ({
  kind: 'change',
  key,
  id,
  begun,
  ended,
  outcome: { done: { index, rev, document: `${id}${rev}` } },
});
const read = (
  id: string,
  rev: number,
  begun: number,
  ended: number,
  follower: string | null = null,
): Seen => ({
  kind: 'read',
  id,
  rev,
  document: rev === -1 ? '' : `${id}${rev}`,
  follower,
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
      read('c', -1, 10, 11),
      read('a', 0, 10, 11, 'two'),
      read('a', 1, 12, 13, 'two'),
      read('a', -1, 12, 13, 'one'),
      { kind: 'change', key: 'k9', id: 'c', begun: 0, ended: 1, outcome: 'unknown' },
      { kind: 'change', key: 'k8', id: 'c', begun: 0, ended: 1, outcome: 'not_done' },
    ];
    expect(problemsOf(seen, log)).toEqual([]);
  });

  const broken: [string, Seen[], LoggedRecord[], RegExp][] = [
    ['something acknowledged is gone', [done('k3', 'c', 8, 0, 0, 1)], log, /acknowledged at 8.*nothing/],
    ['another record stands in its place', [done('k3', 'c', 5, 0, 0, 1)], log, /acknowledged at 5.*b rev 0/],
    [
      'a command was applied twice',
      [],
      [...log, { index: 9, id: 'd', rev: 0, key: 'k0', document: 'd0' }],
      /again at 9/,
    ],
    [
      'a revision stands twice',
      [],
      [...log, { index: 9, id: 'a', rev: 1, key: 'k7', document: 'a1' }],
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
    [
      'a license that is there is not found',
      [done('k2', 'a', 7, 1, 0, 1), read('a', -1, 2, 3)],
      log,
      /rev -1 after rev 1/,
    ],
    [
      'reads of one that follows go back',
      [read('a', 1, 0, 1, 'two'), read('a', 0, 2, 3, 'two')],
      log,
      /rev 0 after rev 1/,
    ],
    [
      'a read shows another document',
      [{ ...read('a', 1, 0, 1), document: 'x' } as Seen],
      log,
      /another document/,
    ],
    [
      'an answer shows another document',
      [
        {
          kind: 'change',
          key: 'k1',
          id: 'b',
          begun: 0,
          ended: 1,
          outcome: { done: { index: 5, rev: 0, document: 'x' } },
        },
      ],
      log,
      /another document/,
    ],
    ['a read shows what never was', [read('a', 2, 0, 1)], log, /does not have/],
  ];
  const state = (index: number, rev: number, name: string): LoggedRecord => ({
    index,
    id: 'a',
    rev,
    key: `k${index}`,
    document: JSON.stringify({ status: { state: name } }),
  });
  const states = [state(1, 0, 'active'), state(2, 1, 'suspended'), state(3, 2, 'active')];
  const made = states.map(({ index, rev, document }): Seen => {
    const outcome = { done: { index, rev, document } };
    return { kind: 'change', key: `k${index}`, id: 'a', begun: index * 10, ended: index * 10 + 2, outcome };
  });
  const refused = (begun: number, ended: number): Seen[] => [
    ...made,
    { kind: 'change', key: 'r', id: 'a', begun, ended, outcome: { refused: 'suspend' } },
  ];

  it('explains a refusal by a state that may have been the newest meanwhile', () => {
    expect(problemsOf(refused(23, 29), states)).toEqual([]);
    expect(problemsOf(refused(15, 21), states)).toEqual([]);
    expect(problemsOf(refused(31, 40), states)).toEqual([]);
  });

  it.each([
    [13, 19],
    [33, 40],
  ])('does not explain one from %d to %d, while it was allowed', (begun, ended) => {
    expect(problemsOf(refused(begun, ended), states)).toEqual([
      expect.stringMatching(/no state that forbids/),
    ]);
  });

  it.each(broken)('is not explained where %s', (_case, seen, records, problem) => {
    expect(problemsOf(seen, records)).toEqual([expect.stringMatching(problem)]);
  });
});
