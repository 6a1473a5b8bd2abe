/**
 * The whole log as a mirror reads it, recomputed: signatures, tree, chains, map roots. Shares no code with the
 * ledger, so that both would have to be wrong in the same way.
 */
import {
  base64,
  bytesKey,
  decodeBase64,
  decodeEntryBundle,
  equalBytes,
  formatTilePath,
  isMapRoot,
  LogTree,
  leafHash,
  type PublicKey,
  parseMapRoot,
  parseRecordEntry,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  SubjectMap,
  signersOf,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
  verifyQuorum,
} from '@tallystick/core';
import { readTrustRootFile } from '@tallystick/server';
import type { RealSystem } from './real-system.ts';

export interface WalkedRecord {
  index: number;
  type: string;
  rev: number;
  /** base64 of K. */
  subject: string;
  leaf: string;
}

export interface WalkedLog {
  checkpoint: SignedCheckpoint;
  tree: LogTree;
  records: WalkedRecord[];
}

export async function trustOf(system: RealSystem): Promise<TrustRoot> {
  const trust = (await readTrustRootFile(system.layout.trustRoot)).at(-1);
  if (trust === undefined) throw new Error('no trust root');
  return trust;
}

/** Throws unless the log signed it and the quorum cosigned it. Returns asOf in seconds. */
export async function verifyPublished(
  note: string,
  trust: TrustRoot,
): Promise<SignedCheckpoint & { asOf: number }> {
  const checkpoint = parseSignedCheckpoint(utf8(note));
  await verifyLogSignatures(checkpoint, trust.log.vkeys);
  return { ...checkpoint, asOf: await verifyQuorum(checkpoint, trust.quorum) };
}

/** Reads everything below the newest published checkpoint and throws on the first thing that is not right. */
export async function walkLog(system: RealSystem): Promise<WalkedLog> {
  const trust = await trustOf(system);
  const checkpoint = await verifyPublished((await system.public('GET', '/log/checkpoint')).text, trust);
  const { keys } = (await system.public('GET', '/trust/acme/keys')).json as {
    keys: { alg: string; key: string }[];
  };
  const known = keys.map(({ alg, key }) => ({ alg, key: decodeBase64(key) }) as PublicKey);
  const authority = trust.namespaces.get('acme')?.authority.keys ?? [];
  const tree = new LogTree();
  const map = new SubjectMap();
  const heads = new Map<string, { rev: number; leaf: Uint8Array }>();
  const records: WalkedRecord[] = [];
  for (const [index, entry] of (await fetchEntries(system, checkpoint.size)).entries()) {
    const leaf = leafHash(entry);
    tree.append(leaf);
    if (isMapRoot(entry)) {
      const said = parseMapRoot(entry);
      if (said.index !== index || !equalBytes(said.root, map.root()))
        throw new Error(`map root ${index} is wrong`);
    } else if (index > 0) {
      const { record, envelope } = parseRecordEntry(entry);
      const { subject, rev, prev, type } = record;
      const head = heads.get(bytesKey(subject));
      const continues =
        head === undefined
          ? rev === 0 && prev === null
          : rev === head.rev + 1 && prev !== null && equalBytes(prev, head.leaf);
      if (!continues) throw new Error(`entry ${index} does not continue its subject`);
      if ((await signersOf(envelope, [...known, ...authority])).length === 0)
        throw new Error(`entry ${index} is not signed`);
      heads.set(bytesKey(subject), { rev, leaf });
      map.set({ key: subject, leaf, index, rev });
      records.push({ index, type, rev, subject: base64(subject), leaf: base64(leaf) });
    }
    if (index === checkpoint.size - 1 && !isMapRoot(entry)) throw new Error('the last entry is no map root');
  }
  if (!equalBytes(tree.root(), checkpoint.root))
    throw new Error('the entries do not have the published root');
  return { checkpoint, tree, records };
}

async function fetchEntries(system: RealSystem, size: number): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = [];
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256);
    const path = `/log/${formatTilePath({ level: 'entries', index, width })}`;
    const response = await fetch(`${system.client.publicUrl}${path}`, {
      headers: { authorization: `Bearer ${system.mirrorToken}` },
    });
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    entries.push(...decodeEntryBundle(new Uint8Array(await response.arrayBuffer()), width));
  }
  return entries;
}
