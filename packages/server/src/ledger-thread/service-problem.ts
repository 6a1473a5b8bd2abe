import type { ProblemCode } from '@tallystick/contract/problems';
import type { Verdict } from './gate/gatekeeper.ts';

/** A problem in the terms of the contract, to be answered as such. */
export class ServiceProblem extends Error {
  override readonly name = 'ServiceProblem';
  readonly code: ProblemCode;
  /** What happened; undefined where the remedy says it all. */
  readonly detail: string | undefined;
  readonly path: string | undefined;
  readonly details: Record<string, string | number> | undefined;
  /** What was decided about the request, where it came so far. */
  verdict: Verdict | null = null;

  constructor(code: ProblemCode, detail?: string, path?: string, details?: Record<string, string | number>) {
    super(detail ?? code);
    this.code = code;
    this.detail = detail;
    this.path = path;
    this.details = details;
  }
}
