/**
 * What would have come of the decisions of a span under another policy: of changes, as their causes in the log have them, and
 * of everything else that was asked, as the access log has it.
 */
import { isDropped, openSegment, parseAccessRecord, parseLeaf, type SegmentReader } from '@tallystick/access';
import type { Flip, ShadowProgress, ShadowReport } from '@tallystick/contract';
import { type Decision, type DecisionInput, inputHash, type PolicySource } from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import { type DecidedCommand, decidedCommands, type Store } from '@tallystick/ledger';

const flipsMax = 1000;
/** Leaves, between two looks at whether anybody still waits. */
const leavesPerStep = 64;

export interface ShadowedLogs {
  store: Store;
  /** null where no access log is kept. */
  access: SegmentReader | null;
  /** Instant: what is from before then was dropped on purpose; null where nothing was. */
  droppedBefore: string | null;
}

export interface ShadowSpan {
  /** Instants; null for no bound. `to` is the first one outside. */
  from: string | null;
  to: string | null;
}

/** Told how far it is; what it returns is waited for. */
export type OnShadowProgress = (progress: ShadowProgress) => Promise<void> | void;

/**
 * Reads only, beside whoever writes. Throws PolicyError where the candidate cannot be evaluated, and AccessLogError where the
 * access log cannot be read.
 *
 * @param at now, an instant
 */
export async function shadowPolicy(
  logs: ShadowedLogs,
  candidate: PolicySource,
  { from, to, at }: ShadowSpan & { at: string },
  onProgress: OnShadowProgress,
): Promise<ShadowReport> {
  const { store, access } = logs;
  const shadow = new Shadow(candidate, { from, to });
  const size = await store.size();
  let done = 0;
  for await (const command of decidedCommands(store, { size, from }, (read) => {
    done = read;
  })) {
    shadow.command(command);
    if (done > 0) await onProgress({ step: 'entries', done, total: size });
    done = 0;
  }
  if (access !== null) await requests(shadow, { ...logs, access }, onProgress);
  return shadow.report(at);
}

async function requests(
  shadow: Shadow,
  { access, droppedBefore }: { access: SegmentReader; droppedBefore: string | null },
  onProgress: OnShadowProgress,
): Promise<void> {
  const total = access.size;
  for (const { index, leaf: bytes } of access.leaves(1)) {
    if (index % leavesPerStep === 0) await onProgress({ step: 'leaves', done: index, total });
    const leaf = parseLeaf(bytes);
    if (!shadow.touches(leaf)) continue;
    const segment = access.segment(index);
    if (segment === undefined) {
      if (isDropped(leaf, droppedBefore)) shadow.dropped(leaf.count);
      else shadow.unknown(leaf.count);
      continue;
    }
    const lines = openSegment(leaf, segment.salt, segment.bytes);
    for (const [nth, line] of lines.entries()) shadow.request(line, leaf.first + nth, access);
  }
  for (const { n, line } of access.pending()) shadow.request(line, n, access);
}

class Shadow {
  readonly #engine: PolicyEngine;
  readonly #span: ShadowSpan;
  /** By effect and hash of the input; null where the verdict is the same. */
  readonly #known = new Map<string, Flip | null>();
  /** What changes were decided on: the access log has those requests as well. */
  readonly #changes = new Set<string>();
  #decisions = 0;
  #unknown = 0;
  #dropped = 0;

  constructor(candidate: PolicySource, span: ShadowSpan) {
    this.#engine = new PolicyEngine(candidate);
    this.#span = span;
  }

  touches({ from, to }: { from: string; to: string }): boolean {
    const { from: first, to: end } = this.#span;
    return (first === null || to >= first) && (end === null || from < end);
  }

  dropped(count: number): void {
    this.#dropped += count;
  }

  unknown(count: number): void {
    this.#unknown += count;
  }

  command(command: DecidedCommand): void {
    if ('message' in command) {
      this.unknown(1);
      return;
    }
    const { index: n, at, decision } = command;
    if (decision === null || !this.touches({ from: at, to: at })) return;
    const { entities } = decision;
    this.#changes.add(entities);
    this.#take({ was: 'allow', entities, at, log: 'main', n }, () => decision.input as DecisionInput);
  }

  request(line: string, n: number, access: SegmentReader): void {
    const { at, decision } = parseAccessRecord(line);
    if (decision === null || !this.touches({ from: at, to: at })) return;
    const { effect: was, entities } = decision;
    if (was === 'allow' && this.#changes.has(entities)) return;
    this.#take({ was, entities, at, log: 'access', n }, () => inputOf(access, entities));
  }

  #take(
    { was, entities, at, log, n }: Pick<Flip, 'was' | 'at' | 'log' | 'n'> & { entities: string },
    input: () => DecisionInput | null,
  ): void {
    const name = `${was} ${entities}`;
    const known = this.#known.get(name);
    if (known === undefined) {
      const asked = input();
      if (asked === null) {
        this.unknown(1);
        return;
      }
      const decision = this.#engine.decide(asked);
      const flips = decision.allowed !== (was === 'allow');
      this.#known.set(
        name,
        flips ? { ...flipOf(asked, decision), was, times: 1, since: at, at, log, n } : null,
      );
    } else if (known !== null) {
      known.times += 1;
      if (at < known.since) known.since = at;
      if (at > known.at) Object.assign(known, { at, log, n });
    }
    this.#decisions += 1;
  }

  report(at: string): ShadowReport {
    const flips = [...this.#known.values()].filter((flip) => flip !== null);
    const times = (was: Flip['was']): number =>
      flips.reduce((sum, flip) => sum + (flip.was === was ? flip.times : 0), 0);
    const { policy, schema } = this.#engine;
    // Who would get in comes before whom it would keep out.
    const rank = ({ was }: Flip): number => (was === 'deny' ? 0 : 1);
    flips.sort((one, other) => rank(one) - rank(other) || other.times - one.times);
    return {
      policy,
      schema,
      at,
      ...this.#span,
      decisions: this.#decisions,
      unknown: this.#unknown,
      dropped: this.#dropped,
      denied: times('allow'),
      allowed: times('deny'),
      flips: flips.slice(0, flipsMax),
    };
  }
}

/** What somebody altered is as good as not there. */
function inputOf(access: SegmentReader, entities: string): DecisionInput | null {
  const input = access.input(entities);
  return input === undefined || inputHash(input) !== entities ? null : (JSON.parse(input) as DecisionInput);
}

function flipOf(
  { principal, action, resource }: DecisionInput,
  { reasons, errors, lacks }: Decision,
): Omit<Flip, 'was' | 'times' | 'since' | 'at' | 'log' | 'n'> {
  return {
    action,
    principal: principal.id,
    roles: [...principal.roles],
    product: resource.product,
    reasons: [...reasons],
    errors: [...errors],
    lacks,
  };
}
