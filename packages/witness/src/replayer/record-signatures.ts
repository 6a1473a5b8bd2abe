/** Who signed a record, and whether those were entitled to. */
import { requiredAlgorithms, usageFor } from '@tallystick/core';
import type { ReplayState } from './replay-state.ts';
import { type JudgedRecord, type RuleContext, rememberKeys } from './rule-context.ts';
import { holds, type SignatureNeed } from './signature-checks.ts';
import type { TrustSource } from './trust-source.ts';
import { Unavailable, Violation } from './violation.ts';

/**
 * Hands the signatures of a record to the checks that run behind. Returns a promise where they are better checked at
 * once: entries that failed before, and records whose key is not known here or not entitled.
 */
export function checkSigned(
  state: ReplayState,
  judged: JudgedRecord,
  context: RuleContext,
): Promise<void> | undefined {
  const needs = signatureNeeds(state, judged);
  if (context.suspects.has(judged.index) || needs.some(isHopeless))
    return checkSignedNow(state, judged, context);
  for (const need of needs) context.checks.add(need);
  return undefined;
}

/** Checks the signatures of a record on this thread, with keys that may have to be fetched first. */
export async function checkSignedNow(
  state: ReplayState,
  judged: JudgedRecord,
  context: RuleContext,
): Promise<void> {
  if (signatureNeeds(state, judged).some(isHopeless) && isKeyMissing(state, judged)) {
    await learnKeys(state, judged.parsed.record.ns, context.trustSource);
  }
  for (const need of signatureNeeds(state, judged)) {
    if (isHopeless(need)) throw noEntitledKey(state, judged);
    if (!(await holds(need))) throw badSignature(judged.index);
  }
}

export function badSignature(index: number): Violation {
  return new Violation('signature', index, 'a signature that the record needs does not hold');
}

/** Where a listed key's bytes are not served, nothing can be said against the record. */
function noEntitledKey(state: ReplayState, judged: JudgedRecord): Violation | Unavailable {
  const { parsed, type, index } = judged;
  if (isKeyMissing(state, judged)) {
    return new Unavailable(`a key of ${parsed.record.ns} that signed the record at ${index} is not served`);
  }
  return new Violation('signature', index, `not signed by the keys that ${type} records need at this index`);
}

function isHopeless(need: SignatureNeed): boolean {
  return need.candidates.length === 0;
}

function isKeyMissing(state: ReplayState, { parsed }: JudgedRecord): boolean {
  const ring = state.namespaces.get(parsed.record.ns)?.ring;
  return ring !== undefined && parsed.envelope.signatures.some(({ keyid }) => ring.isMissing(keyid));
}

async function learnKeys(state: ReplayState, ns: string, source: TrustSource): Promise<void> {
  const ring = state.namespaces.get(ns)?.ring;
  if (ring === undefined) return;
  ring.learn(await source.keys(ns));
  rememberKeys(state, ns, ring);
}

/**
 * Per required algorithm the signatures by keys that are entitled at this index. A replayer sees no license document:
 * what perpetual ones need besides is for those who do.
 */
function signatureNeeds(state: ReplayState, { parsed, type, trust, index }: JudgedRecord): SignatureNeed[] {
  const { envelope, record } = parsed;
  const ring = state.namespaces.get(record.ns)?.ring;
  const usage = usageFor(type);
  return requiredAlgorithms(trust, usage, index, false).map((alg) => {
    const candidates = envelope.signatures.flatMap(({ keyid, sig }) =>
      (ring?.entitled(keyid, usage, index) ?? [])
        .filter((key) => key.alg === alg)
        .map((key) => ({ key, signature: sig })),
    );
    return { index, payload: envelope.payload, candidates };
  });
}
