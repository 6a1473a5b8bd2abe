/** What was signed elsewhere, on its way into the log: at once, or once others have approved it. */
import { parseTrustRoot, type TrustRoot, verifyTrustChain } from '@tallystick/core';
import { envelopesOf, type Judge, LedgerError, type Submission, type SubmitResult } from '@tallystick/ledger';
import {
  ModelError,
  parseSignedCommand,
  type SignedCommand,
  type SignedRevisionParts,
  type TrustPublish,
} from '@tallystick/license';
import type { NamespaceKeys } from './namespace-keys.ts';
import type { ServedLog } from './served-log.ts';
import { ServiceProblem } from './service-problem.ts';
import { refuseRecovery, signedRevision } from './signed-revision.ts';

type Log = Pick<
  ServedLog,
  'trust' | 'reviseNamespace' | 'publishTrust' | 'checkTrust' | 'executeRevision' | 'executeTrust'
>;

export class SignedElsewhere {
  readonly #log: Log;
  readonly #keys: Pick<NamespaceKeys, 'refresh'>;

  constructor(log: Log, keys: Pick<NamespaceKeys, 'refresh'>) {
    this.#log = log;
    this.#keys = keys;
  }

  /** What was stored, as it was signed. Throws ServiceProblem (`input_invalid`). */
  static read(command: unknown): SignedCommand {
    try {
      return parseSignedCommand(command);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      throw new ServiceProblem('input_invalid', `${error.message}. Correct it and try again.`, error.path);
    }
  }

  async revise(
    parts: SignedRevisionParts,
    dryRun: boolean,
    judge: Judge,
  ): Promise<Extract<SubmitResult, { changes: unknown }>> {
    const signed = ordinary(parts);
    await this.#keys.refresh();
    return this.#log.reviseNamespace(signed, dryRun, judge);
  }

  /** Resolves with the number of versions that are new. */
  async publish({ envelopes, namespace }: TrustPublish, dryRun: boolean, judge: Judge): Promise<number> {
    const chain = await verified(bytesOf(envelopes));
    const signed = namespace === undefined ? null : ordinary(namespace);
    await this.#keys.refresh();
    return this.#log.publishTrust(chain, { signed, dryRun, judge });
  }

  /** What is stored of it while it waits: the versions that the log holds by now are in the log. */
  waiting(command: TrustPublish): TrustPublish {
    const { version: newest } = this.#log.trust.current;
    const given = command.envelopes.map((each) => parseTrustRoot(Buffer.from(each, 'base64')));
    return {
      ...command,
      envelopes: command.envelopes.filter((_, nth) => (given[nth]?.version ?? 0) > newest),
    };
  }

  /** Throws where it could not be put into the log now; new cosigners are not asked. */
  async check(command: SignedCommand, judge: Judge | null = null): Promise<void> {
    await this.#keys.refresh();
    if (command.type === 'namespace.revise') {
      const { repeated } = await this.#log.reviseNamespace(ordinary(command), true, judge);
      if (repeated)
        throw new ServiceProblem('no_change', 'The log has this revision already. There is nothing to do.');
      return;
    }
    const { envelopes, namespace } = command;
    const signed = namespace === undefined ? null : ordinary(namespace);
    await this.#log.checkTrust(await this.#chain(envelopes), signed, judge);
  }

  /** Puts it into the log with the record that others approved it, which `submission` asks for. */
  async execute(command: SignedCommand, submission: Submission): Promise<SubmitResult> {
    await this.#keys.refresh();
    if (command.type === 'namespace.revise') return this.#log.executeRevision(ordinary(command), submission);
    const { envelopes, namespace } = command;
    const signed = namespace === undefined ? null : ordinary(namespace);
    return this.#log.executeTrust(await this.#chain(envelopes), signed, submission);
  }

  /** All versions, of which those that the log held before the first one of these were left out. */
  async #chain(envelopes: readonly string[]): Promise<readonly TrustRoot[]> {
    const given = bytesOf(envelopes);
    const [first = 0] = trusting(() => given.map((each) => parseTrustRoot(each).version));
    const known = this.#log.trust.versions.filter(({ version }) => version < first);
    return verified([...envelopesOf(known), ...given]);
  }
}

function bytesOf(envelopes: readonly string[]): Uint8Array[] {
  return envelopes.map((each) => Buffer.from(each, 'base64'));
}

function verified(envelopes: readonly Uint8Array[]): Promise<TrustRoot[]> {
  return verifyTrustChain(envelopes).catch((error: unknown) => {
    throw trustRefused(error);
  });
}

function trusting<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw trustRefused(error);
  }
}

function trustRefused(error: unknown): ServiceProblem {
  return new ServiceProblem('trust_refused', error instanceof Error ? error.message : String(error));
}

/** Not one that lets somebody in: who that is has to be let in with it. */
function ordinary(parts: SignedRevisionParts): ReturnType<typeof signedRevision> {
  const signed = signedRevision(parts);
  refuseRecovery(signed);
  return signed;
}

/** Why what was signed elsewhere is not taken, where that is why. */
export function problemOfSigned(error: unknown): { code: string; detail: string } | null {
  if (error instanceof ServiceProblem) return { code: error.code, detail: error.message };
  const isRefused =
    error instanceof LedgerError &&
    (error.problem === 'namespace_refused' || error.problem === 'trust_refused');
  return isRefused ? { code: error.problem, detail: error.message } : null;
}
