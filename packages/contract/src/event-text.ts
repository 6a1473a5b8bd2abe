/** How events are written: apart from their schemas, which whoever only writes them does not need. */
import type { EventData, EventMeaning, EventType } from './events.ts';

/** The log index that an event carries as its id; null for events without one. */
export const eventIds: { readonly [T in EventType]: EventMeaning<EventData[T]>['id'] } = {
  'entry.durable': null,
  'entry.published': (entry) => entry.index,
  // The last leaf under a checkpoint is the root of the map, which follows every record it covers.
  'checkpoint.published': (checkpoint) => Math.max(0, checkpoint.size - 1),
  'quorum.lost': null,
  'quorum.restored': null,
  alarm: null,
};

/** A comment line that keeps idle connections open. */
export const keepAlive = ': \n\n';

/** The text of one event, with its id where it has one. */
export function encodeEvent<T extends EventType>(type: T, data: EventData[T]): string {
  const id = eventIds[type];
  return `event: ${type}\n${id === null ? '' : `id: ${id(data)}\n`}data: ${JSON.stringify(data)}\n\n`;
}
