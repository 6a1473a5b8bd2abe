/**
 * Verification of a custody report, offline: from a pinned trust root to everything that happened to a license, with
 * who asked for it and why, and to what the report cannot show.
 */
import {
  base64,
  type CauseStatement,
  type CustodyGap,
  type CustodyReport,
  checkBrakeEpoch,
  cosignatureTimes,
  custodyGaps,
  effectiveUntil,
  IntegrityError,
  keyFingerprintText,
  meetsThreshold,
  type NamespaceDocument,
  parseCustodyReport,
  parseMapRoot,
  parseTlogProof,
  readBrake,
  readCauseStatement,
  readNamespace,
  type SeenAnchor,
  type SignerRules,
  signersOfRecord,
  type TlogProof,
  type TrustRoot,
  utf8,
  verifyAnchor,
  verifyTrust,
} from '@tallystick/core';
import type { LicenseDocument } from '@tallystick/license';
import { checkAccess } from './access-check.ts';
import { ApprovalCheck } from './approval-check.ts';
import { AuthorCheck } from './author-check.ts';
import { checkChains, kindOf } from './chains.ts';
import { ChangeCheck } from './change-check.ts';
import { DecisionCheck } from './decision-check.ts';
import { type CustodyFinding, Findings } from './findings.ts';
import { type PlacedEntry, placeEntries } from './placed-entries.ts';
import type { ProvenApproval, ProvenCustody, ProvenRevision, ProvenSigner, ProvenStep } from './proven.ts';
import { documentOf, ReportWorld } from './report-world.ts';

export interface CustodyVerification {
  /** Everything that is wrong; empty where the report is sound. */
  findings: CustodyFinding[];
  /** null where anything is wrong. */
  proven: ProvenCustody | null;
}

/** A report whose anchor holds. */
interface Anchored {
  report: CustodyReport;
  trust: TrustRoot;
  anchor: SeenAnchor;
  proof: TlogProof;
  mapRoot: Uint8Array;
  /** The trust roots that its reader has pinned. */
  pin: readonly TrustRoot[];
}

/**
 * Verifies a custody report without network or clock. Whatever the bytes are, this resolves.
 *
 * @param pin the pinned trust roots, version 1 first, as `verifyTrustChain` returned them
 */
export async function verifyCustody(
  bytes: Uint8Array,
  pin: readonly TrustRoot[],
): Promise<CustodyVerification> {
  const findings = new Findings();
  const anchored = await findings.check(null, () => openAnchored(bytes, pin));
  const proven = anchored === undefined ? null : await prove(anchored, findings);
  return { findings: findings.all, proven: findings.isClean ? proven : null };
}

async function openAnchored(bytes: Uint8Array, pin: readonly TrustRoot[]): Promise<Anchored> {
  const report = parseCustodyReport(bytes);
  const strange = report.subjects.find(
    ({ id }) => kindOf(id) === undefined || (kindOf(id) === 'license' && id !== report.license),
  );
  if (strange !== undefined) throw new IntegrityError('TOO_NEW', `report with a subject ${strange.id}`);
  const entry = parseMapRoot(utf8(report.anchor.entry));
  const proof = parseTlogProof(report.anchor.proof);
  const trust = await verifyTrust(report.trust, entry, proof, pin);
  const anchor = await verifyAnchor(report.anchor.entry, entry, proof, trust);
  return { report, trust, anchor, proof, mapRoot: entry.root, pin };
}

async function prove(anchored: Anchored, findings: Findings): Promise<ProvenCustody | null> {
  const { report, trust, anchor, mapRoot } = anchored;
  const causes = await readCauses(report, findings);
  const context = { report, anchor, genesis: trust.genesis, causes, mapRoot };
  const placed = await placeEntries(context, findings);
  const chains = await checkChains(placed, context, findings);
  const governing = await findings.check(null, () => openGoverning(anchored, chains));
  if (governing === undefined) return null;
  const signers = await checkSigners(placed, governing, findings);
  const checks = startChecks(new ReportWorld(chains, placed), signers, findings);
  const revisions: ProvenRevision[] = [];
  for (const entry of chains.get(report.license) ?? [])
    revisions.push(await proveRevision(entry, report, checks, revisions.at(-1)?.document));
  const approvals = await proveApprovals(report, chains, checks);
  checkRange(report, revisions, findings);
  const gaps = checkGaps(report, causes, findings);
  const { namespace } = governing;
  return {
    ns: report.ns,
    namespaceName: namespace.name,
    mode: namespace.mode,
    license: report.license,
    anchor: await describeAnchor(anchored),
    trustVersion: trust.version,
    range: report.range,
    revisions,
    approvals,
    access: await checkAccess(report, [...anchored.pin, trust], findings),
    gaps,
  };
}

