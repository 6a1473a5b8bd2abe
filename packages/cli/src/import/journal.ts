/**
 * What an import leaves behind: the report of rows that did not go through, the licenses that were made, and how
 * far it got. Results arrive in the order of the rows. The state is saved after the files that it speaks of, and
 * says how long they were, so that a run that is killed between the two resumes at the right place.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, open, readFile, rm } from 'node:fs/promises';
import { messageOf, usageError } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';
import { type Outcome, outcomes, type RowResult } from './row-importer.ts';

export type Counts = Record<Outcome, number>;

/** What makes a run the continuation of another. */
export interface ImportIdentity {
  name: string;
  /** SHA-256 of the mapping and of the file, hex. */
  mapping: string;
  file: string;
}

interface State extends ImportIdentity {
  v: 1;
  /** Rows done, from the first without a gap. */
  rows: number;
  counts: Counts;
  /** Length of the report; what a killed run wrote after it was saved is written again. */
  reportBytes: number;
}

export interface JournalOptions {
  identity: ImportIdentity;
  report: string;
  /** null: the licenses are not written down. */
  licenses: string | null;
  resume: boolean;
  /** A dry run gets nowhere from which another run could go on. */
  dryRun: boolean;
}

const SAVE_MS = 1_000;

/** Where it stands how far the import with this report is. */
export function stateFileOf(report: string): string {
  return `${report}.state`;
}

/** Where a dry run reports: the report of an import stays as it is, because that import may go on from it. */
export function dryRunReport(report: string): string {
  return existsSync(stateFileOf(report)) ? `${report}.dry-run` : report;
}

export class Journal {
  readonly counts: Counts;
  private rowsDone: number;
  private savedAt: number = Number.NEGATIVE_INFINITY;
  private readonly identity: ImportIdentity;
  /** null: the state is not kept. */
  private readonly statePath: string | null;
  private readonly report: LinesFile;
  private readonly licenses: LinesFile | null;

  private constructor(state: State, statePath: string | null, report: LinesFile, licenses: LinesFile | null) {
    const { name, mapping, file } = state;
    this.identity = { name, mapping, file };
    this.counts = { ...state.counts };
    this.rowsDone = state.rows;
    this.statePath = statePath;
    this.report = report;
    this.licenses = licenses;
  }

  /** Throws a usage error for files that cannot be written, and when the run that should go on was another one. */
  static async open({ identity, report, licenses, resume, dryRun }: JournalOptions): Promise<Journal> {
    const statePath = stateFileOf(report);
    const state = (resume ? await readState(statePath, identity) : null) ?? emptyState(identity);
    // Keys are secrets, and are shown once: the file that holds them is only ever added to.
    const licensesFile = licenses === null ? null : await LinesFile.append(licenses, 0o600);
    const reportFile = await LinesFile.goOn(report, state.reportBytes, 0o644);
    if (!resume && !dryRun) await rm(statePath, { force: true });
    return new Journal(state, dryRun ? null : statePath, reportFile, licensesFile);
  }

  get rows(): number {
    return this.rowsDone;
  }

  async add(result: RowResult, nowMs: number): Promise<void> {
    const { row, line, key, outcome, problem, license } = result;
    if (problem !== null) this.report.add({ row, line, key, outcome, ...problem });
    if (license !== null) this.licenses?.add({ row, key, license: license.id, ...license, id: undefined });
    this.counts[outcome] += 1;
    this.rowsDone = row;
    if (nowMs - this.savedAt < SAVE_MS) return;
    this.savedAt = nowMs;
    await this.save();
  }

  async close(): Promise<void> {
    try {
      await this.save();
    } finally {
      await this.licenses?.close();
      await this.report.close();
    }
  }

  private async save(): Promise<void> {
    await this.licenses?.flush();
    const reportBytes = await this.report.flush();
    if (this.statePath === null) return;
    const state: State = { v: 1, ...this.identity, rows: this.rowsDone, counts: this.counts, reportBytes };
    await writeFileAtomic(this.statePath, `${JSON.stringify(state)}\n`);
  }
}

