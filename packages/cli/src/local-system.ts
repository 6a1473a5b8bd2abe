/** The system in a data folder on this machine, as its files say what it is. */
import { createHmac, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TrustRoot } from '@tallystick/core';
import { deriveGateSecrets, lookupOfHash } from '@tallystick/gate';
import type { IndexLicenseKey } from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import {
  type Layout,
  layoutOf,
  readTrustRootFile,
  type StorePlace,
  type SystemDescription,
  storePlaceOf,
} from '@tallystick/server';
import { Mark, MarkError } from '@tallystick/signer';
import { CliError, messageOf, usageError } from './errors.ts';
import { isThere } from './files.ts';

/** What verbs that work on a system's own files start from. */
export interface LocalSystem {
  layout: Layout;
  /** Where its log is. */
  place: StorePlace;
  ns: string;
  origin: string;
  genesis: Uint8Array;
  /** Every version of the trust root, from 1 up, verified. */
  chain: TrustRoot[];
  indexKey: IndexLicenseKey;
  /** What an invitation is found by, of its hash in base64. */
  lookupOf: (hash: string) => string;
}

/**
 * Reads the files that say what a system is; throws a usage error where there is none, or its store is not there.
 * @param mayLackStore for whoever makes one
 */
export async function openSystem(folder: string, mayLackStore = false): Promise<LocalSystem> {
  const layout = layoutOf(folder);
  if (!isThere(layout.system)) {
    throw usageError(`There is no system in ${layout.root}.`, 'Name its folder with --data.');
  }
  try {
    const system = JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
    const { ns, origin } = system;
    const place = storePlaceOf(layout, system);
    const hasStore = isPostgresUrl(place.store) || isThere(place.store);
    if (!hasStore && !mayLackStore) throw noStore(place);
    const chain = await readTrustRootFile(layout.trustRoot);
    const [first] = chain;
    if (first === undefined) throw new Error(`${layout.trustRoot} holds no trust root`);
    // As the server indexes license keys.
    const secret = createSecretKey(
      Buffer.from(readFileSync(layout.secrets.licenseKeySecret, 'utf8').trim(), 'base64'),
    );
    const indexKey: IndexLicenseKey = (key) => createHmac('sha256', secret).update(key).digest('base64url');
    const { apiKeys } = deriveGateSecrets(secret, ns);
    const lookupOf = (hash: string): string => lookupOfHash(apiKeys, hash);
    return { layout, place, ns, origin, genesis: first.genesis, chain, indexKey, lookupOf };
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw usageError(
      `The system in ${layout.root} cannot be read: ${messageOf(error)}.`,
      'Run this as the user that runs it.',
    );
  }
}

function noStore({ store }: StorePlace): Error {
  return usageError(`There is no store at ${store}.`, 'Restore it, or name another folder with --data.');
}

/** The newest checkpoint that was signed; null while a signer holds its mark, or where there is none. */
export function readMark(layout: Layout, origin: string): { size: number; root: Uint8Array } | null {
  try {
    using mark = Mark.open(layout.signer.mark, origin);
    const { size, root } = mark.checkpoint;
    return { size, root };
  } catch (error) {
    if (error instanceof MarkError) return null;
    throw error;
  }
}
