/**
 * Who can connect to the signer, and where they show who they are: this watches that the way to both is still the one
 * under which the socket was bound.
 */
import { dirname, resolve } from 'node:path';
import { CellError } from './cell-error.ts';
import { type FoundFile, observeFile, type SocketAudience } from './files.ts';

interface Way {
  path: string;
  facts: FoundFile | null;
}

export class SocketGuard {
  readonly #way: readonly Way[];

  private constructor(way: readonly Way[]) {
    this.#way = way;
  }

  /**
   * Remembers a socket that was just bound, and the folder in which peers prove themselves; throws CellError where the
   * socket is open to others than it was meant for.
   */
  static watch(socketPath: string, audience: SocketAudience, proofFolder: string): SocketGuard {
    const path = resolve(socketPath);
    const way = [path, dirname(path), proofFolder].map((each) => ({ path: each, facts: observeFile(each) }));
    const allowed = audience === 'group' ? 0o660 : 0o600;
    const mode = way[0]?.facts?.mode;
    if (mode === undefined || (mode & ~allowed) !== 0) {
      throw new CellError(`the socket ${path} is open to others than it is for: see what changed its mode`);
    }
    return new SocketGuard(way);
  }

  /** What is different now about the socket or its folder; null where nothing is. */
  change(): string | null {
    for (const { path, facts } of this.#way) {
      const now = observeFile(path);
      const isSame =
        now?.inode === facts?.inode &&
        now?.kind === facts?.kind &&
        now?.mode === facts?.mode &&
        now?.uid === facts?.uid;
      if (!isSame) return `${path} is not as it was when the signer bound its socket: see who changed it`;
    }
    return null;
  }
}
