import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bundleVectorFiles } from './support/vector-files.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'vectors', 'bundle');

it('the bundle vectors on disk are the ones that scripts/vectors.ts writes', () => {
  const files = bundleVectorFiles();
  expect(readdirSync(folder).sort()).toEqual([...files.keys()].sort());
  for (const [name, text] of files)
    expect(readFileSync(join(folder, name), 'utf8') === text, name).toBe(true);
});
