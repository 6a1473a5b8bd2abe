/** The value below which `percent` of a sorted list lies (nearest rank); NaN for an empty list. */
export function percentile(sorted: readonly number[], percent: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1] as number;
}

/** The middle value, or the mean of the two middle ones; NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  if (sorted.length % 2 === 1) return upper;
  return (upper + (sorted[sorted.length / 2 - 1] ?? Number.NaN)) / 2;
}

/**
 * Runs A B A B …, so that whatever drifts on the machine (heat, a neighbor's job, a filling disk) falls on every
 * variant alike. Returns each variant's results in the order of the rounds.
 */
export async function interleave<Name extends string, Result>(
  rounds: number,
  variants: Readonly<Record<Name, (round: number) => Promise<Result>>>,
): Promise<Record<Name, Result[]>> {
  const names = Object.keys(variants) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Result[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) results[name].push(await variants[name](round));
  }
  return results;
}

export interface PairRatios {
  /** a / b of each round. */
  readonly ratios: readonly number[];
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Compares two interleaved variants round by round. Throws when the rounds do not pair up. */
export function pairRatios(a: readonly number[], b: readonly number[]): PairRatios {
  if (a.length !== b.length || a.length === 0) throw new Error('rounds do not pair up');
  const ratios = a.map((value, round) => value / (b[round] as number));
  return { ratios, median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

/** `2.07 (1.98–2.11)`: the median ratio and the range of the rounds. */
export function formatRatios(ratios: PairRatios): string {
  return `${ratios.median.toFixed(2)} (${ratios.min.toFixed(2)}–${ratios.max.toFixed(2)})`;
}

/** A number with thousands separators and `digits` decimals. */
export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A Markdown table; the first column is aligned left, the others right. Throws on a row of another width. */
export function markdownTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  for (const row of rows) {
    if (row.length !== headers.length)
      throw new Error(`a row has ${row.length} cells under ${headers.length} headers`);
  }
  const rule = `|${headers.map((_, column) => (column === 0 ? '---' : '---:')).join('|')}|`;
  return [line(headers), rule, ...rows.map(line)].join('\n');
}
