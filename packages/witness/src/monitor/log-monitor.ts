/**
 * One log, watched from outside: what its cosigners hold is what counts, and everything that the log serves has to lead
 * there.
 *
 * The state in memory moves only when a round was committed; a round that fails, or a crash within it, begins anew from
 * what the state file holds.
 */
import {
  base64,
  equalBytes,
  formatInstant,
  IntegrityError,
  LogTree,
  quorumTime,
  type TrustRoot,
} from '@tallystick/core';
import type { HttpSource } from '../replayer/http-source.ts';
import { Unavailable } from '../replayer/violation.ts';
import { type Alarm, type AlarmKind, remedies } from './alarm.ts';
import type { Contradiction } from './evidence.ts';
import type { EvidenceFolder } from './evidence-files.ts';
import { FollowedTrust } from './followed-trust.ts';
import { checkHead, type Head, headSources, mergeNotes, mergeSignatures, pullHead } from './heads.ts';
import { fetchLeaves, NotServed } from './leaf-tiles.ts';
import { AlarmList, type MonitorState, type PendingHead, type Tip } from './monitor-state.ts';
import { checkPromises } from './promise-check.ts';
import { readPromiseFiles } from './promise-files.ts';
import type { RuleCheck } from './rule-check.ts';

export interface WatchedLogConfig {
  /** Every version of the trust root, from 1 up. */
  trust: readonly [TrustRoot, ...TrustRoot[]];
  logUrl: string;
  trustUrl: string;
  /** Opens tiles and entries; without it the monitor sees heads alone. */
  token: string | undefined;
  /** Cosigners by the name in their keys, with the monitoring prefix of each. */
  witnesses: readonly { name: string; url: string }[];
  /** How old the word of a quorum may be. */
  staleSeconds: number;
  /** How long the log may show less than what it had cosigned. */
  behindSeconds: number;
}

export interface LogMonitorParts {
  log: WatchedLogConfig;
  state: MonitorState;
  evidence: EvidenceFolder;
  /** Replays entries; null where there is no token for them. */
  rules: RuleCheck | null;
  promises: string;
  signal: AbortSignal;
  /** Seconds. */
  now: () => number;
}

export interface LogRound {
  origin: string;
  /** Of the newest tree that was verified. */
  size: number;
  /** Entries that were replayed; null where they are not looked at. */
  replayed: number | null;
  /** The newest time that a quorum stands behind, in seconds; null where none does. */
  asOf: number | null;
  alarms: Alarm[];
}

const timeoutMs = 10_000;

/** Entries of a log, at 64 bytes of memory each: a log that says it has more could fill this machine up. */
const sizeMax = 2 ** 24;

/** What evidence needs of a checkpoint. */
type Shown = Pick<Tip, 'size' | 'note'>;

export class LogMonitor {
  readonly #parts: LogMonitorParts;
  readonly #trust: FollowedTrust;
  readonly #origin: string;
  #tree: LogTree;
  #tip: Tip | null;
  /** When each cosigner cosigned last what fits, in seconds, by its name in the policy. */
  readonly #times = new Map<string, number>();

  /** Throws ConfigError where the state is damaged. */
  constructor(parts: LogMonitorParts) {
    this.#parts = parts;
    this.#trust = new FollowedTrust(parts.log, parts.state, { timeoutMs, signal: parts.signal });
    this.#origin = this.#trust.newest.log.origin;
    this.#tree = parts.state.tree(this.#origin);
    this.#tip = parts.state.tip(this.#origin);
  }

  get origin(): string {
    return this.#origin;
  }

