/** What becomes of signed requests, and of the hashes of others, when the customer that they speak of is erased. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Actor, JudgedSystem } from './support/judged-system.ts';

let judged: JudgedSystem;
let robot: Actor;

beforeAll(async () => {
  judged = await JudgedSystem.start();
  robot = await judged.machine('Robot');
});
afterAll(() => judged.system[Symbol.asyncDispose]());

async function storedText(): Promise<string> {
  const { store } = judged.system.world;
  const causes = await store.causes(0, 10_000);
  const texts = causes.map(({ document }) => Buffer.from(document).toString());
  const bodies = texts.flatMap((text) => {
    const { signed } = JSON.parse(text) as { signed?: { body: string } };
    return signed ? [Buffer.from(signed.body, 'base64').toString()] : [];
  });
  return [...texts, ...bodies].join('\n');
}

it('what a service signed of a customer is gone with the customer', async () => {
  const { id: customer } = await judged.run(robot, {
    type: 'customer.create',
    reference: 'erika',
    name: 'Erika Mustermann',
  });
  await judged.run(robot, {
    type: 'license.issue',
    plan: 'pro-yearly',
    customer: 'erika',
    licensee: 'Erika Mustermann',
  });
  expect(await storedText()).toContain('Mustermann');
  await judged.system.run({ type: 'customer.erase', customer });
  await judged.system.ledger.whenPublished(judged.system.ledger.size, 5000);
  expect(await storedText()).not.toContain('Mustermann');
});
