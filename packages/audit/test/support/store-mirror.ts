/** What a mirror serves, out of a store that is whole. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeEntryBundle, LogTree, leafHash, parseTilePath, tileWidth } from '@tallystick/core';
import { SqliteStore } from '@tallystick/ledger';
import { type ContentKey, logPathName } from '@tallystick/witness';
import type { RepairParts } from '../../src/index.ts';
import type { VariedLog } from './varied-log.ts';

export interface StoreMirror extends AsyncDisposable {
  url: string;
  /** Paths asked for, in order, below the log's. */
  asked: string[];
  /** True where it is a replayer of its own, which no trust root names. */
  isStranger: boolean;
  /** What it answers to who asks for the documents of a tile; null for none. */
  contents: (tile: number) => Promise<Uint8Array | null>;
}

export async function serveStore(storeFile: string, origin: string): Promise<StoreMirror> {
  await using store = SqliteStore.open(storeFile, { readOnly: true });
  const published = await store.checkpoint();
  const entries = await store.entryBytes(0, published?.size ?? 0);
  const tree = new LogTree();
  for (const entry of entries) tree.append(leafHash(entry));
  const answer = async (path: string): Promise<string | Uint8Array | null> => {
    if (path.startsWith('contents/')) return mirror.contents(Number(path.slice('contents/'.length)));
    if (path === 'published') return published?.note ?? null;
    if (path === 'checkpoint')
      return (mirror.isStranger ? published?.note.replace(/^— witness.*\n/gm, '') : published?.note) ?? null;
    if (!path.startsWith('tile/')) return null;
    const { level, index, width } = parseTilePath(path);
    const first = index * tileWidth;
    return level === 'entries'
      ? encodeEntryBundle(entries.slice(first, first + width))
      : tree.tile(level, index, width);
  };
  const asked: string[] = [];
  const prefix = `/mirror/${logPathName(origin)}/`;
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(prefix.length);
    asked.push(path);
    void answer(path).then((body) => response.writeHead(body === null ? 404 : 200).end(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const mirror: StoreMirror = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    isStranger: false,
    contents: async () => null,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return mirror;
}

/** What a repair of a store of `log` goes by. */
export function repairParts(
  { trust, mark, folder }: VariedLog,
  { url }: StoreMirror,
  contentKey: ContentKey | null = null,
): Omit<RepairParts, 'store'> {
  const { signal } = new AbortController();
  const mirror = { url, token: 'any', timeoutMs: 5000, signal };
  return { chain: [trust], mark, mirror, contentKey, undoFile: `${folder}/undo.db` };
}
