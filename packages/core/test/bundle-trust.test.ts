import { describe, expect, it } from 'vitest';
import { rememberedCases } from './support/bundle-cases-remembered.ts';
import { trustCases } from './support/bundle-cases-trust.ts';
import { runCase } from './support/run-case.ts';

describe('a bundle with trust steps', () => {
  it.each(trustCases().map((vector) => [vector.name, vector] as const))('%s', async (_, vector) => {
    expect(await runCase(vector)).toMatchObject(vector.expect);
  });
});

describe('a client that remembers', () => {
  it.each(rememberedCases().map((vector) => [vector.name, vector] as const))('%s', async (_, vector) => {
    expect(await runCase(vector)).toMatchObject(vector.expect);
  });
});
