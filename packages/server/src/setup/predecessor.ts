/**
 * Who supervised a system before. A supervisor that was killed leaves its id behind and, for a moment, its processes:
 * they end by themselves, and until then hold the files and ports that its successor needs.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Above what processes give themselves to end once their supervisor is gone. */
const leftoverMsMax = 15_000;

/** What a process says where another one holds its file, socket or port. */
const heldByAnother = /another (?:signer|process)\b|EADDRINUSE/;

export class Predecessor {
  readonly #file: string;
  readonly #isOurs: boolean;
  readonly #deadline: number;

  private constructor(file: string, isOurs: boolean, deadline: number) {
    this.#file = file;
    this.#isOurs = isOurs;
    this.#deadline = deadline;
  }

  /** Looks at the id that the supervisor before has left in `file`, and leaves that of this process where it is gone. */
  static follow(file: string): Predecessor {
    const id = readId(file);
    if (id !== null && isAlive(id)) return new Predecessor(file, false, 0);
    writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
    return new Predecessor(file, true, id === null ? 0 : Date.now() + leftoverMsMax);
  }

  /** Whether an error at the start of a process may come from one that is about to end. */
  mayPass(error: unknown): boolean {
    return Date.now() < this.#deadline && error instanceof Error && heldByAnother.test(error.message);
  }

  /** For an orderly end: whoever comes next has nobody to wait for. */
  leave(): void {
    if (this.#isOurs) rmSync(this.#file, { force: true });
  }
}

function readId(file: string): number | null {
  try {
    const id = Number(readFileSync(file, 'utf8'));
    return Number.isSafeInteger(id) && id > 0 ? id : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Also true where another process has got the id since: then nobody is waited for. */
function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
