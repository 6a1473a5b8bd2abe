import { describe, expect, it } from 'vitest';
import type { BundleCase } from './support/bundle-case.ts';
import { runCase } from './support/run-case.ts';

declare global {
  interface ImportMeta {
    /** What Vite puts in place of the call: the files that match, by path. */
    glob<T>(pattern: string, options: { eager: true; import: 'default' }): Record<string, T>;
  }
}

const files = import.meta.glob<BundleCase>('../../../vectors/bundle/*.json', {
  eager: true,
  import: 'default',
});
const vectors = Object.values(files).map((vector) => [vector.name, vector] as const);

describe('the bundle vectors', () => {
  it('are there', () => {
    expect(vectors.length).toBeGreaterThan(100);
  });

  it.each(vectors)('%s', async (_, vector) => {
    expect(await runCase(vector)).toMatchObject(vector.expect);
  });
});
