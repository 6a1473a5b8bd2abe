/** A replayer over a test log, with its state in a folder of its own. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ContentOptions,
  type Cosigner,
  createReplayer,
  initState,
  keyFromSeed,
  type Violation,
} from '../../src/index.ts';
import { entryToken, LogServer } from './log-server.ts';
import { type TestLog, testNow } from './test-log.ts';

const replayerName = 'replayer.example/r1';
/** Opens what the replayer holds. */
export const readerToken = 'reader-token-of-the-test';

export interface ReplayOptions {
  workers?: number;
  /** Looks by itself at what the log has published. */
  follow?: boolean;
  contents?: ContentOptions | null;
  /** How long an answer of the log is waited for. */
  fetchTimeoutMs?: number;
}

export class ReplaySetup implements AsyncDisposable {
  readonly log: TestLog;
  readonly server: LogServer;
  readonly folder: string;
  readonly violations: Violation[] = [];
  /** What it told its operator. */
  readonly lines: Record<string, unknown>[] = [];
  /** What the replayer's clock says, in seconds. */
  now: number = testNow;
  readonly #workers: number;
  readonly #follow: boolean;
  readonly #fetchTimeoutMs: number;
  /** How documents are got, from the next start on. */
  contents: ContentOptions | null;
  #replayer: Cosigner;

  private constructor(
    log: TestLog,
    server: LogServer,
    { workers = 0, follow = false, contents = null, fetchTimeoutMs = 20_000 }: ReplayOptions,
  ) {
    this.log = log;
    this.server = server;
    this.#workers = workers;
    this.#follow = follow;
    this.#fetchTimeoutMs = fetchTimeoutMs;
    this.contents = contents;
    this.folder = mkdtempSync(join(tmpdir(), 'replayer-'));
    initState({ stateFile: this.stateFile, kind: 'replayer', name: replayerName, origins: [log.origin] });
    this.#replayer = this.#open();
  }

  static async start(log: TestLog, options: ReplayOptions = {}): Promise<ReplaySetup> {
    return new ReplaySetup(log, await LogServer.start(log), options);
  }

  get stateFile(): string {
    return join(this.folder, 'state.db');
  }

  get replayer(): Cosigner {
    return this.#replayer;
  }

  /** The last cosigned size. */
  get cosigned(): number {
    return this.#replayer.status()[0]?.size ?? -1;
  }

  /** Asks for a cosignature on the first `size` entries. */
  add(size: number = this.log.size, oldSize: number = this.cosigned): Promise<string> {
    return this.#replayer.addCheckpoint(this.log.request(oldSize, size));
  }

  async close(): Promise<void> {
    await this.#replayer[Symbol.asyncDispose]();
  }

  async restart(): Promise<void> {
    await this.close();
    this.#replayer = this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.server[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }

  #open(): Cosigner {
    const { origin, vkey, genesis } = this.log;
    const { url } = this.server;
    return createReplayer({
      keys: [keyFromSeed(replayerName, new Uint8Array(32).fill(7))],
      stateFile: this.stateFile,
      logs: [
        {
          origin,
          vkeys: [vkey],
          logUrl: `${url}/log`,
          trustUrl: `${url}/trust`,
          token: entryToken,
          genesis,
          follow: this.#follow,
          ...(this.contents && { contents: this.contents }),
        },
      ],
      now: () => this.now,
      workers: this.#workers,
      fetchTimeoutMs: this.#fetchTimeoutMs,
      tokenHashes: [createHash('sha256').update(readerToken).digest()],
      report: (_origin, violation) => this.violations.push(violation),
      tell: (line) => this.lines.push(line),
    });
  }
}
