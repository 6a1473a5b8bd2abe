/** What must hold of a log after clients have changed it through whatever happened. */
import { expect } from 'vitest';
import type { Load } from './load.ts';
import { walkLog } from './log-walk.ts';
import type { RealSystem } from './real-system.ts';

/**
 * Everything that was acknowledged is in the log, once and as it was told; and nothing else is: clients ask until there
 * is an answer, so there is no change without one. `others` are the indexes of changes that were made beside the load.
 */
export async function expectLogAsAcknowledged(
  system: RealSystem,
  load: Load,
  others: readonly number[] = [],
): Promise<void> {
  expect(load.faults).toEqual([]);
  await system.published();
  const { records } = await walkLog(system);
  const logged = new Map(records.map((record) => [record.index, record]));
  for (const { index, leaf, type, rev } of load.acknowledged)
    expect(logged.get(index)).toMatchObject({ leaf, type, rev });
  const acknowledged = new Set(load.acknowledged.map(({ index }) => index));
  expect(acknowledged.size).toBe(load.acknowledged.length);
  const ofLicenses = records.filter(({ type }) => type.startsWith('license.'));
  for (const index of others) acknowledged.add(index);
  expect(ofLicenses.filter(({ index }) => !acknowledged.has(index))).toEqual([]);
}
