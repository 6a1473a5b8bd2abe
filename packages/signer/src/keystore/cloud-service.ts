/** What a service that signs is asked, and for how long. */
import type { CloudAlgorithm, CloudPublicKey } from './cloud-algorithms.ts';
import { TokenUnavailable } from './keystore-error.ts';

export interface PublicKeyInService extends CloudPublicKey {
  /** How the service names the key for good: no alias, with its version. */
  id: string;
}

/** Every method rejects with KeystoreError saying what to do: TokenUnavailable where trying again may help. */
export interface CloudService extends Disposable {
  /** Its name for people. */
  readonly name: string;
  /** Shows a key; rejects also where it could not be used as one of ours. */
  publicKey(id: string): Promise<PublicKeyInService>;
  /** Raw signature of 64 bytes. The caller checks it. May be asked for many at the same time. */
  sign(id: string, alg: CloudAlgorithm, message: Uint8Array): Promise<Uint8Array>;
}

/** The signer's client gives an answer up after ten seconds; whoever waits is told before that. */
const answerMsMax = 5000;

/**
 * Runs `work` until its time is up, which its signal says as well: not all of a library heeds a signal. Rejects with
 * TokenUnavailable then.
 */
export async function withinTime<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const overdue = new Promise<never>((_, reject) => {
    deadline.signal.addEventListener('abort', () =>
      reject(
        new TokenUnavailable(
          `${what} does not answer within ${answerMsMax / 1000} s: see that it can be reached`,
        ),
      ),
    );
  });
  const timer = setTimeout(() => deadline.abort(), answerMsMax);
  const working = work(deadline.signal);
  // Whoever is told that it is overdue hears nothing more of it.
  working.catch(() => {});
  try {
    return await Promise.race([working, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
