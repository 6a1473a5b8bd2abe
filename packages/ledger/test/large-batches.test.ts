import { TestSystem } from '@tallystick/testkit';
import { expect, it } from 'vitest';

const mebibyte = 1024 * 1024;
const metadata = Object.fromEntries(
  Array.from({ length: 50 }, (_, nth) => [`note-${String(nth).padStart(2, '0')}`, 'x'.repeat(245)]),
);

it('never asks the signer for more than one command beyond two mebibytes at once', async () => {
  const asked: number[] = [];
  await using system = await TestSystem.start({
    wrapSigner: (signer) => ({
      ...signer,
      signBatch: (batch) => {
        asked.push(batch.records.reduce((sum, { content }) => sum + (content?.document.length ?? 0), 0));
        return signer.signBatch(batch);
      },
    }),
  });
  await system.sellPro();
  const issue = { type: 'license.issue', plan: 'pro-yearly', metadata } as const;
  await Promise.all(Array.from({ length: 600 }, () => system.run(issue)));
  expect(Math.max(...asked)).toBeGreaterThan(mebibyte);
  expect(Math.max(...asked)).toBeLessThan(2.1 * mebibyte);
});
