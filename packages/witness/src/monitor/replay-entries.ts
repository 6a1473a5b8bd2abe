/** Replays a log from its first entry on, and says which rule it breaks first. */
import type { PublicKey } from '@tallystick/core';
import { applyEntry, latestInstant } from '../replayer/entry-rules.ts';
import { badSignature } from '../replayer/record-signatures.ts';
import { ReplayState } from '../replayer/replay-state.ts';
import { SignatureChecks } from '../replayer/signature-checks.ts';
import { SignaturePool } from '../replayer/signature-pool.ts';
import type { PublicDocumentType, TrustSource } from '../replayer/trust-source.ts';
import { Unavailable, Violation } from '../replayer/violation.ts';

/**
 * The first rule that these entries break, or null. The last of them has to be a map root where a checkpoint ends
 * there. `nowSeconds` is the clock that times in records are held against. Throws Unavailable where `source` lacks
 * something that the verdict may depend on.
 */
export async function firstViolation(
  entries: readonly Uint8Array[],
  source: TrustSource,
  options: { genesis: Uint8Array; nowSeconds: number; endsCheckpoint: boolean },
): Promise<Violation | null> {
  const state = new ReplayState();
  await using pool = new SignaturePool(0);
  const checks = new SignatureChecks(pool);
  const { genesis, nowSeconds, endsCheckpoint } = options;
  const latestAt = latestInstant(nowSeconds);
  let found: Violation | null = null;
  for (const entry of entries) {
    try {
      await applyEntry(state, entry, { genesis, trustSource: source, checks, latestAt, suspects: new Set() });
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      found = error;
      break;
    }
    await checks.room();
  }
  await checks.drain();
  // Signatures are checked behind: a bad one comes before whatever was found after it.
  if (checks.firstBad !== null) found = badSignature(checks.firstBad);
  // Beside a signature that does not hold there may be one that does, by a key that was left out.
  if (found?.rule === 'signature' && [...state.namespaces.values()].some(({ ring }) => ring.isIncomplete()))
    throw new Unavailable('keys that the namespace lists are not at hand');
  if (found === null && endsCheckpoint && !state.lastIsMapRoot)
    found = new Violation('last-leaf', entries.length - 1, 'the checkpoint does not end in a map root');
  return found;
}

/** Remembers what a replay asked for, so that another one needs nothing else. */
export class RecordingSource implements TrustSource {
  readonly documents: { ns: string; type: PublicDocumentType; rev: number; document: Uint8Array }[] = [];
  readonly keysOf: Map<string, PublicKey[]> = new Map();
  readonly #source: TrustSource;

  constructor(source: TrustSource) {
    this.#source = source;
  }

  async publicDocument(ns: string, type: PublicDocumentType, rev: number): Promise<Uint8Array | null> {
    const document = await this.#source.publicDocument(ns, type, rev);
    if (document !== null) this.documents.push({ ns, type, rev, document });
    return document;
  }

  async keys(ns: string): Promise<PublicKey[]> {
    const keys = await this.#source.keys(ns);
    this.keysOf.set(ns, keys);
    return keys;
  }
}
