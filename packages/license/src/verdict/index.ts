/** The pure judgment of a proven license, and the one shape in which every verification ends. */
export * from './clock.ts';
export * from './codes.ts';
export { type JudgeRequest, judge, type Proven, TRUST_EXPIRING_MS } from './judge.ts';
export type { Need } from './needs.ts';
export * from './staleness.ts';
export { effectiveLock, effectiveMinEpoch, type Locks } from './standing.ts';
export { EXPIRES_SOON_MS, type Release } from './term.ts';
export { type Details, type Finding, failure, severityOf, type Verdict } from './verdict.ts';
