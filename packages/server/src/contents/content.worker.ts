/** Reads, checks and seals documents, off the threads that serve and decide. */
import { workerData } from 'node:worker_threads';
import type { Store } from '@tallystick/ledger';
import { serve } from '@tallystick/ledger/thread';
import { parseContentPublicKey, sealBatch } from '@tallystick/witness';
import { readStore } from '../setup/store-place.ts';
import { readTrustRootFile } from '../trust-root-file.ts';
import type { ContentThreadConfig, SealedAnswer, SealedQuestion } from './messages.ts';
import { plainPartsOf } from './plain-parts.ts';

const { place, trustRoot } = workerData as ContentThreadConfig;

serve(() => {
  let opened: Promise<{ store: Store; genesis: Uint8Array }> | null = null;
  const open = async (): Promise<{ store: Store; genesis: Uint8Array }> => {
    const [first] = await readTrustRootFile(trustRoot);
    if (first === undefined) throw new Error(`${trustRoot} holds no trust root`);
    return { store: await readStore(place), genesis: first.genesis };
  };
  return {
    async seal({ from, size, leaves, publicKey }: SealedQuestion): Promise<SealedAnswer> {
      opened ??= open();
      const { store, genesis } = await opened.catch((error: unknown) => {
        opened = null;
        throw error;
      });
      const { parts, to, alarms } = await plainPartsOf(store, genesis, from, leaves);
      const recipient = parseContentPublicKey(publicKey);
      return { bytes: sealBatch(parts, { from, to, size }, recipient, genesis), alarms };
    },
    async close(): Promise<void> {
      const { store } = (await opened?.catch(() => null)) ?? {};
      await store?.[Symbol.asyncDispose]();
    },
  };
});
