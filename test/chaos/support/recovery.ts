/** How long nothing was acknowledged around faults of each kind. */
export class Recovery {
  readonly #byKind = new Map<string, number[]>();

  note(kind: string, ms: number): void {
    this.#byKind.set(kind, [...(this.#byKind.get(kind) ?? []), ms]);
  }

  get kinds(): number {
    return this.#byKind.size;
  }

  /** A table in Markdown, the slowest kind first; milliseconds. */
  get table(): string {
    const rows = [...this.#byKind].map(([kind, times]) => {
      const sorted = times.toSorted((a, b) => a - b);
      const at = (nth: number): number => sorted[Math.floor(nth)] ?? 0;
      const median = (at((sorted.length - 1) / 2) + at(sorted.length / 2)) / 2;
      return { kind, count: sorted.length, median, max: sorted.at(-1) ?? 0 };
    });
    const lines = rows
      .toSorted((a, b) => b.median - a.median)
      .map(({ kind, count, median, max }) => `| ${kind} | ${count} | ${seconds(median)} | ${seconds(max)} |`);
    return ['| fault | times | median, s | longest, s |', '|---|---|---|---|', ...lines].join('\n');
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(2);
