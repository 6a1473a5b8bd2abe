/** Takes new versions of the trust root into the log. */
import {
  type BrakeDocument,
  changedAuthorities,
  encodeEnvelope,
  entitledKeys,
  entryLengthMax,
  equalBytes,
  formatNote,
  formatVerifierKey,
  leafHash,
  type NamespaceDocument,
  parseInstant,
  parseJson,
  parseNote,
  type TrustRoot,
  verifyTrustStep,
} from '@tallystick/core';
import { asError, LedgerError } from './errors.ts';
import type { Governing } from './governing.ts';
import type { GoverningSigner, HandOver } from './hand-over.ts';
import type { LogState } from './log-state.ts';
import {
  type PlacedRevision,
  placeRevision,
  type RevisionContext,
  type SignedRevision,
} from './place-revision.ts';
import type { Cosigners, Published } from './publish/publisher.ts';
import type { ExecutedQuietly } from './sequence/approved-batches.ts';
import type { Judge, Submission } from './sequence/batch.ts';
import type { Sequencer } from './sequence/sequencer.ts';
import type { StoredEntry } from './store/store.ts';
import type { TrustHistory } from './trust-history.ts';

export interface TrustPublicationParts {
  state: LogState;
  sequencer: Sequencer;
  history: TrustHistory;
  governing: Governing;
  reader: RevisionContext['reader'];
  signer: GoverningSigner;
  cosigners: Cosigners;
  handOver: HandOver;
  keys: { readonly all: RevisionContext['keys'] };
  published: () => Published | null;
  /** Milliseconds. */
  now: () => number;
  /** Makes a chain outlive this process, before any of it is logged. */
  save: (chain: readonly TrustRoot[]) => Promise<void>;
}

/** New versions, and the namespace signed anew where one of them changes its authority, as they are to be logged. */
interface Plan {
  fresh: readonly TrustRoot[];
  entries: StoredEntry[];
  revision: PlacedRevision | null;
}

export interface PublicationOptions {
  /** The namespace signed anew, where a new version changes its authority. */
  signed?: SignedRevision | null;
  dryRun?: boolean;
  judge?: Judge | null;
}

export class TrustPublication {
  readonly #parts: TrustPublicationParts;

  constructor(parts: TrustPublicationParts) {
    this.#parts = parts;
  }

  /**
   * Logs the versions of a verified chain that the log does not hold yet, in one batch with `signed`, the revision of the
   * namespace that a new authority signed; resolves with their number. A dry run only checks. What is new is judged where
   * `judge` says how, and what that throws is thrown. Throws LedgerError:
   * `trust_refused` where the chain does not continue the log's, or changes what this server cannot change;
   * `namespace_refused` where the revision does not follow.
   */
  async take(
    chain: readonly TrustRoot[],
    { signed = null, dryRun = false, judge = null }: PublicationOptions,
  ): Promise<number> {
    const { sequencer } = this.#parts;
    const { fresh } = await sequencer.whileQuiet(() => this.#plan(chain, signed));
    // Commands go on meanwhile: a new cosigner may take its time.
    await this.#checkQuorums(fresh);
    if (fresh.length === 0 || (dryRun && judge === null)) return fresh.length;
    return sequencer.whileQuiet(async () => {
      const plan = await this.#plan(chain, signed);
      if (plan.fresh.length === 0) return 0;
      await this.#judge(plan, judge);
      if (!dryRun) await this.#log(plan, signed);
      return plan.fresh.length;
    });
  }

  /** Takes them together with the record that a request for them was carried out, which `submission` asks for. Rejects as `take`. */
  async execute(
    chain: readonly TrustRoot[],
    signed: SignedRevision | null,
    submission: Submission,
  ): Promise<ExecutedQuietly> {
    const { sequencer } = this.#parts;
    const { fresh } = await sequencer.whileQuiet(() => this.#plan(chain, signed));
    await this.#checkQuorums(fresh);
    return sequencer.whileQuiet(async () => {
      let plan: Plan | null = null;
      const executed = await sequencer.executeQuietly(submission, async (index) => {
        const placed = await this.#plan(chain, signed, index);
        if (placed.fresh.length === 0) throw refused('the log holds these versions already');
        plan = placed;
        return { ...placed, prepare: () => this.#prepare(placed) };
      });
      if (plan !== null && executed.placed !== null && !submission.dryRun) await this.#logged(plan, signed);
      return executed;
    });
  }

  /** Says whether `take` could log them, by all but the quorums of the new versions. Throws as it does. */
  async check(
    chain: readonly TrustRoot[],
    signed: SignedRevision | null,
    judge: Judge | null,
  ): Promise<void> {
    await this.#parts.sequencer.whileQuiet(async () => {
      const plan = await this.#plan(chain, signed);
      if (plan.fresh.length === 0) throw refused('the log holds these versions already');
      await this.#judge(plan, judge);
    });
  }

  async #judge({ revision }: Plan, judge: Judge | null): Promise<void> {
    if (judge === null) return;
    await this.#parts.sequencer.judgeQuietly(judge, revision === null ? [] : [revision.applied.change]);
  }

