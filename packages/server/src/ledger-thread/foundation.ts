/** What a server stands on besides its store, whether it writes the log or follows it. */
import { createHmac, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TrustRoot } from '@tallystick/core';
import {
  type IndexLicenseKey,
  type LedgerTimes,
  ledgerTimes,
  Projections,
  ThreadedProjectionWriter,
} from '@tallystick/ledger';
import { SignerClient } from '@tallystick/signer/client';
import type { ServerConfig } from '../config.ts';
import { Quorum } from '../quorum/quorum.ts';
import { readTrustRootFile } from '../trust-root-file.ts';
import { NamespaceKeys } from './namespace-keys.ts';

export interface Foundation {
  /** Every version that the trust root file holds. */
  chain: TrustRoot[];
  signer: SignerClient;
  keys: NamespaceKeys;
  quorum: Quorum;
  projectionWriter: ThreadedProjectionWriter;
  projections: Projections;
  indexKey: IndexLicenseKey;
  times: LedgerTimes;
}

/** Rejects with a sentence for the operator where something of it is missing. */
export async function layFoundation(config: ServerConfig): Promise<Foundation> {
  const chain = await readTrustRootFile(config.trustRoot);
  const trust = chain.at(-1);
  if (trust === undefined) throw new Error(`${config.trustRoot} holds no trust root`);
  const signer = new SignerClient(config.signerSocket);
  const hello = await signer.hello();
  if (hello.origin !== trust.log.origin) throw new Error('the signer holds the key of another log');
  const secret = createSecretKey(Buffer.from(readFileSync(config.licenseKeySecret, 'utf8').trim(), 'base64'));
  const projectionWriter = await ThreadedProjectionWriter.open(config.projections);
  return {
    chain,
    signer,
    keys: NamespaceKeys.open(signer, config.ns, hello, join(dirname(config.projections), 'public-keys.json')),
    quorum: new Quorum({
      policy: trust.quorum,
      urls: config.cosigners,
      timeoutMs: config.cosignerTimeoutMs,
      now: () => Date.now(),
      tls: config.cosignerTls,
    }),
    projectionWriter,
    projections: new Projections(config.projections, { readOnly: true }),
    indexKey: (key) => createHmac('sha256', secret).update(key).digest('base64url'),
    times: { ...ledgerTimes, ...config.times },
  };
}

export async function clearFoundation(foundation: Foundation): Promise<void> {
  const { quorum, signer, projections, projectionWriter } = foundation;
  quorum.close();
  await signer[Symbol.asyncDispose]();
  projections[Symbol.dispose]();
  await projectionWriter[Symbol.asyncDispose]();
}
