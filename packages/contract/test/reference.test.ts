import { expect, it } from 'vitest';
import { referencePage } from '../src/index.ts';

it('says in the reference page what the tables say; run this test with -u after changing them', async () => {
  await expect(referencePage()).toMatchFileSnapshot('../REFERENCE.md');
});
