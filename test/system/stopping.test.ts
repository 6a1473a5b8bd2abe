/** A system that is told to stop while it is in use. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

let system: RealSystem;

beforeEach(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  await system.published();
});

afterEach(() => system[Symbol.asyncDispose]());

async function logSize(): Promise<number> {
  const { text } = await system.ops('/metrics');
  return Number(/^tally_log_size (\d+)$/m.exec(text)?.[1]);
}

describe('a system that is told to stop', () => {
  it.each(['', '?wait=published'])('answers the changes that are under way (%s)', async (query) => {
    const before = await logSize();
    const asking = Array.from({ length: 200 }, () =>
      system.admin('POST', `/v1/licenses${query}`, { plan: 'pro-yearly', licensee: 'Contoso' }),
    );
    const settled = Promise.allSettled(asking);
    await eventually('the first of them', async () => (await logSize()) > before);
    await system.down();
    const answers = (await settled).flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    await system.up();
    await system.ready();
    const { items } = await system.must<{ items: object[] }>('GET', '/v1/licenses?limit=200');
    // What had not come in by then was told to come back, or not read at all; who was not answered has changed nothing.
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(items.length);
    expect(items.length).toBeGreaterThan(0);
    const others = answers.filter(({ status }) => status !== 201).map(({ json }) => json);
    for (const other of others) expect(other).toMatchObject({ status: 503, code: 'overloaded' });
  });

  it('does not wait for who sends a request and never ends it', async () => {
    const { port } = new URL(system.client.adminUrl ?? '');
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    const { token } = system.client;
    socket.write(
      `POST /v1/licenses HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"plan":',
    );
    await system.ready();
    const begun = performance.now();
    await system.down();
    expect(performance.now() - begun).toBeLessThan(5000);
    socket.destroy();
  });
});
