/** Streams of events beside readers that come, go and are slow at the wrong moment. */
import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventStreams } from '../src/http/event-streams.ts';
import type { LedgerClient } from '../src/ledger-thread/ledger-client.ts';

/** Records up to a published size; each reading of them waits to be let go. */
class SlowLedger {
  status = { published: { size: 0, root: '', asOf: '', at: '' } };
  readonly isHeard: boolean[] = [];
  readonly readings: (() => void)[] = [];

  listen(isHeard: boolean): void {
    this.isHeard.push(isHeard);
  }

  async ask(_method: string, { from, to }: { from: number; to: number }): Promise<{ body: string }> {
    await new Promise<void>((resolve) => this.readings.push(resolve));
    const records = Array.from({ length: to - from }, (_, nth) => ({ index: from + nth }));
    return { body: JSON.stringify(records) };
  }
}

let ledger: SlowLedger;
let streams: EventStreams;

beforeEach(() => {
  ledger = new SlowLedger();
  streams = new EventStreams();
  streams.attach(ledger as unknown as LedgerClient);
});
afterEach(() => streams.close());

function responseTo(): { response: ServerResponse; written: () => string } {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const texts: string[] = [];
  response.write = (text: string) => {
    texts.push(text);
    return true;
  };
  return { response, written: () => texts.join('') };
}

/** As the ledger's thread does: the status is there before the event. */
function publish(size: number): void {
  ledger.status = { published: { ...ledger.status.published, size } };
  streams.send({ type: 'checkpoint.published', data: `checkpoint of ${size}\n` });
}

async function letRead(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) {
    for (const resolve of ledger.readings.splice(0)) resolve();
    await turn();
  }
}

describe('a stream of events', () => {
  it('that is read for while the next checkpoint comes tells of that one and its records, too', async () => {
    const { response, written } = responseTo();
    streams.open(response, null, () => true);
    publish(2);
    publish(4);
    await letRead();
    const told = [...written().matchAll(/"index":(\d)|checkpoint of (\d)/g)].map(
      ([, index, size]) => index ?? `to ${size}`,
    );
    expect(told).toEqual(['0', '1', '2', '3', 'to 4']);
  });

  it('whose reader is gone before it is opened takes no place', async () => {
    const { response } = responseTo();
    const closed = once(response, 'close');
    response.destroy();
    await closed;
    streams.open(response, null, () => true);
    expect(streams.count).toBe(0);
    expect(ledger.isHeard).not.toContain(true);
  });
});
