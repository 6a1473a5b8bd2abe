import { expect, test } from 'vitest';
import { formatRatios, interleave, markdownTable, median, pairRatios, percentile } from '../report.ts';

test('percentiles are nearest-rank values of the list itself', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([0, 1, 50, 99, 100].map((percent) => percentile(hundred, percent))).toEqual([1, 1, 50, 99, 100]);
  expect(percentile([7], 99)).toBe(7);
  expect(percentile([], 50)).toBeNaN();
});

test('the median does not depend on the order and leaves the list alone', () => {
  const values = [9, 1, 5];
  expect(median(values)).toBe(5);
  expect(values).toEqual([9, 1, 5]);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('variants take turns, one at a time', async () => {
  const order: string[] = [];
  const variant =
    (name: string) =>
    async (round: number): Promise<string> => {
      order.push(`${name}${round} in`);
      await Promise.resolve();
      order.push(`${name}${round} out`);
      return `${name}${round}`;
    };
  const results = await interleave(2, { a: variant('a'), b: variant('b') });
  expect(order).toEqual(['a0 in', 'a0 out', 'b0 in', 'b0 out', 'a1 in', 'a1 out', 'b1 in', 'b1 out']);
  expect(results).toEqual({ a: ['a0', 'a1'], b: ['b0', 'b1'] });
});

test('ratios are taken within a round, so a slow round counts on both sides', () => {
  const ratios = pairRatios([200, 20, 220], [100, 10, 100]);
  expect(ratios).toEqual({ ratios: [2, 2, 2.2], median: 2, min: 2, max: 2.2 });
  expect(formatRatios(ratios)).toBe('2.00 (2.00–2.20)');
  expect(() => pairRatios([1, 2], [1])).toThrow('pair up');
});

test('a table keeps its cells in their columns', () => {
  expect(markdownTable(['name', 'rate'], [['a|b', '1']])).toBe('| name | rate |\n|---|---:|\n| a\\|b | 1 |');
  expect(() => markdownTable(['name', 'rate'], [['a']])).toThrow('1 cells');
});
