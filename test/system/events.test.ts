import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventReader, type ServerEvent } from './support/event-reader.ts';
import { walkLog } from './support/log-walk.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually, sleep } from './support/waiting.ts';

let system: RealSystem;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  await system.published();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

async function issue(count: number): Promise<void> {
  const sales = Array.from({ length: count }, () =>
    system.must('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Contoso' }),
  );
  await Promise.all(sales);
}

async function killServer(): Promise<void> {
  const before = system.pid('server');
  system.kill('server');
  await eventually('another server', () => (system.supervisor.pidOf('server') ?? before) !== before);
  await system.ready();
}

function indexesOf(events: readonly ServerEvent[]): number[] {
  return events.filter(({ type }) => type === 'entry.published').map(({ data }) => data['index'] as number);
}

describe('a follower of events', () => {
  it('misses no published entry and gets none twice, across kills of the server', async () => {
    const start = (await walkLog(system)).tree.size;
    const all: ServerEvent[] = [];
    let reader = await EventReader.open(system, start - 1);
    for (let round = 0; round < 3; round++) {
      await issue(7);
      // Sometimes the stream is cut while it is behind.
      if (round !== 1) await eventually('entries', () => indexesOf(reader.events).length >= 3);
      await killServer();
      await reader.ended;
      all.push(...reader.events);
      const last = all.findLast(({ id }) => id !== null)?.id ?? start - 1;
      await issue(3);
      reader = await EventReader.open(system, last);
    }
    await system.published();
    const { records } = await walkLog(system);
    const expected = records.map(({ index }) => index).filter((index) => index >= start);
    await eventually('the rest', () => indexesOf([...all, ...reader.events]).length >= expected.length);
    await sleep(300);
    await reader.close();
    all.push(...reader.events);
    expect(indexesOf(all)).toEqual(expected);
    const ids = all.flatMap(({ id }) => (id === null ? [] : [id]));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it('that does not read is cut off, and others are not held up', async () => {
    await makeManyEntries();
    const lazy = await openWithoutReading();
    const eager = await EventReader.open(system);
    await issue(3);
    await eager.until('an entry', ({ type }) => type === 'entry.durable');
    await eventually('the lazy one to be cut off', () => isCut(lazy), 30_000);
    await eager.close();
    lazy.destroy();
  });
});

/** One command makes a record for each license of a customer. */
async function makeManyEntries(): Promise<void> {
  const customers = Array.from({ length: 48 }, (_, nth) => `customer-${nth}`);
  for (const reference of customers)
    await system.must('POST', '/v1/customers', { reference, name: reference });
  for (let rest = 400; rest > 0; rest -= 100) {
    const sales = Array.from({ length: 100 }, () =>
      system.must('POST', '/v1/licenses', { plan: 'pro-yearly', customer: 'customer-0' }),
    );
    await Promise.all(sales);
  }
  for (const [nth, into] of customers.slice(1).entries())
    await system.must('POST', `/v1/customers/customer-${nth}/merge`, { into });
  await system.published();
}

/** A client that asks for everything from the start and lets it pile up. */
function openWithoutReading(): Promise<Socket> {
  const { adminUrl, token } = system.client;
  const { hostname, port } = new URL(adminUrl);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.pause();
      socket.write(
        `GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nlast-event-id: 0\r\n\r\n`,
      );
      resolve(socket);
    });
    socket.once('error', reject);
    socket.on('error', () => {});
  });
}

/** Writing to a connection that the other end has destroyed fails. */
async function isCut(socket: Socket): Promise<boolean> {
  if (socket.destroyed || socket.errored !== null) return true;
  socket.write('\r\n');
  await sleep(100);
  return socket.destroyed || socket.errored !== null;
}
