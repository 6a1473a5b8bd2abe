/**
 * The one shape in which every verification ends, whether it failed on the way or was judged.
 */
import type { Support } from '../documents.ts';
import {
  type FailureCode,
  type FindingCode,
  precedence,
  type Remedy,
  SEVERITIES,
  type Severity,
  VERDICT_CODES,
  type VerdictClass,
  type VerdictCode,
} from './codes.ts';

/** Facts beside a code, for logs and support. They never vary with the time at which they are read. */
export type Details = Readonly<Record<string, string | number | boolean | null>>;

export interface Finding {
  readonly code: FindingCode;
  readonly class: VerdictClass;
  readonly blocks: boolean;
  /** One plain sentence for the user of the application. */
  readonly message: string;
  readonly severity: Severity;
  readonly remedy: Remedy | null;
  /** Member of the license document that decided, such as `term.until`. */
  readonly path?: string;
  readonly details?: Details;
}

export interface Verdict {
  readonly valid: boolean;
  /** The first finding by precedence; VALID when there is none. */
  readonly code: VerdictCode;
  /** Everything that blocks, by precedence. */
  readonly findings: readonly Finding[];
  /** Everything that does not block, by precedence. */
  readonly warnings: readonly Finding[];
  /** The instant for which the bundle is proven, milliseconds since 1970; null when nothing is proven. */
  readonly asOf: number | null;
  /** The wall clock, in milliseconds since 1970, at which the same file is next judged differently; null for never. */
  readonly changesAt: number | null;
  /** What to do next: the remedy of the first finding or else of the first warning that has one. */
  readonly remedy: Remedy | null;
  /** How to reach the vendor; null when the namespace is not proven. */
  readonly contact: Support | null;
}

export interface FindingContext {
  readonly path?: string;
  readonly details?: Details;
  /** Replaces the registry's remedy where the document knows a better one. */
  readonly remedy?: Remedy;
}

/** A finding as the registry describes it. */
export function finding(code: FindingCode, context: FindingContext = {}): Finding {
  const entry = VERDICT_CODES[code];
  return assemble(code, entry.blocks, entry.severity, context);
}

/**
 * A blocking code that the license's own terms turn into a warning.
 * Throws TypeError for a code whose registry entry does not allow that.
 */
export function tolerated(code: FindingCode, context: FindingContext = {}): Finding {
  const rung = VERDICT_CODES[code].asWarning;
  if (rung === null) throw new TypeError(`${code} cannot be a warning`);
  return assemble(code, false, rung, context);
}

function assemble(
  code: FindingCode,
  blocks: boolean,
  rung: Severity | null,
  context: FindingContext,
): Finding {
  const entry = VERDICT_CODES[code];
  return {
    code,
    class: entry.class,
    blocks,
    message: entry.message,
    severity: rung ?? 'notify',
    remedy: context.remedy ?? entry.remedy,
    ...(context.path === undefined ? {} : { path: context.path }),
    ...(context.details === undefined ? {} : { details: context.details }),
  };
}

/** Sorts what was observed and draws the conclusion. Equal codes stay in the order of observation. */
export function conclude(
  observed: readonly Finding[],
  known: Pick<Verdict, 'asOf' | 'changesAt' | 'contact'>,
): Verdict {
  const sorted = observed.toSorted((a, b) => precedence(a.code) - precedence(b.code));
  const findings = sorted.filter(({ blocks }) => blocks);
  const warnings = sorted.filter(({ blocks }) => !blocks);
  const next = findings[0] ?? warnings.find(({ remedy }) => remedy !== null);
  return {
    valid: findings.length === 0,
    code: findings[0]?.code ?? 'VALID',
    findings,
    warnings,
    asOf: known.asOf,
    changesAt: known.changesAt,
    remedy: next?.remedy ?? null,
    contact: known.contact,
  };
}

/**
 * The verdict on a bundle that could not be proven. `known` carries what was proven before the failure, if
 * anything. Time alone never changes such a verdict.
 */
export function failure(
  code: FailureCode,
  details: Details = {},
  known: { readonly asOf?: number; readonly contact?: Support; readonly path?: string } = {},
): Verdict {
  const context = known.path === undefined ? { details } : { details, path: known.path };
  return conclude([finding(code, context)], {
    asOf: known.asOf ?? null,
    changesAt: null,
    contact: known.contact ?? null,
  });
}

/** The highest rung of the ladder that a verdict asks for; null when all is quiet. */
export function severityOf(verdict: Verdict): Severity | null {
  const rungs = [...verdict.findings, ...verdict.warnings].map(({ severity }) =>
    SEVERITIES.indexOf(severity),
  );
  return SEVERITIES[Math.max(-1, ...rungs)] ?? null;
}