  /** @param base log index of the first entry */
  async #plan(
    chain: readonly TrustRoot[],
    signed: SignedRevision | null,
    base: number = this.#parts.state.size,
  ): Promise<Plan> {
    const { history, governing } = this.#parts;
    const fresh = this.#freshOf(chain);
    const plan: Plan = { fresh, entries: [], revision: null };
    let current = history.current;
    for (const next of fresh) {
      const index = base + plan.entries.length;
      await this.#checkStep(current, next, index);
      const entry = encodeEnvelope(next.envelope);
      plan.entries.push({ index, leaf: leafHash(entry), subject: null, rev: 0, entry, content: null });
      if (changedAuthorities(current, next).length > 0) {
        plan.revision = await this.#place(next, signed, plan, index + 1);
        plan.entries.push(plan.revision.stored);
      }
      const namespace = plan.revision?.document ?? governing.namespace;
      checkRequirements(current, next, namespace, governing.brake);
      current = next;
    }
    if (signed !== null && fresh.length > 0 && plan.revision === null)
      throw refused('no new version changes the authority: submit the namespace revision by itself');
    if (current !== history.current && parseInstant(current.expires) <= this.#parts.now())
      throw refused(`version ${current.version} expired at ${current.expires}`);
    return plan;
  }

  /** What the log does not hold of a chain that begins with all that it holds. */
  #freshOf(chain: readonly TrustRoot[]): readonly TrustRoot[] {
    const { history, state } = this.#parts;
    const { versions, unlogged } = history;
    for (const [nth, known] of versions.entries()) {
      const given = chain[nth];
      if (given === undefined) throw refused(`it ends before version ${known.version}, which the log holds`);
      if (!equalBytes(given.hash, known.hash))
        throw refused(`its version ${known.version} is not the one that the log holds`);
    }
    // One that is kept and was never logged may be replaced: by now it may name what is gone.
    const isLogged = ({ envelope }: TrustRoot): boolean =>
      state.tree.indexOf(leafHash(encodeEnvelope(envelope))) !== undefined;
    const found = unlogged.find(isLogged);
    if (found !== undefined)
      throw refused(`it is not known whether version ${found.version} was logged: start the server anew`);
    return chain.slice(versions.length);
  }

  async #checkStep(current: TrustRoot, next: TrustRoot, index: number): Promise<void> {
    try {
      await verifyTrustStep(current, next, index);
    } catch (error) {
      throw refused(asError(error).message);
    }
    if (encodeEnvelope(next.envelope).length > entryLengthMax)
      throw refused(`version ${next.version} has more than ${entryLengthMax} bytes`);
    const { ns } = this.#parts.governing.namespace;
    const changed = unsupportedChange(current, next, ns);
    if (changed !== null)
      throw refused(`version ${next.version} changes ${changed}, which this server cannot do yet`);
  }

  /** The revision of the namespace, right behind the version that changes its authority. */
  async #place(
    trust: TrustRoot,
    signed: SignedRevision | null,
    plan: Plan,
    index: number,
  ): Promise<PlacedRevision> {
    const { state, governing, reader, keys, sequencer, now } = this.#parts;
    const what = `version ${trust.version} changes the authority of ${governing.namespace.ns}`;
    if (signed === null) {
      throw refused(
        `${what}: the new authority has to sign the namespace anew, and that revision comes with it`,
      );
    }
    if (plan.revision !== null)
      throw refused(`${what} a second time: publish the version before it first, and then this one`);
    return placeRevision(signed, {
      index,
      state,
      trust,
      current: governing.namespace,
      reader,
      keys: keys.all,
      now: now(),
      lastAt: sequencer.lastAt,
    });
  }

  /** What no quorum comes about for now would stop the log until one does. */
  async #checkQuorums(fresh: readonly TrustRoot[]): Promise<void> {
    const { history, cosigners, state, published } = this.#parts;
    const newest = published();
    let before = history.current;
    for (const next of fresh) {
      if (newest !== null && said(before).quorum !== said(next).quorum) {
        const note = notedByLog(newest.note, history.current);
        const proofFrom = (oldSize: number): Uint8Array[] =>
          state.tree.consistencyProof(oldSize, newest.size);
        await cosigners.probe(note, newest.size, proofFrom, next.quorum).catch((error: unknown) => {
          throw refused(
            `the quorum of version ${next.version} does not come about now (${asError(error).message}): let every ` +
              'new cosigner run where its address says, a new replayer long enough to replay the log, and try again',
          );
        });
      }
      before = next;
    }
  }

  async #log(plan: Plan, signed: SignedRevision | null): Promise<void> {
    await this.#prepare(plan);
    await this.#parts.sequencer.appendQuietly(plan.entries, plan.revision);
    await this.#logged(plan, signed);
  }

  async #prepare({ fresh }: Plan): Promise<void> {
    const kept = this.#parts.history.unlogged;
    // What the log holds is kept as it is logged: the caller's may bear other signatures.
    await this.#keep(fresh);
    await this.#handToSigner(fresh, kept);
  }

  async #logged({ fresh, entries, revision }: Plan, signed: SignedRevision | null): Promise<void> {
    const { history, handOver } = this.#parts;
    for (const trust of fresh) {
      const logged = entries.find(({ entry }) => equalBytes(entry, encodeEnvelope(trust.envelope)));
      if (logged !== undefined) history.logged(trust, logged.entry, logged.index);
    }
    if (revision !== null && signed !== null) await handOver.namespace(signed.entry, signed.document);
  }

  async #keep(unlogged: readonly TrustRoot[]): Promise<void> {
    const { history, save } = this.#parts;
    await save([...history.versions, ...unlogged]);
    history.kept(unlogged);
  }

  /** Before anything is logged, so that a signer that will not follow stops nothing. */
  async #handToSigner(fresh: readonly TrustRoot[], keptBefore: readonly TrustRoot[]): Promise<void> {
    const { signer, history } = this.#parts;
    const failure = await signer
      .adoptTrustRoot(envelopesOf([...history.versions, ...fresh]))
      .then(() => null, asError);
    if (failure === null) return;
    const isAway = failure.name === 'SignerUnavailable';
    if (!isAway) await this.#keep(keptBefore);
    throw new LedgerError(
      isAway ? 'signer_unavailable' : 'trust_refused',
      `nothing was logged, because the signer did not take the new trust root: ${failure.message}`,
      { cause: failure },
    );
  }
}

