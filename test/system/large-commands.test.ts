import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RealSystem } from './support/real-system.ts';

const licenses = 499;
/** Nearly as much as a license may have. */
const metadata = Object.fromEntries(
  Array.from({ length: 50 }, (_, nth) => [`note-${String(nth).padStart(2, '0')}`, 'x'.repeat(245)]),
);

let system: RealSystem;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

async function createCustomer(name: string): Promise<string> {
  const { document } = await system.must<{ document: { id: string } }>('POST', '/v1/customers', { name });
  return document.id;
}

describe('the largest command', () => {
  it('is carried out as a whole, beside others that are large too', async () => {
    const [from, into] = [await createCustomer('From'), await createCustomer('Into')];
    const issue = (customer: string): Promise<{ changes: { index: number }[] }> =>
      system.must('POST', '/v1/licenses', { plan: 'pro-yearly', customer, metadata });
    await Promise.all(Array.from({ length: licenses }, () => issue(from)));
    const [merged, ...others] = await Promise.all([
      system.must<{ changes: { index: number; subject: { type: string } }[] }>(
        'POST',
        `/v1/customers/${from}/merge`,
        { into },
      ),
      ...Array.from({ length: 300 }, () => issue(into)),
    ]);
    expect(merged.changes.length).toBe(licenses + 1);
    const [first] = merged.changes;
    expect(merged.changes.map(({ index }) => index)).toEqual(
      merged.changes.map((_, nth) => (first?.index ?? Number.NaN) + nth),
    );
    expect(others.length).toBe(300);
    await system.published();
  });
});
