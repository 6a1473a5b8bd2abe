/**
 * What the cosigners of the log tell about this signer: whether its mark is the newest that there is, and how far its
 * clock is from theirs.
 *
 * A cosigner signs a checkpoint after the log key did and before the signer sees its cosignature. So, whoever carries
 * it and however slowly, a time before the first or after the second shows that the clocks differ.
 */
import {
  type Checkpoint,
  cosignatureTimes,
  equalBytes,
  formatInstant,
  parseSignedCheckpoint,
  quorumTimeOf,
  type SignedCheckpoint,
  type TrustRoot,
  verifyLogSignatures,
} from '@tallystick/core';
import { SignerRefusal } from './protocol/requests.ts';

export interface Clock {
  /** Milliseconds of the day's time, which people and daemons set. */
  now(): number;
  /** Milliseconds that only run. */
  monotonic(): number;
}

/** What a cosignature told of how far this clock is ahead of the cosigners', in milliseconds; negative where it is behind. */
interface Comparison {
  atLeast: number;
  atMost: number;
  /** What the day's time was ahead of the one that only runs: a step of this clock shows in it. */
  wallAhead: number;
}

/** Something that an operator must see, and that no request is to blame for. */
export type ReportClock = (message: string) => void;

const alarmMs = 1000;
const refuseMs = 5000;
/** Further ahead than this, no replayer takes a record. */
const recordAheadMs = 5 * 60_000;
/** Cosignatures have whole seconds. */
const secondMs = 1000;

/** What of the cosigners' word outlives the process. */
export interface WitnessMemory {
  readonly checkpoint: Checkpoint;
  /** As `Mark.heardVersion` and `Mark.hear`. */
  readonly heardVersion: number;
  hear(version: number): void;
}

export class WitnessWatch {
  readonly #versions: () => readonly TrustRoot[];
  readonly #memory: WitnessMemory;
  readonly #clock: Clock;
  readonly #report: ReportClock;
  /** Monotonic, as all that is remembered: it stays right when the clock is put right. */
  #unconfirmedSince: number;
  #signed: { checkpoint: Checkpoint; at: number } | null = null;
  #isConfirmed: boolean;
  /** When a quorum confirmed it last, by what it said itself. */
  #confirmedAt: number;
  /** True while the mark stands at what another signer signed and nobody confirmed since. */
  #isFollowing = false;
  #compared: Comparison | null = null;
  #contradiction: string | null = null;

  /**
   * @param versions of the trust root, from 1 up
   * @param memory an empty mark is of a log that begins, and has nothing to be confirmed
   */
  constructor(
    versions: () => readonly TrustRoot[],
    memory: WitnessMemory,
    clock: Clock,
    report: ReportClock,
  ) {
    this.#versions = versions;
    this.#memory = memory;
    this.#isConfirmed = memory.checkpoint.size === 0;
    this.#clock = clock;
    this.#report = report;
    this.#unconfirmedSince = clock.monotonic();
    this.#confirmedAt = this.#isConfirmed ? clock.monotonic() : Number.NEGATIVE_INFINITY;
  }

  /** Takes note of a checkpoint that is being signed, anew or again: cosigners are asked behind each time. */
  signing(checkpoint: Checkpoint): void {
    this.#signed = { checkpoint, at: this.#clock.monotonic() };
  }

  /** The mark moved to what another signer signed: only who has it cosigned from now on confirms it. */
  moved(): void {
    this.#isConfirmed = false;
    this.#isFollowing = true;
    this.#unconfirmedSince = this.#clock.monotonic();
  }

