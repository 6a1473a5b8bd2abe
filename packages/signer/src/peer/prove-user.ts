/** How a process shows the signer which user it is, before anything else is said: docs/operating/signer-cell.md. */
import { mkdirSync, rmdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { SignerUnavailable } from '../client-errors.ts';
import { encodeFrame, FrameReader } from '../protocol/frames.ts';
import { proofFolderOf, proofMode } from './proof-names.ts';

const challengePattern = /^[0-9a-f]{64}$/;

/**
 * Resolves when the signer serves this user. Rejects with SignerUnavailable where it does not, or the connection ends.
 *
 * @param socketPath where the socket is connected to, or about to be
 */
export function proveUser(socket: Socket, socketPath: string): Promise<void> {
  const reader = new FrameReader();
  let made: string | null = null;
  return new Promise<void>((served, failed) => {
    socket.once('close', () => failed(new SignerUnavailable('the signer is not reachable')));
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const { header } of reader.push(chunk)) {
          const { challenge, error, served: isServed } = header as Words;
          if (error !== undefined)
            throw new SignerUnavailable(`the signer turns this process away: ${error.message}`);
          if (isServed === true) served();
          else if (made === null) {
            made = makeProof(socketPath, challenge);
            socket.write(encodeFrame({ proven: true }));
          }
        }
      } catch (error) {
        failed(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }).finally(() => {
    socket.removeAllListeners('data');
    // It is looked at once.
    if (made !== null) removeProof(made);
  });
}

/** What a killed process does not remove, the next signer sweeps away, and so may have done already. */
function removeProof(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** What a signer says before it serves. */
interface Words {
  challenge?: unknown;
  served?: unknown;
  error?: { message: string };
}

/** Makes the directory that a challenge asks for; its path. */
function makeProof(socketPath: string, challenge: unknown): string {
  // It becomes a name in the file system, and so is taken in no other form.
  if (typeof challenge !== 'string' || !challengePattern.test(challenge))
    throw new SignerUnavailable('what answers on the socket is no signer');
  const path = join(proofFolderOf(socketPath), challenge);
  try {
    mkdirSync(path, { mode: proofMode });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SignerUnavailable(`the signer cannot be shown which user this is: ${reason}`, { cause });
  }
  return path;
}