  /** Looks at everything once. Rejects only for faults of this monitor's own, such as a full disk. */
  async round(): Promise<LogRound> {
    const { taken, problem: trustProblem } = await this.#trust.advance(this.#tree);
    // Names are the policy's own, and another one may give them to others.
    if (taken > 0) this.#times.clear();
    const [tree, tip, times] = [this.#tree, this.#tip, this.#times];
    const { newest, log } = this.#trust;
    const round = new Round({ ...this.#parts, log }, newest, { tree, tip, times, trustProblem });
    try {
      const result = await round.run();
      this.#tip = round.tip;
      return result;
    } catch (error) {
      this.#tree = this.#parts.state.tree(this.#origin);
      this.#tip = this.#parts.state.tip(this.#origin);
      throw error;
    }
  }
}

/** A checkpoint larger than the tree, which what the log serves does not lead to. */
interface Misfit {
  head: Head;
  /** `none` where the log was convicted of it; `later` where it is too early to say. */
  alarm: 'unproven-head' | 'unavailable' | 'later' | 'none';
  message: string;
}

class Round {
  readonly #parts: LogMonitorParts;
  readonly #trust: TrustRoot;
  readonly #tree: LogTree;
  readonly #alarms: AlarmList;
  readonly #pending: PendingHead[] = [];
  /** Heads of this round that fit the tree. */
  readonly #fitting: Head[] = [];
  readonly #grownFrom: number;
  readonly #times: Map<string, number>;
  /** The log, with a checkpoint or with none. */
  #hasAnswered = false;
  tip: Tip | null;

  constructor(
    parts: LogMonitorParts,
    trust: TrustRoot,
    before: { tree: LogTree; tip: Tip | null; times: Map<string, number>; trustProblem: string | null },
  ) {
    this.#parts = parts;
    this.#trust = trust;
    this.#tree = before.tree;
    this.#grownFrom = before.tree.size;
    this.#times = before.times;
    this.tip = before.tip;
    this.#alarms = new AlarmList(parts.state.alarms(trust.log.origin));
    if (before.trustProblem !== null) this.#raise('bad-head', 'trust root', before.trustProblem);
  }

  async run(): Promise<LogRound> {
    const { rules } = this.#parts;
    const { origin } = this.#trust.log;
    const pulled = await this.#pull();
    const heads = mergeNotes([...pulled, ...(await this.#waiting())]);
    // Smaller ones first: each is a step to the next.
    await this.#placeAll(heads.toSorted((a, b) => a.size - b.size));
    await this.#checkBehind(heads.slice(0, pulled.length).find(({ source }) => source === 'log') ?? null);
    const asOf = this.#checkFreshness();
    await this.#checkPromises(heads);
    // Leaves and tip are durable before entries are judged, which may take long.
    this.#commit();
    if (rules !== null && this.tip !== null) await this.#checkRules(rules, this.tip);
    this.#commit();
    const replayed = rules === null ? null : rules.size;
    return { origin, size: this.#tree.size, replayed, asOf, alarms: this.#alarms.all };
  }

  #commit(): void {
    this.#parts.signal.throwIfAborted();
    this.#parts.state.commit(this.#trust.log.origin, {
      tip: this.tip,
      tree: this.#tree,
      grownFrom: this.#grownFrom,
      pending: this.#pending,
      alarms: this.#alarms.all,
    });
  }

  #raise(kind: AlarmKind, subject: string, message: string, evidence: string | null = null): void {
    const { origin } = this.#trust.log;
    this.#alarms.raise({ origin, kind, subject, message, todo: remedies[kind], evidence });
  }

  /** Once for each subject: what a log goes on doing needs no second file. Without evidence where that proves nothing. */
  async #convict(kind: AlarmKind, subject: string, message: string, found: Contradiction): Promise<void> {
    if (this.#alarms.isProven(this.#trust.log.origin, kind, subject)) return;
    this.#raise(kind, subject, message, await this.#write(found));
  }

  #write(found: Contradiction): Promise<string | null> {
    const { evidence, log, now } = this.#parts;
    return evidence.write(log.trust, formatInstant(now() * 1000), found);
  }

  #http(baseUrl: string, token?: string): HttpSource {
    return { baseUrl, token, timeoutMs, signal: this.#parts.signal };
  }

  /** What did not fit before. */
  async #waiting(): Promise<Head[]> {
    const heads: Head[] = [];
    for (const { note, source } of this.#parts.state.pending(this.#trust.log.origin)) {
      try {
        heads.push(await checkHead(note, source, this.#trust));
      } catch (error) {
        // Another trust root knows other keys.
        if (!(error instanceof IntegrityError)) throw error;
      }
    }
    return heads;
  }

  /** What cosigners hold, and what the log shows. */
  async #pull(): Promise<Head[]> {
    const sources = headSources(this.#parts.log, this.#trust.log.origin);
    const pulled = sources.map(async ({ source, url, path, cosigner }) => {
      try {
        const head = await pullHead(this.#http(url), path, { source, cosigner, trust: this.#trust });
        if (cosigner === null) this.#hasAnswered = true;
        return head;
      } catch (error) {
        if (error instanceof IntegrityError) this.#raise('bad-head', source, error.message);
        else if (error instanceof Unavailable) this.#raise('unreachable', source, error.message);
        else throw error;
        return null;
      }
    });
    const heads = (await Promise.all(pulled)).filter((head) => head !== null);
    // Who stops the monitor cuts its requests off, which says nothing about any source.
    this.#parts.signal.throwIfAborted();
    return heads;
  }

  /** Finds the place of each checkpoint in the tree, which grows to the largest that the log's tiles lead to. */
  async #placeAll(heads: readonly Head[]): Promise<void> {
    const misfits: Misfit[] = [];
    const seen = new Set<string>();
    for (const head of heads) {
      const id = `${head.size} ${base64(head.root)}`;
      // Several sources show the same one, and a second look at what did not fit finds nothing else.
      if (head.size === 0 || seen.has(id)) continue;
      const misfit = head.size > this.#tree.size ? await this.#grow(head) : null;
      if (misfit === null) await this.#placeKnown(head);
      else misfits.push(misfit);
      if (!this.#fitting.includes(head)) seen.add(id);
    }
    for (const { head, alarm, message } of misfits) {
      if (head.size <= this.#tree.size) {
        // The tree grew past it meanwhile, and says something else there.
        await this.#placeKnown(head);
      } else if (alarm !== 'none') {
        this.#keep(head);
        if (alarm !== 'later') this.#raise(alarm, alarm === 'unavailable' ? 'tiles' : head.source, message);
      }
    }
  }

  /** A checkpoint that is not larger than the tree. */
  async #placeKnown(head: Head): Promise<void> {
    const tip = this.tip;
    if (tip === null || head.size > tip.size) {
      const { size, root, text } = head;
      this.tip = { size, root, note: text, seenAt: this.#parts.now() };
    } else if (!equalBytes(this.#tree.root(head.size), head.root)) {
      await this.#convictFork(head.source, { size: head.size, note: head.text }, tip, this.#tree);
      return;
    } else if (head.size === tip.size) {
      // The more cosigners stand below it, the more it proves.
      this.tip = { ...tip, note: mergeSignatures(tip.note, head.text) };
    }
    this.#fitting.push(head);
  }

  /** null where the log's tiles led from the tree to the checkpoint. */
  async #grow(head: Head): Promise<Misfit | null> {
    const { logUrl, token, behindSeconds } = this.#parts.log;
    const http = this.#http(logUrl, token);
    const from = this.#tree.size;
    if (head.size > sizeMax) {
      const message = `${head.source} holds a checkpoint of ${head.size} entries, and a monitor holds ${sizeMax}`;
      return { head, alarm: 'unavailable', message };
    }
    const unproven = `${head.source} holds a checkpoint of ${head.size} entries that nothing the log serves leads to`;
    try {
      for await (const leaf of fetchLeaves(http, from, head.size)) this.#tree.append(leaf);
      if (equalBytes(this.#tree.root(), head.root)) return null;
      this.#tree.truncate(from);
      if (await this.#isOtherHistory(http, head)) return { head, alarm: 'none', message: '' };
      return { head, alarm: 'unproven-head', message: unproven };
    } catch (error) {
      this.#tree.truncate(from);
      if (error instanceof Unavailable) return { head, alarm: 'unavailable', message: error.message };
      if (!(error instanceof NotServed)) throw error;
      // What was cosigned a moment ago may be served a moment later.
      const cosignedAt = Math.max(0, ...head.cosigned.values());
      const isNews = this.#parts.now() - cosignedAt <= behindSeconds;
      return { head, alarm: isNews ? 'later' : 'unproven-head', message: unproven };
    }
  }

  /** Whether what the log serves now makes this checkpoint from the first entry on, and so another tree than ours. */
  async #isOtherHistory(http: HttpSource, head: Head): Promise<boolean> {
    const tip = this.tip;
    if (tip === null) return false;
    const other = new LogTree();
    for await (const leaf of fetchLeaves(http, 0, head.size)) other.append(leaf);
    if (!equalBytes(other.root(), head.root)) return false;
    await this.#convictFork(head.source, tip, { size: head.size, note: head.text }, other);
    return true;
  }

  /** The smallest of a source is the first that the log can grow past. */
  #keep({ text, source }: Head): void {
    if (this.#pending.every((kept) => kept.source !== source)) this.#pending.push({ note: text, source });
  }

  /** `source` shows one of two checkpoints that contradict each other; `tree` is the larger one's. */
  async #convictFork(source: string, smaller: Shown, larger: Shown, tree: LogTree): Promise<void> {
    const { size } = smaller;
    const message = `the log shows two histories: ${source} has another one of ${size} entries`;
    const found: Contradiction =
      larger.size === size
        ? { kind: 'same-size', a: smaller.note, b: larger.note }
        : {
            kind: 'not-a-prefix',
            smaller: smaller.note,
            larger: larger.note,
            root: tree.root(size),
            proof: tree.consistencyProof(size, larger.size),
          };
    await this.#convict('fork', 'log', message, found);
  }

  /** The log shows a smaller tree than one that it had cosigned, or none. */
  async #checkBehind(shown: Head | null): Promise<void> {
    const { tip } = this;
    if (tip === null || this.#parts.now() - tip.seenAt <= this.#parts.log.behindSeconds) return;
    if (shown === null) {
      if (this.#hasAnswered)
        this.#raise('behind', 'log', `the log shows no checkpoint, and had ${tip.size} entries cosigned`);
      return;
    }
    if (shown.size >= tip.size || !equalBytes(this.#tree.root(shown.size), shown.root)) return;
    const message = `the log shows ${shown.size} entries, and had ${tip.size} cosigned`;
    this.#raise('behind', 'log', message);
    if (this.#alarms.isProven(this.#trust.log.origin, 'rolled-back', 'log')) return;
    const evidence = await this.#write({ kind: 'rolled-back', larger: tip.note, smaller: shown.text });
    if (evidence !== null) this.#raise('rolled-back', 'log', message, evidence);
  }

  /** The newest time that a quorum stands behind what fits. */
  #checkFreshness(): number | null {
    const times = this.#times;
    for (const { cosigned } of this.#fitting)
      for (const [name, seconds] of cosigned) times.set(name, Math.max(seconds, times.get(name) ?? 0));
    const asOf = quorumTime(this.#trust.quorum, times) ?? null;
    const age = asOf === null ? Number.POSITIVE_INFINITY : this.#parts.now() - asOf;
    if (age > this.#parts.log.staleSeconds) {
      const since = asOf === null ? 'that answers here' : `since ${formatInstant(asOf * 1000)}`;
      this.#raise('stale', 'log', `no quorum has cosigned the log ${since}`);
    }
    return asOf;
  }

  async #checkRules(rules: RuleCheck, tip: Tip): Promise<void> {
    // A log only grows: what breaks a rule stays in it.
    if (this.#alarms.all.some(({ kind, evidence }) => kind === 'rule' && evidence !== null)) return;
    const problem = await rules.advance(tip, this.#tree);
    if (problem === null) return;
    if ('unavailable' in problem) {
      this.#raise('unavailable', 'entries', problem.unavailable);
      return;
    }
    const { rule, index, detail } = problem.violation;
    const message = `entry ${index} breaks the rule ${rule}: ${detail}`;
    const found = await rules.evidence(tip, this.#tree, index);
    if (found === null) this.#raise('rule', `${index}`, `${message}; no file holds enough to prove it`);
    else await this.#convict('rule', `${index}`, message, found);
  }

  async #checkPromises(heads: readonly Head[]): Promise<void> {
    const { log, promises, now } = this.#parts;
    const seen = { versions: log.trust, tip: this.tip, tree: this.#tree, heads, nowSeconds: now() };
    for (const problem of await checkPromises(readPromiseFiles(promises), seen)) {
      const { subject, message } = problem;
      if ('isNone' in problem) this.#raise('promise-file', subject, message);
      else if (problem.found === null) this.#raise('promise', subject, message);
      else await this.#convict('promise', subject, message, problem.found);
    }
  }
}
