/** What is wrong with a custody report: each thing typed, and with the place that it is about. */
import { type IntegrityCode, IntegrityError } from '@tallystick/core';
import { ModelError } from '@tallystick/license';

export type CustodyCode =
  | IntegrityCode
  /** Revisions of a subject are missing, or do not follow from each other. */
  | 'CHAIN_BROKEN'
  /** A cause is not the one that a record commits to, or says nothing that can be read. */
  | 'CAUSE_ALTERED'
  /** A decision is not what its hashes say, or the policy in force does not make it. */
  | 'DECISION_ALTERED'
  /** The log did not know who asked, or did not let them in. */
  | 'AUTHOR_INVALID'
  /** Others approved than have to, or something else. */
  | 'APPROVAL_INVALID'
  /** A record of the access log, or the log itself, is not what was signed. */
  | 'ACCESS_ALTERED'
  /** The report states other gaps than it has. */
  | 'GAPS_MISSTATED';

export interface CustodyFinding {
  code: CustodyCode;
  /** Log index of the entry to blame; null where it is the report or its anchor. */
  index: number | null;
  message: string;
}

/** Collects findings, so that one does not hide the next. */
export class Findings {
  readonly all: CustodyFinding[] = [];

  get isClean(): boolean {
    return this.all.length === 0;
  }

  add(code: CustodyCode, index: number | null, message: string): void {
    this.all.push({ code, index, message });
  }

  /**
   * Runs one check. What it throws becomes a finding, under `code` where that is given; undefined is returned then. What
   * no rule foresees counts as malformed.
   */
  async check<T>(
    index: number | null,
    run: () => T | Promise<T>,
    code?: CustodyCode,
  ): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.add(code ?? codeOf(error), index, message);
      return undefined;
    }
  }
}

function codeOf(error: unknown): CustodyCode {
  if (error instanceof IntegrityError) return error.code;
  if (error instanceof ModelError) return error.kind === 'too_new' ? 'TOO_NEW' : 'ALTERED';
  return 'MALFORMED';
}
