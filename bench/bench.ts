import type { DiskLatency, Environment } from './environment.ts';

/** What every benchmark is given. */
export interface BenchContext {
  /** An empty directory of this benchmark's own, on the disk that `environment` describes; removed afterwards. */
  readonly directory: string;
  readonly environment: Environment;
  /** The disk just before the run, for ratios that hang on the price of a sync. */
  readonly disk: DiskLatency;
  /** Interleaved rounds per variant. */
  readonly rounds: number;
  /** Measured time per round. */
  readonly seconds: number;
  readonly connections: number;
  /** Reports progress; not part of the results. */
  readonly log: (line: string) => void;
}

/** One benchmark: `bench/benches/<name>.bench.ts` exports it as `bench`. */
export interface Bench {
  /** The name on the command line, equal to the file's. */
  readonly name: string;
  readonly title: string;
  /** Measures, and returns the Markdown blocks (paragraphs, tables) of its section in order. */
  readonly run: (context: BenchContext) => Promise<readonly string[]>;
}