  /** Throws SignerRefusal once this signer has been shown a history that its mark does not know. */
  demandMark(): void {
    if (this.#contradiction !== null) throw new SignerRefusal('mark_behind', this.#contradiction);
  }

  /**
   * Throws SignerRefusal until a quorum has cosigned the mark since the start: only then is it the newest there is. Where
   * others sign as well it does not stay so: then the quorum must have said it within the last `withinMs`.
   */
  demandConfirmed(mark: Checkpoint, withinMs: number = Number.POSITIVE_INFINITY): void {
    const isRecent = mark.size === 0 || this.#clock.monotonic() - this.#confirmedAt <= withinMs;
    if (!this.#isConfirmed || !isRecent) throw unconfirmed(mark);
  }

  /** Throws SignerRefusal while the mark stands at what another signer signed: it is that one's turn. */
  demandOwn(mark: Checkpoint): void {
    if (this.#isFollowing) throw unconfirmed(mark);
  }

  /** How the clocks differ too much, or that nobody knows yet; null where they do not. */
  clockProblem(): string | null {
    const isNew = this.#compared === null && this.#memory.checkpoint.size > 0;
    if (isNew) return "this signer's clock was not held against the cosigners' since it started";
    const apart = this.#apartMs;
    return apart > refuseMs ? describeClock(apart) : null;
  }

  /** Throws SignerRefusal while the clocks differ too much to sign anything that the log goes on with. */
  demandClock(): void {
    const apart = this.#apartMs;
    if (apart > refuseMs) throw new SignerRefusal('clock', describeClock(apart));
  }

  /** Throws SignerRefusal for a record from the future, which would hold up the log until then. */
  demandPast(at: string): void {
    if (Date.parse(at) <= this.#clock.now() + recordAheadMs) return;
    const now = formatInstant(this.#clock.now());
    throw new SignerRefusal(
      'clock',
      `a record says ${at}, and it is ${now}: set the clock of the server right`,
    );
  }

  /**
   * Takes a cosigned checkpoint in. Throws SignerRefusal where no quorum signed it, and where it is one that the mark
   * should know and does not.
   *
   * @param isFresh whether its cosignatures were just made: older ones say nothing about clocks
   */
  async take(note: Uint8Array, isFresh: boolean): Promise<void> {
    const checkpoint = parseSignedCheckpoint(note);
    if (checkpoint.origin !== this.#memory.checkpoint.origin)
      throw new SignerRefusal('other_log', 'checkpoint of another log');
    const { times, asOf, version } = await this.#heard(checkpoint);
    // Read after the wait: it may have moved.
    const { size, root } = this.#memory.checkpoint;
    const isSame = checkpoint.size === size && equalBytes(checkpoint.root, root);
    if (checkpoint.size > size || (checkpoint.size === size && !isSame)) {
      this.#contradiction =
        `a checkpoint of ${checkpoint.size} entries has this log's signature and its cosigners', and the signer's mark ` +
        `stands at ${size}: the mark was put back, or the log key is used elsewhere. Nothing is signed until the ` +
        'newest mark is back';
      throw new SignerRefusal('mark_behind', this.#contradiction);
    }
    this.#memory.hear(version);
    if (isFresh) this.#compareClocks(checkpoint, median(times));
    // No allowance for clocks: where this one is ahead, cosigners are asked until theirs has come as far.
    if (!isSame || (asOf + 1) * secondMs <= this.#wallTime(this.#unconfirmedSince)) return;
    this.#isConfirmed = true;
    this.#isFollowing = false;
    this.#confirmedAt = Math.max(this.#confirmedAt, (asOf + 1) * secondMs - this.#wallAhead);
  }

  /**
   * Under the oldest version whose quorum signed it, from the one that was heard before: a newer one with the same quorum
   * may not be in the log yet, and cosigners that were replaced count no more once their successors were heard alone.
   */
  async #heard(checkpoint: SignedCheckpoint): Promise<{ times: number[]; asOf: number; version: number }> {
    let failure: unknown;
    const versions = this.#versions().filter(({ version }) => version >= this.#memory.heardVersion);
    for (const { version, log, quorum } of versions) {
      try {
        await verifyLogSignatures(checkpoint, log.vkeys);
        const times = await cosignatureTimes(checkpoint, quorum);
        return { times: [...times.values()], asOf: quorumTimeOf(quorum, times), version };
      } catch (error) {
        failure ??= error;
      }
    }
    throw new SignerRefusal('no_quorum', failure instanceof Error ? failure.message : String(failure));
  }

  /** @param seconds when the cosigners signed, in the middle of what they say */
  #compareClocks(checkpoint: Checkpoint, seconds: number): void {
    const before = this.#apartMs;
    const signed = this.#signed;
    const isOurs = signed !== null && equalBytes(signed.checkpoint.root, checkpoint.root);
    this.#compared = {
      atLeast: isOurs ? this.#wallTime(signed.at) - (seconds + 1) * secondMs : Number.NEGATIVE_INFINITY,
      atMost: this.#clock.now() - seconds * secondMs,
      wallAhead: this.#wallAhead,
    };
    const apart = this.#apartMs;
    if (apart > alarmMs && before <= alarmMs) this.#report(describeClock(apart));
  }

  /** By how much the clocks differ at least: as they were compared, and by what this one was set since. */
  get #apartMs(): number {
    if (this.#compared === null) return 0;
    const { atLeast, atMost, wallAhead } = this.#compared;
    const set = this.#wallAhead - wallAhead;
    return Math.max(atLeast + set, -(atMost + set), 0);
  }

  get #wallAhead(): number {
    return this.#clock.now() - this.#clock.monotonic();
  }

  /** What the clock would show now for a moment that is remembered. */
  #wallTime(monotonic: number): number {
    return this.#wallAhead + monotonic;
  }
}

function unconfirmed({ size }: Checkpoint): SignerRefusal {
  return new SignerRefusal(
    'unconfirmed',
    `nothing after entry ${size} is signed before a quorum of cosigners has confirmed, since this start, that it knows nothing newer`,
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function describeClock(apartMs: number): string {
  return (
    `this signer's clock and the cosigners' differ by ${(apartMs / 1000).toFixed(1)} seconds: set the clock of this ` +
    `host right, or find out whose is wrong. Above ${refuseMs / 1000} seconds no records are signed, and no checkpoint of a larger log`
  );
}