/** The parts of a trust root that decide what a change of them takes, as text. */
function said(trust: TrustRoot): { log: string; quorum: string } {
  const { quorum } = parseJson(trust.envelope.payload, new Set(['quorum'])) as { quorum: string };
  return { quorum, log: [trust.log.origin, ...trust.log.vkeys.map(formatVerifierKey)].join() };
}

/** What this server could not go on under. */
function unsupportedChange(current: TrustRoot, next: TrustRoot, ns: string): string | null {
  if (said(current).log !== said(next).log) return 'the keys of the log';
  if ([...next.namespaces.keys()].some((name) => !current.namespaces.has(name)))
    return 'the list of namespaces';
  const other = changedAuthorities(current, next).find((name) => name !== ns);
  return other === undefined ? null : `the authority of ${other}, a namespace that is not here`;
}

/** Records that lack a required algorithm verify nowhere, so somebody has to be listed who can sign with it. */
function checkRequirements(
  current: TrustRoot,
  next: TrustRoot,
  namespace: NamespaceDocument,
  brake: BrakeDocument,
): void {
  const before = current.namespaces.get(namespace.ns)?.require;
  for (const [usage, rules] of next.namespaces.get(namespace.ns)?.require ?? []) {
    for (const { from, algs, perpetual = algs } of rules.slice(before?.get(usage)?.length ?? 0)) {
      const keys = entitledKeys(namespace, usage === 'brake' ? null : brake, usage, from);
      const missing = perpetual.find((wanted) => keys.every(({ alg }) => alg !== wanted));
      if (missing === undefined) continue;
      throw refused(
        `version ${next.version} asks for ${missing} on ${usage} records from log index ${from} on, and the namespace ` +
          'lists no such key that is valid there: list one first',
      );
    }
  }
}

/** The note as the log alone signed it. */
function notedByLog(note: string, { log }: TrustRoot): string {
  const { text, signatures } = parseNote(new TextEncoder().encode(note));
  const own = signatures.filter(({ id }) => log.vkeys.some((vkey) => equalBytes(vkey.id, id)));
  return formatNote({ text, signatures: own });
}

function refused(why: string): LedgerError {
  return new LedgerError('trust_refused', why);
}

/** The envelopes of a chain, for whoever keeps it. */
export function envelopesOf(chain: readonly TrustRoot[]): Uint8Array[] {
  return chain.map(({ envelope }) => encodeEnvelope(envelope));
}
