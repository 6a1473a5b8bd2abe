/** The clocks of all cosigners are moved away from everybody else's, and back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

let system: RealSystem;
let operator: Operator;

/** What a cosigner loads before its own code: it reads from a file by how much its clock is wrong. */
function wrongClock(file: string): string {
  const code = `
    import { readFileSync } from 'node:fs';
    const now = Date.now;
    if (process.argv[1]?.includes('witness'))
      Date.now = () => now() + Number(readFileSync(${JSON.stringify(file)}, 'utf8'));`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

/** Milliseconds that are added to the clocks of the cosigners. */
function move(ms: number): void {
  writeFileSync(join(system.directory, 'clock'), String(ms));
}

beforeAll(async () => {
  const times = { refreshMs: 1000, retryMs: 200, intervalMs: 100 };
  system = await RealSystem.create({ server: { times }, algorithms: ['ed25519'] });
  operator = new Operator(system);
  move(0);
  process.env.NODE_OPTIONS = wrongClock(join(system.directory, 'clock'));
  await system.up();
  await system.ready();
  await system.sellPro();
});

afterAll(async () => {
  delete process.env.NODE_OPTIONS;
  await system[Symbol.asyncDispose]();
});

describe('clocks that differ by a minute', () => {
  it.each([
    ['behind', 60_000],
    ['ahead', -60_000],
  ])('stop a signer that is %s, which all say, and all goes on by itself later', async (_what, ms) => {
    await operator.issue();
    move(ms);
    const refused = await eventually('a refusal', async () => {
      const { status, json } = await system.admin('POST', '/v1/licenses', { plan: 'pro-yearly' });
      return status < 300 ? null : { status, json };
    });
    expect(refused).toMatchObject({ status: 503, json: { code: 'clock_differs' } });
    const told = { code: 'clock_differs', detail: expect.stringMatching(/differ by (?:59|60|61)/) as string };
    await eventually('readiness', async () => (await system.ops('/readyz')).status === 503);
    const { json } = await system.ops('/readyz');
    expect(json).toMatchObject({ mutations: { ready: false, reasons: [told] } });
    const status = await operator.tally('status');
    expect(status).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/clock and the cosigners' differ/) as string,
    });
    const alarms = system.lines.filter((line) => line.includes('"alarm":"clock_differs"'));
    expect(alarms.some((line) => line.startsWith('server: '))).toBe(true);
    expect(alarms.some((line) => line.startsWith('signer: '))).toBe(true);

    const size = await system.publishedSize();
    const stamped = async (): Promise<string> => (await system.public('GET', '/log/checkpoint')).text;
    const before = await stamped();
    await eventually('other cosignatures', async () => (await stamped()) !== before);
    expect(await system.publishedSize()).toBe(size);

    move(0);
    await system.ready();
    await system.published();
    await operator.issue();
    await system.published();
    system.lines.length = 0;
  });
});
