import { setTimeout as after } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CosignerClient } from '../src/quorum/cosigner-client.ts';
import { FakeCosigner, PlainLog, type Script } from './support/fake-cosigner.ts';

const log = new PlainLog(40);
const timeoutMs = 300;
let fake: FakeCosigner;
let client: CosignerClient;

beforeEach(async () => {
  fake = new FakeCosigner('witness.example/one');
  await fake.listen();
  client = new CosignerClient(fake.name, [fake.vkey], fake.url, timeoutMs, () => 1_700_000_000_000);
});

afterEach(async () => {
  client.close();
  await fake.close();
});

const cosign = (size: number) => client.cosign(log.note(size), size, log.proofTo(size));
const conflict =
  (body: string, type = 'text/x.tlog.size'): Script =>
  (_asked, response) => {
    response.writeHead(409, { 'content-type': type });
    response.end(body);
  };

describe('a cosigner', () => {
  it('is asked as tlog-witness says, with the log signatures alone, and its line is taken', async () => {
    const lines = await cosign(8);
    expect(lines).toEqual([expect.objectContaining({ name: fake.name })]);
    expect(fake.asked).toMatchObject([{ old: 0, proof: [], note: log.note(8) }]);
    expect(client.status).toMatchObject({ state: 'ok', lastSeenAt: 1_700_000_000_000, lastError: null });
  });

  it('is asked from where it stood the next time', async () => {
    await cosign(8);
    await cosign(21);
    expect(fake.asked[1]).toMatchObject({ old: 8, proof: log.proofText(8, 21) });
  });

  it('that names the size that it has seen is asked again from there', async () => {
    fake.script = (asked, response, nth) =>
      nth === 1 ? conflict('13\n')(asked, response, nth) : response.end(fake.line(asked.note));
    await expect(cosign(21)).resolves.toHaveLength(1);
    expect(fake.asked[1]).toMatchObject({ old: 13, proof: log.proofText(13, 21) });
  });

  it('that forgot everything is asked from the beginning', async () => {
    await cosign(8);
    fake.script = (asked, response, nth) =>
      nth === 2 ? conflict('0')(asked, response, nth) : response.end(fake.line(asked.note));
    await expect(cosign(21)).resolves.toHaveLength(1);
    expect(fake.asked[2]).toMatchObject({ old: 0, proof: [] });
  });

  it('is asked about a smaller log than before without a proof that there is none of', async () => {
    await cosign(21);
    fake.script = conflict('21');
    await expect(cosign(8)).rejects.toMatchObject({ name: 'CosignerAhead', size: 21 });
    expect(client.status).toMatchObject({ state: 'behind' });
  });

  it('that has seen more than the log has says that the log was rolled back', async () => {
    fake.script = conflict('22');
    await expect(cosign(21)).rejects.toMatchObject({ name: 'CosignerAhead', size: 22 });
  });

  it('that names other sizes for ever is given up after three tries', async () => {
    fake.script = (asked, response, nth) => conflict(String(nth))(asked, response, nth);
    await expect(cosign(21)).rejects.toThrow(/keeps naming other sizes/);
    expect(fake.asked).toHaveLength(3);
    expect(client.status.state).toBe('refusing');
  });

  const refusals: [string, Script, RegExp][] = [
    [
      'a 409 without a body: another root of the same size',
      (_a, r) => r.writeHead(409).end(),
      /answered 409/,
    ],
    ['a 409 with a size under another type', conflict('13', 'text/plain'), /answered 409: 13/],
    ['a 422', (_a, r) => r.writeHead(422).end('bad proof'), /answered 422: bad proof/],
    ['a 403', (_a, r) => r.writeHead(403).end(), /answered 403/],
    ['a 404', (_a, r) => r.writeHead(404).end(), /answered 404/],
    [
      'a redirect, which is not followed',
      (_a, r) => r.writeHead(302, { location: '/other' }).end(),
      /answered 302/,
    ],
    ['a 204', (_a, r) => r.writeHead(204).end(), /answered 204/],
    ['a 500 with a page', (_a, r) => r.writeHead(500).end('<html>'.repeat(2000)), /answered 500/],
    ['nothing', (_a, r) => r.end(), /without a valid cosignature/],
    ['the line of another key', (a, r) => r.end(new FakeCosigner(fake.name).line(a.note)), /without a valid/],
    [
      'the line of another name',
      (a, r) => r.end(new FakeCosigner('witness.example/two').line(a.note)),
      /without/,
    ],
    [
      'a line for another checkpoint',
      (_a, r) => r.end(fake.line(log.note(20))),
      /without a valid cosignature/,
    ],
    [
      'a good line and a bad one',
      (a, r) => r.end(fake.line(a.note) + fake.line(log.note(20))),
      /without a valid/,
    ],
  ];
  it.each(refusals)('that answers with %s refuses, and nothing is taken', async (_what, script, message) => {
    fake.script = script;
    await expect(cosign(21)).rejects.toThrow(message);
    expect(client.status).toMatchObject({ state: 'refusing', lastSeenAt: null });
    expect(client.status.lastError!.length).toBeLessThan(400);
    fake.script = (asked, response) => response.end(fake.line(asked.note));
    await expect(cosign(21)).resolves.toHaveLength(1);
    expect(client.status).toMatchObject({ state: 'ok', lastError: null });
  });

  const broken: [string, Script][] = [
    ['text that is no signature line', (_a, r) => r.end('hello\n')],
    ['bytes that are no text', (_a, r) => r.end(Buffer.from([0xff, 0xfe, 0x0a]))],
    ['a size that is none', conflict('many')],
    ['a size beyond what counts', conflict('9007199254740993')],
    ['a negative size', conflict('-1')],
    ['two sizes', conflict('1\n2\n')],
    ['a connection that breaks off', (_a, r) => r.destroy()],
    [
      'half of what it announced',
      (_a, r) => {
        r.writeHead(200, { 'content-length': '5000' });
        r.write('— ');
        setTimeout(() => r.destroy(), 10);
      },
    ],
    ['silence', () => undefined],
    [
      'a drip without end',
      (_a, r) => {
        const drip = setInterval(() => r.write('.'), 20);
        r.on('close', () => clearInterval(drip));
      },
    ],
  ];
  it.each(broken)(
    'that answers with %s fails in time, and works again when it does',
    async (_what, script) => {
      fake.script = script;
      const started = Date.now();
      await expect(cosign(21)).rejects.toThrow();
      expect(Date.now() - started).toBeLessThan(timeoutMs + 700);
      expect(client.status.state).not.toBe('ok');
      fake.script = (asked, response) => response.end(fake.line(asked.note));
      await expect(cosign(21)).resolves.toHaveLength(1);
    },
  );

  it('that answers without end is cut off long before memory is', async () => {
    let sent = 0;
    fake.script = (_asked, response) => {
      const chunk = 'x'.repeat(16 * 1024);
      const more = (): void => {
        while (!response.destroyed && sent < 64 * 1024 * 1024) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
    };
    await expect(cosign(21)).rejects.toThrow(/without end/);
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  it('that is down is unreachable, and found when it is back', async () => {
    await fake.close();
    await expect(cosign(8)).rejects.toThrow(/not reachable/);
    expect(client.status.state).toBe('unreachable');
  });

  it('gives more lines than it has keys, and only its own are taken', async () => {
    fake.script = (asked, response) =>
      response.end(new FakeCosigner('witness.example/two').line(asked.note) + fake.line(asked.note));
    const lines = await cosign(21);
    expect(lines.map(({ name }) => name)).toEqual([fake.name]);
  });

  it('is not asked anew for what it answers late: a timeout is one', async () => {
    fake.script = async (asked, response) => {
      await after(timeoutMs + 200);
      response.end(fake.line(asked.note));
    };
    await expect(cosign(8)).rejects.toThrow();
    expect(fake.asked).toHaveLength(1);
  });
});