async function readCauses(report: CustodyReport, findings: Findings): Promise<(CauseStatement | null)[]> {
  const causes: (CauseStatement | null)[] = [];
  for (const [nth, { document }] of report.causes.entries()) {
    const index = report.entries.find(({ cause }) => cause === nth)?.index ?? null;
    const read = await findings.check(index, () => readCauseStatement(document), 'CAUSE_ALTERED');
    causes.push(read ?? null);
  }
  return causes;
}

type Governing = SignerRules & { brake: NonNullable<SignerRules['brake']> };

/** The newest namespace and brake: keys never leave the list, and ranges only get shorter. */
async function openGoverning(
  { report, trust }: Anchored,
  chains: ReadonlyMap<string, readonly PlacedEntry[]>,
): Promise<Governing> {
  const [namespaceEntry, brakeEntry] = ['namespace', 'brake'].map((id) => chains.get(id)?.at(-1));
  const [namespaceJson, brakeJson] = [namespaceEntry, brakeEntry].map((each) => each?.document?.json);
  if (namespaceEntry === undefined || namespaceJson === undefined || brakeJson === undefined)
    throw new IntegrityError('MALFORMED', 'report without its namespace or its brake');
  const authority = trust.namespaces.get(report.ns)?.authority;
  if (authority === undefined || !(await meetsThreshold(namespaceEntry.entry.envelope, authority)))
    throw new IntegrityError('KEY_NOT_VALID', 'namespace is not signed by its authority');
  const namespace: NamespaceDocument = readNamespace(namespaceJson);
  const brake = readBrake(brakeJson);
  checkBrakeEpoch(namespace, brake);
  return { trust, ns: report.ns, namespace, brake, keys: report.keys };
}

/** Who signed each entry, the namespace's own apart. */
async function checkSigners(
  placed: readonly PlacedEntry[],
  governing: Governing,
  findings: Findings,
): Promise<Map<PlacedEntry, ProvenSigner[]>> {
  const signers = new Map<PlacedEntry, ProvenSigner[]>();
  const used = new Set<string>();
  for (const entry of placed) {
    const { subject, index } = entry;
    if (subject === 'namespace') continue;
    const rules = subject === 'brake' ? { ...governing, brake: null } : governing;
    const record = {
      id: subject ?? 'the entry',
      index,
      entry: entry.entry,
      json: entry.document?.json ?? null,
    };
    const found = (await findings.check(index, () => signersOfRecord(record, rules))) ?? [];
    for (const { key } of found) used.add(keyFingerprintText(key));
    signers.set(
      entry,
      found.map(({ listed: { alg, id, from, until } }) => ({
        alg,
        id,
        from,
        until: endOf(id, until, governing),
      })),
    );
  }
  if (used.size !== governing.keys.length)
    findings.add('MALFORMED', null, 'report carries keys that it does not use');
  return signers;
}

/** The range as namespace and brake make it together. */
function endOf(id: string, until: number | null, { namespace, brake }: Governing): number | null {
  const end = effectiveUntil(namespace, brake, { id, until });
  return Number.isFinite(end) ? end : null;
}

/** What is looked at in a change, beside its bytes. */
interface Checks {
  findings: Findings;
  signers: ReadonlyMap<PlacedEntry, ProvenSigner[]>;
  authors: AuthorCheck;
  decisions: DecisionCheck;
  approvals: ApprovalCheck;
  changes: ChangeCheck;
}

