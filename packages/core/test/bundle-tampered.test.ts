import { describe, expect, it } from 'vitest';
import { tamperedCases } from './support/bundle-cases-tampered.ts';
import { runCase } from './support/run-case.ts';

describe('a bundle is refused with', () => {
  it.each(tamperedCases().map((vector) => [vector.name, vector] as const))('%s', async (_, vector) => {
    expect(await runCase(vector)).toEqual(vector.expect);
  });
});
