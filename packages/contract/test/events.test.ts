import { describe, expect, it } from 'vitest';
import { type EventData, type EventType, encodeEvent, events, eventTypes } from '../src/index.ts';

const at = '2026-11-23T10:15:30.123Z';
const hash = `${'A'.repeat(43)}=`;
const entry = {
  index: 7,
  type: 'license.issued',
  subject: { type: 'license', id: 'lic_01jd0000000000000000000000' },
  rev: 0,
  at,
} as const;
const samples: EventData = {
  'entry.durable': entry,
  'entry.published': entry,
  'checkpoint.published': { size: 9, root: hash, asOf: at, at },
  'quorum.lost': { at, members: [] },
  'quorum.restored': { at, members: [] },
  alarm: { at, code: 'integrity', detail: 'Entry 3 does not match its commitment.\nIt was not served.' },
};

describe('server-sent events', () => {
  it.each(eventTypes)('%s is what its schema describes', (type) => {
    expect(events[type].data.parse(samples[type])).toEqual(samples[type]);
  });

  it.each(eventTypes)('%s takes one line of data, whatever it says', (type: EventType) => {
    const text = encodeEvent(type, samples[type]);
    const lines = text.split('\n');
    expect(lines[0]).toBe(`event: ${type}`);
    expect(lines.filter((line) => line.startsWith('data: '))).toHaveLength(1);
    expect(text.endsWith('\n\n')).toBe(true);
    expect(JSON.parse(lines.find((line) => line.startsWith('data: '))!.slice(6))).toEqual(samples[type]);
  });

  it('gives an id only to what a client can resume after, in the order of the log', () => {
    expect(encodeEvent('entry.published', entry)).toContain('\nid: 7\n');
    // The map root under a checkpoint of size 9 is entry 8, after every record that it covers.
    expect(encodeEvent('checkpoint.published', samples['checkpoint.published'])).toContain('\nid: 8\n');
    for (const type of ['entry.durable', 'quorum.lost', 'quorum.restored', 'alarm'] as const) {
      expect(encodeEvent(type, samples[type])).not.toContain('\nid:');
    }
  });
});
