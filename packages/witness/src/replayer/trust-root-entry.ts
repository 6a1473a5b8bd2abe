/** Entries that are trust roots: the first leaf of a log, and every later version. */
import {
  changedAuthorities,
  encodeEnvelope,
  equalBytes,
  leafHash,
  parseTrustRoot,
  utf8,
  verifyTrustStep,
} from '@tallystick/core';
import type { ReplayState } from './replay-state.ts';
import { asViolation, ruled, Violation } from './violation.ts';

/** The log index of a version, in decimal digits. */
export function trustRootFact(version: number): string {
  return `trust-root/${version}`;
}

/** The published checkpoint by which the version before proves a version. */
export function trustStepFact(version: number): string {
  return `trust-step/${version}`;
}

/**
 * Takes in a trust root. The origin that it names is not compared with the log's: a log whose key was lost is
 * succeeded by one that serves the same first leaves under a new origin.
 */
export async function applyTrustRoot(
  state: ReplayState,
  entry: Uint8Array,
  genesis: Uint8Array,
): Promise<void> {
  const index = state.size;
  const next = ruled('entry', index, () => parseTrustRoot(entry));
  const current = state.trust;
  checkTurn(state, index);
  if (current === null && !equalBytes(next.hash, genesis)) {
    throw new Violation('trust-root', index, 'leaf 0 is not the pinned trust root version 1');
  }
  try {
    await verifyTrustStep(current, next, index);
  } catch (error) {
    throw asViolation('trust-root', index, error);
  }
  state.append({ leaf: leafHash(entry), subject: null, rev: 0, kind: 0 });
  state.governBy(next);
  state.facts.set('trust', encodeEnvelope(next.envelope));
  state.facts.set(trustRootFact(next.version), utf8(String(index)));
  if (current === null) state.isBootstrapping = !state.isComplete();
  else for (const ns of changedAuthorities(current, next)) state.resign.add(ns);
}

function checkTurn(state: ReplayState, index: number): void {
  if (state.trust !== null && state.isBootstrapping) {
    throw new Violation('bootstrap', index, 'a namespace or a brake is still missing');
  }
  const [ns] = state.resign;
  if (ns !== undefined) throw new Violation('resign', index, `namespace ${ns} has to be signed anew first`);
}
