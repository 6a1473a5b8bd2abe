/** Two servers on one database: one writes, the other follows and takes over. */
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { Mark } from '@tallystick/signer';
import { PostgresServer, WriterProxy } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { type Answer, noLimits, RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

/** It takes 3 on an idle machine; this one runs other tests as well. */
const takeOverMsMax = 8000;
const order = { plan: 'pro-yearly', licensee: 'Contoso' };

let database: PostgresServer;
let balancer: WriterProxy;
let one: RealSystem;
let two: RealSystem;
let cosigners: Record<string, string>;
let markAtFirst: number;
const acknowledged: { id: string; key: string }[] = [];

beforeAll(async () => {
  database = await PostgresServer.start();
  one = await RealSystem.start({
    store: { store: database.url({ durability: 'single-node', schema: 'acme' }) },
  });
  await one.ready();
  await one.sellPro();
  await one.down();
  balancer = await WriterProxy.start();
  two = await one.standby(balancer.url);
  markAtFirst = markOf(two);
  balancer.servers = [one, two].map((system) => ({
    opsUrl: () => (system.isUp ? system.supervisor.urls.ops : null),
    port: () => Number(new URL(system.supervisor.urls.public).port),
  }));
  await one.up();
  await one.ready();
  ({ cosigners } = JSON.parse(readFileSync(join(one.layout.run, 'server.json'), 'utf8')) as {
    cosigners: Record<string, string>;
  });
  await two.up({ server: { cosigners, limits: noLimits } });
});

afterAll(async () => {
  await two?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
  await balancer?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

/** Of a system that does not run. */
function markOf({ layout }: RealSystem): number {
  using mark = Mark.open(layout.signer.mark, 'tally.example/log');
  return mark.checkpoint.size;
}

async function issueOn(system: RealSystem): Promise<Answer> {
  const key = `order-${acknowledged.length}-${Date.now()}`;
  const answer = await system.admin('POST', '/v1/licenses?wait=published', order, { 'idempotency-key': key });
  if (answer.status < 300)
    acknowledged.push({ id: (answer.json as { document: { id: string } }).document.id, key });
  return answer;
}

/** Milliseconds until one of the servers takes changes. */
async function takesOver(...systems: RealSystem[]): Promise<number> {
  const begun = performance.now();
  for (;;) {
    for (const system of systems) {
      const answer = await issueOn(system).catch(() => null);
      if (answer?.status === 201) return performance.now() - begun;
    }
    if (performance.now() - begun > 4 * takeOverMsMax)
      throw new Error(`nobody took over\n${systems.flatMap(({ lines }) => lines.slice(-10)).join('\n')}`);
    await after(50);
  }
}

async function hasAll(system: RealSystem): Promise<boolean> {
  for (const { id } of acknowledged) {
    const answer = await system.admin('GET', `/v1/licenses/${id}`).catch(() => null);
    if (answer?.status !== 200) return false;
  }
  return true;
}

describe('a server that follows', () => {
  it('has a signer that knows what is published: it would sign another beginning otherwise', () => {
    expect(markAtFirst).toBeGreaterThan(1);
  });

  it('answers reads as far as they are published, and names the server that writes to whoever would change', async () => {
    expect((await issueOn(one)).status).toBe(201);
    const id = acknowledged.at(-1)?.id;
    await eventually('the second server to have it', async () => {
      return (await two.admin('GET', `/v1/licenses/${id}`)).status === 200;
    });
    expect((await one.admin('GET', `/v1/licenses/${id}`)).headers.get('tally-follows')).toBeNull();
    const read = await two.admin('GET', `/v1/licenses/${id}/bundle`);
    expect([read.status, read.headers.get('tally-follows')]).toEqual([200, 'http://one.example']);
    const refused = await issueOn(two);
    expect([refused.status, refused.headers.get('tally-follows')]).toEqual([503, 'http://one.example']);
    expect(refused.json).toMatchObject({
      code: 'standby',
      detail: expect.stringContaining('http://one.example'),
    });
    expect((await two.ops('/readyz')).json).toMatchObject({
      reads: { ready: true },
      mutations: { ready: false, reasons: [{ code: 'standby' }] },
    });
  });
});

describe('its signer', () => {
  it('follows as well: its journal says that the other one went on, and its mark is no older', async () => {
    await eventually('its mark to move', async () => {
      const { signer, published } = (await two.admin('GET', '/v1/log')).json as {
        signer: { mark: { size: number } | null };
        published: { size: number };
      };
      return (signer.mark?.size ?? 0) > markAtFirst && signer.mark?.size === published.size;
    });
  });
});

describe('a server whose', () => {
  it('process is killed is replaced, and nothing acknowledged is missing', async () => {
    one.kill('server');
    expect(await takesOver(two)).toBeLessThan(takeOverMsMax);
    expect(await hasAll(two)).toBe(true);
    await eventually('the first server to follow', async () => {
      return (await issueOn(one).catch(() => null))?.status === 503;
    });
    await eventually('it to have all of it', () => hasAll(one));
  });

  it('process stands still is replaced, and writes nothing when it wakes', async () => {
    const frozen = two.pid('server');
    process.kill(frozen, 'SIGSTOP');
    const late = issueOn(two).catch(() => null);
    try {
      expect(await takesOver(one)).toBeLessThan(takeOverMsMax);
    } finally {
      process.kill(frozen, 'SIGCONT');
    }
    expect((await late)?.status ?? 503).toBeGreaterThanOrEqual(500);
    await eventually('it to start anew', async () => two.supervisor.pidOf('server') !== frozen);
    await eventually(
      'it to follow',
      async () => (await two.ops('/readyz').catch(() => null))?.status === 503,
    );
    expect(await hasAll(one)).toBe(true);
  });

  it('operator stops it hands over at once', async () => {
    one.kill('server', 'SIGTERM');
    expect(await takesOver(one, two)).toBeLessThan(2500);
    await eventually('both to have all of it', async () => (await hasAll(one)) && (await hasAll(two)));
  });
});

describe('a server whose signer', () => {
  it('does not come back is replaced', async () => {
    const isWriting = (await issueOn(one).catch(() => null))?.status === 201;
    const [writer, other] = isWriting ? [one, two] : [two, one];
    const { online } = writer.layout.keys;
    renameSync(online, `${online}.away`);
    try {
      writer.kill('signer');
      await takesOver(other);
    } finally {
      renameSync(`${online}.away`, online);
    }
    await eventually(
      'it to follow',
      async () => (await writer.ops('/readyz').catch(() => null))?.status === 503,
    );
    await eventually('it to have all of it', () => hasAll(writer));
  });
});

describe('the log afterwards', () => {
  it('fits, and the journals of both signers explain it', async () => {
    const operator = new Operator(two);
    const { code, stdout } = await operator.tally('fsck', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { ok: true }]);
    const signers = [one, two].map(({ layout }) => join(layout.root, 'signer'));
    const audit = await operator.tally('audit', 'signer', '--all', '--json', '--signer', ...signers);
    expect(JSON.parse(audit.stdout)).toMatchObject({ ok: true, incidents: [] });
  });

  it('is known to the signer of the server that follows, which went on as well', async () => {
    const journals = [one, two].map(({ layout }) => layout.signer.journal);
    const follows = (journal: string): boolean =>
      readFileSync(journal, 'latin1').lastIndexOf('"op":"followed"') >
      readFileSync(journal, 'latin1').lastIndexOf('"op":"batch"');
    await issueOn(one);
    await issueOn(two);
    await eventually('the journal to say so', () => journals.some(follows));
  });
});

describe('a server that takes over and may not write', () => {
  it('leaves the log to another one, and says why', async () => {
    await two.down();
    {
      using mark = Mark.open(two.layout.signer.mark, 'tally.example/log');
      const { origin, size, root } = mark.checkpoint;
      mark.advance({ origin, size: size + 1_000_000, root }, mark.journal);
    }
    await two.up({ server: { cosigners, limits: noLimits } });
    await takesOver(one);
    const stopped = one.pid('server');
    process.kill(stopped, 'SIGSTOP');
    try {
      await eventually('the second server to take over', async () => {
        const { json } = await two.ops('/readyz');
        return JSON.stringify(json).includes('log_behind');
      });
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
    expect(await takesOver(one)).toBeLessThan(2 * takeOverMsMax);
  });
});
