/** Takes new versions of the trust root into the log. */
import {
  encodeEnvelope,
  entryLengthMax,
  equalBytes,
  formatVerifierKey,
  leafHash,
  parseInstant,
  parseJson,
  type TrustRoot,
  verifyTrustStep,
} from '@tallystick/core';
import { LedgerError } from './errors.ts';
import type { LogState } from './log-state.ts';
import type { Sequencer } from './sequence/sequencer.ts';
import type { TrustHistory } from './trust-history.ts';

export interface TrustPublicationParts {
  state: LogState;
  sequencer: Sequencer;
  history: TrustHistory;
  /** Milliseconds. */
  now: () => number;
  /** Makes a chain outlive this process, before any of it is logged. */
  save: (chain: readonly TrustRoot[]) => Promise<void>;
}

export class TrustPublication {
  readonly #parts: TrustPublicationParts;

  constructor(parts: TrustPublicationParts) {
    this.#parts = parts;
  }

  /**
   * Logs the versions of a verified chain that the log does not hold yet; resolves with their number. Throws LedgerError
   * (`trust_refused`) where the chain does not continue the log's, or changes what this server cannot change.
   */
  async take(chain: readonly TrustRoot[]): Promise<number> {
    const { history, sequencer, save } = this.#parts;
    return sequencer.whileQuiet(async () => {
      const known = history.current.version;
      for (const trust of chain.slice(0, known)) {
        if (!equalBytes(trust.hash, history.version(trust.version)?.hash ?? trust.genesis))
          throw refused(`its version ${trust.version} is not the one that the log holds`);
      }
      if (chain.length < known) throw refused(`it ends before version ${known}, which the log holds`);
      const fresh = chain.slice(known);
      for (const [nth, next] of fresh.entries()) await this.#check(fresh[nth - 1] ?? history.current, next);
      // What the log holds is kept as it is logged: the caller's may bear other signatures.
      if (fresh.length > 0) await save([...history.versions, ...fresh]);
      for (const next of fresh) await this.#log(next);
      return fresh.length;
    });
  }

  async #check(current: TrustRoot, next: TrustRoot): Promise<void> {
    try {
      await verifyTrustStep(current, next, this.#parts.state.size);
    } catch (error) {
      throw refused(error instanceof Error ? error.message : String(error));
    }
    if (encodeEnvelope(next.envelope).length > entryLengthMax)
      throw refused(`version ${next.version} has more than ${entryLengthMax} bytes`);
    if (parseInstant(next.expires) <= this.#parts.now())
      throw refused(`version ${next.version} expired at ${next.expires}`);
    const changed = unsupportedChange(current, next);
    if (changed !== null)
      throw refused(`version ${next.version} changes ${changed}, which this server cannot do yet`);
  }

  async #log(next: TrustRoot): Promise<void> {
    const { state, sequencer, history } = this.#parts;
    const entry = encodeEnvelope(next.envelope);
    const index = state.size;
    await sequencer.appendQuietly({
      index,
      leaf: leafHash(entry),
      subject: null,
      rev: 0,
      entry,
      content: null,
    });
    history.logged(next, entry, index);
  }
}

/** What needs more than an entry in the log: a new log key, other cosigners, a namespace that is signed anew. */
function unsupportedChange(current: TrustRoot, next: TrustRoot): string | null {
  const said = (trust: TrustRoot): { log: string; quorum: string; namespaces: string } => {
    const { quorum, namespaces } = parseJson(trust.envelope.payload, new Set(['quorum'])) as {
      quorum: string;
      namespaces: object;
    };
    const log = [trust.log.origin, ...trust.log.vkeys.map(formatVerifierKey)].join();
    return { log, quorum, namespaces: JSON.stringify(namespaces) };
  };
  const before = said(current);
  const after = said(next);
  if (before.log !== after.log) return 'the keys of the log';
  if (before.quorum !== after.quorum) return 'the quorum of cosigners';
  return before.namespaces === after.namespaces ? null : 'an authority or a required algorithm';
}

function refused(why: string): LedgerError {
  return new LedgerError('trust_refused', why);
}

/** The envelopes of a chain, for whoever keeps it. */
export function envelopesOf(chain: readonly TrustRoot[]): Uint8Array[] {
  return chain.map(({ envelope }) => encodeEnvelope(envelope));
}
