/** Whether anybody answers where a policy says that its cosigners are. They need not know the log yet. */
import { messageOf } from '../errors.ts';

export interface AskedCosigner {
  name: string;
  /** null where nobody says where it is. */
  url: string | null;
  answers: boolean;
  /** Why not; null where it answers. */
  problem: string | null;
}

const askMsMax = 5000;

/** Asks all of them at once, with a request that no witness cosigns anything for. */
export function askCosigners(
  cosigners: readonly { name: string; url: string | null }[],
  signal: AbortSignal,
): Promise<AskedCosigner[]> {
  return Promise.all(
    cosigners.map(async ({ name, url }) => {
      const problem = url === null ? 'it has no address' : await problemAt(url, signal);
      return { name, url, answers: problem === null, problem };
    }),
  );
}

async function problemAt(url: string, signal: AbortSignal): Promise<string | null> {
  try {
    const { status, body } = await fetch(`${url.replace(/\/$/, '')}/add-checkpoint`, {
      method: 'POST',
      body: '',
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(askMsMax)]),
    });
    await body?.cancel();
    // What stands in front of a witness that is down says so with one of these.
    return status < 500 ? null : `it answers ${status}`;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    return messageOf(cause ?? error);
  }
}
