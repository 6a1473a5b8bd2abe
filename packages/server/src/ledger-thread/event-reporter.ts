/** What happened, in one place: as events for streams, as alarms on stderr, and as what the status says. */
import type { EventData, EventType } from '@tallystick/contract';
import { encodeEvent } from '@tallystick/contract/event-text';
import type { ProblemCode } from '@tallystick/contract/problems';
import { base64, formatInstant, subjectTypeOf } from '@tallystick/core';
import { LedgerError, type LedgerEvent } from '@tallystick/ledger';
import type { Quorum } from '../quorum/quorum.ts';
import type { EventMessage } from './messages.ts';

/** A stream of events is for people and hooks, not for replication: of larger commands only this many are told. */
const durableEventsMax = 200;

export class EventReporter {
  readonly #quorum: Quorum;
  readonly #post: (event: EventMessage) => void;
  #isInTrouble = false;
  #isClockWrong = false;
  /** Whether anybody follows events: nobody pays for telling what nobody hears. */
  isListening = false;
  /** False from the first sign that the signer is away until it signs again. */
  isSignerConnected = true;
  /** When the newest checkpoint was published, an instant; null before the first of this process. */
  lastPublishedAt: string | null = null;

  constructor(quorum: Quorum, post: (event: EventMessage) => void) {
    this.#quorum = quorum;
    this.#post = post;
  }

  report(event: LedgerEvent): void {
    switch (event.type) {
      case 'durable':
        this.#durable(event.changes);
        break;
      case 'published':
        this.#published(event.published);
        break;
      case 'trouble':
        this.#trouble(event.error);
        break;
      case 'halted':
        this.alarm(
          event.error.problem === 'stopping' ? 'internal' : event.error.problem,
          event.error.message,
        );
        break;
      case 'alarm':
        this.alarm(
          event.error instanceof LedgerError && event.error.problem === 'integrity'
            ? 'integrity'
            : 'signer_unavailable',
          event.error.message,
        );
        break;
    }
  }

  /** Something that people must look at: a line on stderr, an event, and by that a metric. */
  alarm(code: ProblemCode, detail: string): void {
    const at = formatInstant(Date.now());
    process.stderr.write(`${JSON.stringify({ alarm: code, detail, at })}\n`);
    this.#send('alarm', { at, code, detail });
  }

  #durable(changes: Extract<LedgerEvent, { type: 'durable' }>['changes']): void {
    this.isSignerConnected = true;
    if (!this.isListening) return;
    for (const { change, index, at } of changes.slice(0, durableEventsMax)) {
      const subject = { type: subjectTypeOf(change.type), id: change.subject.id };
      const entry = { index, type: change.type, subject, rev: change.rev, at };
      this.#send('entry.durable', entry as EventData['entry.durable']);
    }
  }

  #published({ size, root, asOf }: Extract<LedgerEvent, { type: 'published' }>['published']): void {
    const at = formatInstant(Date.now());
    this.isSignerConnected = true;
    this.lastPublishedAt = at;
    this.#send('checkpoint.published', { size, root: base64(root), asOf: formatInstant(asOf * 1000), at });
  }

  #trouble(error: Error | null): void {
    this.isSignerConnected = error?.name !== 'SignerUnavailable';
    const members = this.#quorum.status.map(({ lastSeenAt, ...member }) => ({
      ...member,
      lastSeenAt: lastSeenAt === null ? null : formatInstant(lastSeenAt),
    }));
    const at = formatInstant(Date.now());
    if (error === null) this.#send('quorum.restored', { at, members });
    else if (!this.#isInTrouble) this.#send('quorum.lost', { at, members });
    const problem = error instanceof LedgerError ? error.problem : null;
    if (problem === 'log_behind') this.alarm('log_behind', error?.message ?? '');
    if (problem === 'clock_differs' && !this.#isClockWrong) this.alarm('clock_differs', error?.message ?? '');
    this.#isClockWrong = problem === 'clock_differs';
    this.#isInTrouble = error !== null;
  }

  #send<T extends EventType>(type: T, data: EventData[T]): void {
    this.#post({ type, data: encodeEvent(type, data) });
  }
}
