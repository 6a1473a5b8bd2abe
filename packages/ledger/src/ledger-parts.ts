/** What a ledger stands on: everything that it does not make itself. */
import type { BrakeDocument, PublicKey, TrustRoot } from '@tallystick/core';
import type { Environment } from '@tallystick/license';
import type { GoverningSigner } from './hand-over.ts';
import type { LedgerEvent } from './ledger-events.ts';
import type { LedgerTimes } from './ledger-times.ts';
import type { LogState } from './log-state.ts';
import type { IndexLicenseKey } from './names.ts';
import type { Projections, ProjectionWriter } from './projections/projections.ts';
import type { CheckpointSigner, Cosigners } from './publish/publisher.ts';
import type { PromiseSigner } from './sequence/batch.ts';
import type { BatchSigner } from './sequence/sequencer.ts';
import type { Store } from './store/store.ts';

export interface LedgerParts {
  store: Store;
  /** The log as somebody who followed it has it in memory; read from the store where left out. */
  state?: LogState;
  projections: Projections;
  /** Writes the projections; they themselves where left out. */
  projectionWriter?: ProjectionWriter;
  signer: BatchSigner & PromiseSigner & CheckpointSigner & GoverningSigner;
  cosigners: Cosigners;
  /** The newest checkpoint that the signer's log key signed. */
  mark: { size: number; root: Uint8Array };
  /** The newest checkpoint that any signer of a shared log signed, with its signatures. */
  signed?: { note: string } | undefined;
  /** Keeps a checkpoint that was signed where other servers of a shared log find it, before cosigners are shown it. */
  saveSigned?: (signed: { size: number; note: string }) => Promise<void>;
  /** Asks for the brake that binds the signer; null where it knows none. */
  signedBrake: () => Promise<BrakeDocument | null>;
  /** The versions of the trust root that are known here, verified, from 1 up. The log says which of them govern. */
  trust: readonly TrustRoot[];
  /** Makes a longer chain outlive this process. */
  saveTrust: (chain: readonly TrustRoot[]) => Promise<void>;
  ns: string;
  /** Public keys of the issuing and brake keys, which rotate. */
  keys: { readonly all: readonly PublicKey[] };
  indexKey: IndexLicenseKey;
  newId: Environment['newId'];
  /** Draws a license key from random bytes. */
  newLicenseKey: (random: (length: number) => Uint8Array) => string;
  random: (length: number) => Uint8Array;
  /** Milliseconds. */
  now: () => number;
  times: LedgerTimes;
  onEvent: (event: LedgerEvent) => void;
  onProgress?: (progress: { step: 'log' | 'projections'; done: number }) => void;
}
