/** The documents of a tile as a mirror has them that holds all that is in a store. */
import { concatBytes, tileWidth } from '@tallystick/core';
import { SqliteStore } from '@tallystick/ledger';
import { plainPartsOf } from '@tallystick/server';
import { type ContentKey, type PlainPart, sealBatch } from '@tallystick/witness';

/** `lie` says what it seals instead of the truth; null for a tile behind the end. */
export async function sealedTile(
  { storeFile, genesis }: { storeFile: string; genesis: Uint8Array },
  tile: number,
  to: ContentKey,
  lie: (truth: PlainPart[]) => PlainPart[] = (truth) => truth,
): Promise<Uint8Array | null> {
  await using store = SqliteStore.open(storeFile, { readOnly: true });
  const from = tile * tileWidth;
  const leaves = (await store.leaves(from, tileWidth)).map(({ leaf }) => leaf);
  if (leaves.length === 0) return null;
  const made = await plainPartsOf(store, genesis, from, concatBytes(...leaves));
  return sealBatch(lie(made.parts), { from, to: made.to, size: made.to }, to, genesis);
}
