/** Records of namespaces and brakes: their documents are public, so a replayer judges those as well. */
import {
  brakeStepProblem,
  meetsThreshold,
  namespaceStepProblem,
  parseBrake,
  parseNamespace,
} from '@tallystick/core';
import { KeyRing } from './key-ring.ts';
import { checkSignedNow } from './record-signatures.ts';
import type { ReplayState } from './replay-state.ts';
import { type JudgedRecord, type RuleContext, rememberKeys } from './rule-context.ts';
import { type PublicDocumentType, readPublicDocument, type TrustSource } from './trust-source.ts';
import { ruled, Violation } from './violation.ts';

/** Judges the rest of such a record, calls `accept`, and lets the document govern what follows. */
export async function applyPublicDocument(
  state: ReplayState,
  judged: JudgedRecord,
  context: RuleContext,
  accept: () => void,
): Promise<void> {
  if (judged.type === 'namespace') await applyNamespace(state, judged, context, accept);
  else await applyBrake(state, judged, context, accept);
}

async function applyNamespace(
  state: ReplayState,
  judged: JudgedRecord,
  context: RuleContext,
  accept: () => void,
): Promise<void> {
  const { parsed, trust, index } = judged;
  const { ns } = parsed.record;
  if (!(await meetsThreshold(parsed.envelope, trust.authority))) {
    throw new Violation('signature', index, `the namespace ${ns} is not signed by its authority`);
  }
  const bytes = await readDocument(judged, 'namespace', context.trustSource);
  const document = ruled('document', index, () => parseNamespace(bytes));
  checkNames(document, judged);
  const before = state.namespaces.get(ns);
  const problem = namespaceStepProblem(before?.document ?? null, document, index);
  if (problem !== null) throw new Violation('namespace', index, problem);
  const ring = before?.ring ?? new KeyRing(document);
  const brake = before?.brake ?? null;
  // Read before anything changes: an unavailable server leaves the state before this entry.
  const isFresh = document.keys.some((key) => !before?.document.keys.some((known) => known.id === key.id));
  const keys = isFresh ? await context.trustSource.keys(ns) : [];
  accept();
  ring.adopt(document, brake);
  ring.learn(keys);
  state.namespaces.set(ns, { document, brake, ring });
  state.resign.delete(ns);
  state.facts.set(`namespace/${ns}`, bytes);
  // Beside the newest one, for those who read from this mirror.
  state.facts.set(`namespace/${ns}/${document.rev}`, bytes);
  rememberKeys(state, ns, ring);
}

async function applyBrake(
  state: ReplayState,
  judged: JudgedRecord,
  context: RuleContext,
  accept: () => void,
): Promise<void> {
  const { parsed, index } = judged;
  const { ns } = parsed.record;
  const namespace = state.namespaces.get(ns);
  if (namespace === undefined)
    throw new Violation('bootstrap', index, `the namespace of ${ns} has to come first`);
  await checkSignedNow(state, judged, context);
  const bytes = await readDocument(judged, 'brake', context.trustSource);
  const document = ruled('document', index, () => parseBrake(bytes));
  checkNames(document, judged);
  const problem = brakeStepProblem(namespace.document, namespace.brake, document, index);
  if (problem !== null) throw new Violation('brake', index, problem);
  accept();
  namespace.ring.adopt(namespace.document, document);
  state.namespaces.set(ns, { ...namespace, brake: document });
  state.facts.set(`brake/${ns}`, bytes);
  state.facts.set(`brake/${ns}/${document.rev}`, bytes);
  if (state.isBootstrapping) state.isBootstrapping = !state.isComplete();
}

async function readDocument(
  { parsed, index }: JudgedRecord,
  type: PublicDocumentType,
  source: TrustSource,
): Promise<Uint8Array> {
  const { ns, rev, doc } = parsed.record;
  return readPublicDocument(source, { ns, type, rev, commitment: doc, index });
}

function checkNames(document: { ns: string; rev: number }, { parsed, index }: JudgedRecord): void {
  const { ns, rev } = parsed.record;
  if (document.ns === ns && document.rev === rev) return;
  throw new Violation('document', index, `it is revision ${document.rev} of ${document.ns}`);
}
