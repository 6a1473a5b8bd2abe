/**
 * The events of `GET /v1/events`, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * Only what is published carries an id, which is a log index that never goes back: a client that reconnects
 * with `Last-Event-ID` gets every `entry.published` and the newest `checkpoint.published` after it, none
 * missing. Without that header the stream begins now. The other events are live only.
 */
import { z } from 'zod';
import type { PublishedCheckpoint, QuorumMember, SubjectName } from './answers.ts';
import type { Instant, RecordType } from './documents.ts';
import { recordTypes } from './documents.ts';
import { eventIds } from './event-text.ts';
import { type ProblemCode, problemCodes } from './problems.ts';
import { publishedCheckpoint, quorumMember, subjectName } from './schemas/answers.ts';
import { instant, natural } from './schemas/scalars.ts';
import { oneOf, open } from './schemas/shape.ts';

/** A record at its place in the log. */
export interface EntryEvent {
  index: number;
  type: RecordType;
  subject: SubjectName;
  rev: number;
  at: Instant;
}

export interface QuorumEvent {
  at: Instant;
  members: QuorumMember[];
}

/** Something that people should look at: the problem that requests meet, or would. */
export interface AlarmEvent {
  at: Instant;
  code: ProblemCode;
  detail: string;
}

export interface EventData {
  'entry.durable': EntryEvent;
  'entry.published': EntryEvent;
  'checkpoint.published': PublishedCheckpoint;
  'quorum.lost': QuorumEvent;
  'quorum.restored': QuorumEvent;
  alarm: AlarmEvent;
}

export type EventType = keyof EventData;

export interface EventMeaning<T> {
  /** The log index that the event carries as its id; null for events without one. */
  id: ((data: T) => number) | null;
  summary: string;
  data: z.ZodType<T>;
}

const entryEvent: z.ZodType<EntryEvent> = open<EntryEvent>({
  index: natural,
  type: oneOf(recordTypes),
  subject: subjectName,
  rev: natural,
  at: instant,
});
const quorumEvent: z.ZodType<QuorumEvent> = open<QuorumEvent>({
  at: instant,
  members: z.array(quorumMember),
});

export const events: { readonly [T in EventType]: EventMeaning<EventData[T]> } = {
  'entry.durable': {
    id: eventIds['entry.durable'],
    summary: 'A record has an index and cannot be lost',
    data: entryEvent,
  },
  'entry.published': {
    id: eventIds['entry.published'],
    summary: 'A published checkpoint covers the record',
    data: entryEvent,
  },
  'checkpoint.published': {
    id: eventIds['checkpoint.published'],
    summary: 'A checkpoint is signed and cosigned by the quorum; it follows the entries that it covers',
    data: publishedCheckpoint,
  },
  'quorum.lost': {
    id: eventIds['quorum.lost'],
    summary: 'The quorum does not cosign, so nothing is published',
    data: quorumEvent,
  },
  'quorum.restored': {
    id: eventIds['quorum.restored'],
    summary: 'The quorum cosigns again',
    data: quorumEvent,
  },
  alarm: {
    id: eventIds.alarm,
    summary: 'Something that people should look at, under the code of a problem',
    data: open<AlarmEvent>({ at: instant, code: oneOf(problemCodes), detail: z.string().max(2_000) }),
  },
};

export const eventTypes: readonly EventType[] = Object.keys(events) as EventType[];