function startChecks(world: ReportWorld, signers: Checks['signers'], findings: Findings): Checks {
  const decisions = new DecisionCheck(world, findings);
  const authors = new AuthorCheck(world, findings);
  const approvals = new ApprovalCheck(world, decisions, findings);
  const changes = new ChangeCheck(decisions, findings);
  return { findings, signers, authors, decisions, approvals, changes };
}

/** Who asked for a change, and what allowed it. */
async function explain(
  entry: PlacedEntry,
  cause: CauseStatement | null,
  { authors, decisions, approvals }: Checks,
): Promise<Pick<ProvenRevision, 'author' | 'decision'>> {
  if (cause === null) return { author: null, decision: null };
  const decision = await decisions.check(entry, cause);
  const author = await authors.check(entry, cause, decision);
  await approvals.checkUse(entry, cause, decision);
  return { author, decision };
}

async function proveApprovals(
  { subjects }: CustodyReport,
  chains: ReadonlyMap<string, readonly PlacedEntry[]>,
  checks: Checks,
): Promise<ProvenApproval[]> {
  const proven: ProvenApproval[] = [];
  for (const { id } of subjects) {
    if (kindOf(id) !== 'approval') continue;
    const steps: ProvenStep[] = [];
    for (const entry of chains.get(id) ?? []) steps.push(await proveStep(entry, entry.cause, checks));
    const approval = await checks.approvals.check(id, steps[0]?.decision ?? null);
    if (approval !== null) proven.push({ ...approval, steps });
  }
  return proven;
}

async function proveStep(
  placed: PlacedEntry,
  cause: CauseStatement | null,
  checks: Checks,
): Promise<ProvenStep> {
  const { index, leaf, entry, proofLength } = placed;
  const { rev, type, at } = entry.record;
  return {
    rev,
    index,
    leaf: base64(leaf),
    recordType: type,
    at,
    cause,
    ...(await explain(placed, cause, checks)),
    signers: checks.signers.get(placed) ?? [],
    proofLength,
  };
}

async function proveRevision(
  placed: PlacedEntry,
  { range }: CustodyReport,
  checks: Checks,
  before: LicenseDocument | null | undefined,
): Promise<ProvenRevision> {
  const { findings } = checks;
  const { rev, doc } = placed.entry.record;
  const isShown = range !== null && rev >= range.from && rev <= range.to;
  if (!isShown && placed.document !== null)
    findings.add(
      'MALFORMED',
      placed.index,
      `revision ${rev} is outside of what the report says that it shows`,
    );
  const after = (await findings.check(placed.index, () => documentOf('license', placed))) ?? null;
  // A decision of another change may stand in the cause of one that is not shown.
  const step = await proveStep(placed, isShown ? placed.cause : null, checks);
  const approvals = await checks.changes.check(placed, step, { before, after });
  return { ...step, isShown, commitment: base64(doc), document: after, ...approvals };
}

function checkRange(
  { range }: CustodyReport,
  revisions: readonly ProvenRevision[],
  findings: Findings,
): void {
  if (revisions.length === 0) findings.add('CHAIN_BROKEN', null, 'report without its license');
  if (range !== null && range.to >= revisions.length)
    findings.add('CHAIN_BROKEN', null, `there is no revision ${range.to} of the license`);
}

function checkGaps(
  report: CustodyReport,
  causes: readonly (CauseStatement | null)[],
  findings: Findings,
): CustodyGap[] {
  const gaps = custodyGaps(report, causes);
  const text = (list: readonly CustodyGap[]): string =>
    JSON.stringify(list.map(({ code, index }) => [code, index]));
  if (text(gaps) !== text(report.gaps))
    findings.add('GAPS_MISSTATED', null, 'the report states other gaps than it has');
  return gaps;
}

async function describeAnchor({ anchor, proof, trust }: Anchored): Promise<ProvenCustody['anchor']> {
  const times = await cosignatureTimes(proof.checkpoint, trust.quorum);
  return {
    origin: proof.checkpoint.origin,
    size: anchor.size,
    root: base64(anchor.root),
    asOf: anchor.asOf * 1000,
    cosigners: [...times].map(([name, seconds]) => ({ name, at: seconds * 1000 })),
  };
}
