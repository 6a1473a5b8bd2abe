/** Hands what was just logged to the signer, which must know it before it signs anything else. */
import { setTimeout as after } from 'node:timers/promises';
import { asError, LedgerError } from './errors.ts';
import type { Sequencer } from './sequence/sequencer.ts';

/** What the ledger asks of the signer about the documents that govern both. */
export interface GoverningSigner {
  /** Takes a record of the namespace or its brake, with the document that it commits to. */
  adopt(entry: Uint8Array, document: Uint8Array): Promise<void>;
  /** Takes every version of the trust root from 1 up, as envelopes. */
  adoptTrustRoot(envelopes: readonly Uint8Array[]): Promise<void>;
  /** Goes on from a checkpoint that another signer of this log signed; `proof` leads there from its mark. */
  follow(note: string, proof: readonly Uint8Array[]): Promise<void>;
}

export interface HandOverParts {
  sequencer: Sequencer;
  signer: GoverningSigner;
  /** Envelopes of the versions of the trust root that the log holds, from 1 up. */
  envelopes: () => readonly Uint8Array[];
  /** Told once per hand-over that does not succeed at once. */
  onDelay: (error: Error) => void;
}

const pauseMs = 500;
/** A signer that is away is waited for; anything else is tried so many times. */
const failuresMax = 5;

export class HandOver {
  readonly #parts: HandOverParts;

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  /**
   * Nothing may be signed under the namespace of before, so commands wait until the signer has the new one. Where it
   * will not take it, the log stops; where this process ends first, the next one begins with it.
   */
  async namespace(entry: Uint8Array, document: Uint8Array): Promise<void> {
    const { sequencer, signer, envelopes, onDelay } = this.#parts;
    const present = async (): Promise<void> => {
      // A signer that was started anew may not know yet whose signature counts.
      await signer.adoptTrustRoot(envelopes());
      await signer.adopt(entry, document);
    };
    for (let tries = 1, failures = 0; ; tries++) {
      const failure = await present().then(() => null, asError);
      if (failure === null) return;
      if (failure.name !== 'SignerUnavailable') failures += 1;
      if (failure.name === 'SignerRefused' || failures === failuresMax) {
        const message = `the signer does not take the namespace that was logged: ${failure.message}`;
        sequencer.halt(new LedgerError('signer_refused', message, { cause: failure }));
        return;
      }
      if (tries === 1) onDelay(new Error(`the signer has not taken the namespace yet: ${failure.message}`));
      if (sequencer.isStopping) {
        sequencer.refuseQueued(new LedgerError('stopping', 'the server is stopping'));
        return;
      }
      await after(pauseMs);
    }
  }
}
