/**
 * Which user is at the other end of the signer's socket. Node cannot ask the kernel that, so a peer shows it in the file
 * system, as in HTCondor's method "FS": it makes a directory named by a challenge that was drawn for its connection
 * alone, and the kernel notes who made it.
 *
 * A directory, because nobody else can bring one here that its owner made for something else. It has no hard links; the
 * folder is sticky, so that only its owner and the signer rename what is in it; and from elsewhere a directory is moved
 * only by who may write to it, which mode 700 leaves to its owner. A file could be linked and moved, and the signer could
 * not read what its owner wrote into it.
 */
import { chmodSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { CellError } from '../cell/cell-error.ts';
import { type FoundFile, observeFile, ownUser, type SocketAudience } from '../cell/files.ts';
import { proofFolderOf, proofMode } from './proof-names.ts';

const sticky = 0o1000;

export class ProofFolder {
  readonly path: string;
  readonly #device: bigint;
  readonly #users: ReadonlySet<number>;

  private constructor(path: string, device: bigint, users: ReadonlySet<number>) {
    this.path = path;
    this.#device = device;
    this.#users = users;
  }

  /**
   * Makes the folder beside a socket, or empties the one of a signer that was killed. Throws CellError where something
   * else is in its place.
   *
   * @param users ids of those who may connect
   */
  static open(socketPath: string, audience: SocketAudience, users: ReadonlySet<number>): ProofFolder {
    const path = proofFolderOf(socketPath);
    const before = observeFile(path);
    if (before === null) mkdirSync(path, { mode: 0o700 });
    else if (before.kind !== 'folder' || before.uid !== ownUser()) {
      throw new CellError(
        `${path} is a ${before.kind} of user ${before.uid} where the signer keeps a folder of its own: ask who made it, and remove it`,
      );
    }
    chmodSync(path, audience === 'group' ? sticky | 0o770 : 0o700);
    sweep(path);
    return new ProofFolder(path, (observeFile(path) as FoundFile).device, users);
  }

  /** Why a peer that was given this challenge is not served; null where it is. */
  problem(challenge: string): PeerProblem | null {
    const path = join(this.path, challenge);
    const proof = observeFile(path);
    if (proof === null) return unproven(`there is no ${path}`);
    // Whoever may mount a file system of their own says themselves who owns what is in it.
    if (proof.device !== this.#device) return unproven(`${path} is on a file system of its own`);
    if (proof.kind !== 'folder' || proof.mode !== proofMode)
      return unproven(`${path} is a ${proof.kind} of mode ${proof.mode.toString(8)}`);
    if (this.#users.has(proof.uid)) return null;
    const served = [...this.#users].join(', ');
    const message = `it is user ${proof.uid}, and this signer serves ${served}: name it in "socketUsers", or ask who it is`;
    return { reason: 'other_user', message };
  }
}

/** An alarm, and what the peer is told. */
export interface PeerProblem {
  reason: 'other_user' | 'unproven';
  message: string;
}

export function unproven(message: string): PeerProblem {
  return { reason: 'unproven', message: `it did not show which user it is: ${message}` };
}

/** What peers left behind that were killed. It proves nothing: its challenges were of connections that are gone. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    try {
      if (observeFile(path)?.kind === 'folder') rmdirSync(path);
      else unlinkSync(path);
    } catch (error) {
      // Somebody's directory with something in it, which only they can empty.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
  }
}
