/** A published log for replayers: what they are told of it, and what a server hands out of it, by path. */
import { encodeEntryBundle, formatTilePath, publicKeyJson, tileWidth, utf8 } from '@tallystick/core';
import type { Store } from '@tallystick/ledger';
import { onlineKeys } from '@tallystick/server';
import { TestSystem } from '@tallystick/testkit';
import type { ReplayerLog } from '@tallystick/witness';
import { growLog } from './grow-log.ts';

/** A published log, as a replayer is told of it and as a server hands it out. */
export interface PublishedLog {
  size: number;
  /** The signed checkpoint. */
  note: string;
  told: Omit<ReplayerLog, 'logUrl' | 'trustUrl'>;
  files: Map<string, Uint8Array>;
}

/**
 * Makes a log of about `wanted` entries and publishes it. `use` is given the store before it goes, and may add files.
 */
export async function makeLog(
  wanted: number,
  log: (line: string) => void,
  use: (store: Store, made: PublishedLog) => Promise<void> = async () => {},
): Promise<PublishedLog> {
  await using system = await TestSystem.start({ times: { intervalMs: 200, retryMs: 200 } });
  await system.sellPro();
  await growLog(system, wanted, log);
  const { identity, trust, store } = system.world;
  const published = await store.checkpoint();
  if (published === undefined) throw new Error('nothing was published');
  const { size, note } = published;
  const { ns } = identity.namespace;
  const keys = onlineKeys(identity.keys).map(({ publicKey }) => publicKeyJson(publicKey));
  const files = await filesOf(store, size, ns);
  files.set(`trust/${ns}/keys`, utf8(JSON.stringify({ keys })));
  const { origin, vkeys } = trust.log;
  const made = { size, note, told: { origin, vkeys, genesis: trust.genesis }, files };
  await use(store, made);
  return made;
}

/** Entry tiles, and the public documents that the rules ask for. */
async function filesOf(store: Store, size: number, ns: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (let index = 0; index * tileWidth < size; index++) {
    const first = index * tileWidth;
    const width = Math.min(tileWidth, size - first);
    const rows = await store.entries(first, width);
    const path = formatTilePath({ level: 'entries', index, width });
    files.set(`log/${path}`, encodeEntryBundle(rows.map(({ entry }) => entry)));
    for (const { content, rev } of rows) {
      if (content?.document == null || (content.id !== 'namespace' && content.id !== 'brake')) continue;
      files.set(`trust/${ns}/${content.id}/${rev}`, content.document);
    }
  }
  return files;
}