function emptyState(identity: ImportIdentity): State {
  const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Counts;
  return { v: 1, ...identity, rows: 0, counts, reportBytes: 0 };
}

/** null where no run has got far enough to save anything. */
async function readState(path: string, identity: ImportIdentity): Promise<State | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    // Not there, most of all; whatever else stands in the way does so again when it is written.
    return null;
  }
  const state = parseState(text, path);
  const changed = (['name', 'mapping', 'file'] as const).filter((part) => state[part] !== identity[part]);
  if (changed.length === 0) return state;
  throw usageError(
    `The run in ${path} was another one: what differs is the ${changed.join(' and the ')}.`,
    'Run without --resume: rows that were imported are found again and nothing is made twice.',
  );
}

function parseState(text: string, path: string): State {
  try {
    const state = JSON.parse(text) as State;
    if (state.v === 1 && Number.isSafeInteger(state.rows) && Number.isSafeInteger(state.reportBytes))
      return state;
  } catch {
    // Said below, together with a state of another form.
  }
  throw usageError(`${path} cannot be read.`, 'Run without --resume; nothing is made twice.');
}

/** A file of JSON lines that is written in pieces and knows its length. */
class LinesFile {
  private readonly path: string;
  private readonly file: FileHandle;
  private pending: string[];
  private length: number;

  private constructor(path: string, file: FileHandle, { length, isTorn }: Beginning) {
    this.path = path;
    this.file = file;
    this.length = length;
    // Whatever ended without a line end, what follows begins on a line of its own.
    this.pending = isTorn ? ['\n'] : [];
  }

  /** Keeps the first bytes of the file, and drops the rest. */
  static goOn(path: string, keepBytes: number, mode: number): Promise<LinesFile> {
    return LinesFile.open(path, keepBytes === 0 ? 'w' : 'r+', mode, async (file) => {
      const { size } = await file.stat();
      if (size < keepBytes)
        throw new Error('it is shorter than the earlier run left it; run without --resume');
      await file.truncate(keepBytes);
      return { length: keepBytes, isTorn: false };
    });
  }

  /** Keeps all of the file. */
  static append(path: string, mode: number): Promise<LinesFile> {
    return LinesFile.open(path, 'a+', mode, async (file) => {
      const { size } = await file.stat();
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
      return { length: size, isTorn: size > 0 && buffer.toString('latin1') !== '\n' };
    });
  }

  private static async open(
    path: string,
    flags: string,
    mode: number,
    begin: (file: FileHandle) => Promise<Beginning>,
  ): Promise<LinesFile> {
    try {
      const file = await open(path, flags, mode);
      await file.chmod(mode);
      return new LinesFile(path, file, await begin(file));
    } catch (error) {
      throw usageError(`${path} cannot be written: ${messageOf(error)}.`, 'Choose another path.');
    }
  }

  add(value: object): void {
    this.pending.push(`${JSON.stringify(value)}\n`);
  }

  /** Everything added so far is in the file; resolves to its length in bytes. Throws a usage error, and keeps it. */
  async flush(): Promise<number> {
    const bytes = Buffer.from(this.pending.join(''));
    if (bytes.length === 0) return this.length;
    let written = 0;
    try {
      while (written < bytes.length) {
        const left = bytes.length - written;
        const { bytesWritten } = await this.file.write(bytes, written, left, this.length + written);
        written += bytesWritten;
      }
      await this.file.datasync();
    } catch (error) {
      await this.takeBack(written);
      throw usageError(
        `${this.path} cannot be written: ${messageOf(error)}.`,
        'Make room there, or choose another path.',
      );
    }
    this.pending = [];
    this.length += bytes.length;
    return this.length;
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }

  /** Half a line would run into the next one. What others have added meanwhile is theirs. */
  private async takeBack(written: number): Promise<void> {
    const { size } = await this.file.stat();
    if (size === this.length + written) await this.file.truncate(this.length);
  }
}

interface Beginning {
  length: number;
  /** True where the file does not end with a line end. */
  isTorn: boolean;
}
