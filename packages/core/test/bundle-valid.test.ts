import { describe, expect, it } from 'vitest';
import { validCases } from './support/bundle-cases-valid.ts';
import { runCase } from './support/run-case.ts';

describe('a bundle is accepted', () => {
  it.each(validCases().map((vector) => [vector.name, vector] as const))('%s', async (_, vector) => {
    expect(await runCase(vector)).toEqual(vector.expect);
  });
});
