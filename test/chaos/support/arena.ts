/** All that takes part, each a process of its own, with links between any two that talk to each other. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemDescription } from '@tallystick/server';
import { WriterProxy } from '@tallystick/testkit';
import { noLimits, RealSystem } from '../../system/support/real-system.ts';
import { eventually } from '../../system/support/waiting.ts';
import { Database } from './database.ts';
import { Link } from './link.ts';
import { runs } from './processes.ts';

const cosignerFolders = ['witness-1', 'witness-2', 'replayer-1'] as const;
export type CosignerName = (typeof cosignerFolders)[number];

/** Shorter than in earnest, as everything here happens more often. */
const times = {
  cosignerTimeoutMs: 1500,
  databaseTimes: { connectMs: 1500, statementMs: 5000, recoverMs: 20_000, watchMs: 500 },
};
const answerMsMax = 1000;

/** A server with its signer, and what leads to it and from it. */
export interface Party {
  name: 'one' | 'two';
  system: RealSystem;
  /** From it to the database. */
  database: Link;
  /** From it to each cosigner. */
  cosigners: Map<CosignerName, Link>;
  /** From clients to it. */
  clients: Link;
}

export class Arena implements AsyncDisposable {
  readonly database: Database;
  readonly parties: readonly [Party, Party];
  readonly #balancer: WriterProxy;

  private constructor(database: Database, parties: readonly [Party, Party], balancer: WriterProxy) {
    this.database = database;
    this.parties = parties;
    this.#balancer = balancer;
  }

  static async start(): Promise<Arena> {
    const database = await Database.start();
    const address = await database.address();
    const url = (link: Link): string => database.primary.postgres.url({ schema: 'acme' }, link.port);
    const system = await RealSystem.create({ store: { store: url(address) }, algorithms: ['ed25519'] });
    await system.up();
    await system.ready();
    await system.sellPro();
    await system.down();
    const balancer = await WriterProxy.start();
    const second = await system.standby(balancer.url);
    const parties = [
      await newParty('one', system, system, database),
      await newParty('two', second, system, database),
    ] as const;
    balancer.servers = parties.map((each) => ({
      opsUrl: () => (each.system.isUp ? each.system.supervisor.urls.ops : null),
      port: () => Number(new URL(each.system.supervisor.urls.public).port),
    }));
    for (const each of parties) await each.system.up({ server: serverOf(each, url(each.database), system) });
    return new Arena(database, parties, balancer);
  }

  /** The system that the cosigners belong to. */
  get first(): RealSystem {
    return this.parties[0].system;
  }

  get origin(): string {
    return describedBy(this.first).origin;
  }

  /** Addresses at which cosigners show the newest checkpoint that they cosigned. */
  get cosignerCheckpoints(): string[] {
    const hash = createHash('sha256').update(this.origin).digest('hex');
    return cosignerFolders.map((name) => `http://127.0.0.1:${portOf(this.first, name)}/${hash}/checkpoint`);
  }

  /** Which one writes now; null where none does. */
  async writer(): Promise<Party | null> {
    const writing = await Promise.all(
      this.parties.map(async ({ system }) => (await ask(system, '/primary'))?.status === 200),
    );
    return this.parties.find((_, nth) => writing[nth] === true) ?? null;
  }

  other(party: Party): Party {
    return this.parties[0] === party ? this.parties[1] : this.parties[0];
  }

  /** The server that writes and the one that follows, once all is well: every process, every link, every node. */
  async whole(timeoutMs = 60_000): Promise<{ writer: Party; follower: Party }> {
    await this.database.whole();
    let missing = '';
    try {
      return await eventually(
        'all to be whole',
        async () => {
          const writer = await this.writer();
          missing = writer === null ? 'a server that writes' : await this.#missingBeside(writer);
          return missing === '' && writer !== null ? { writer, follower: this.other(writer) } : null;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}: ${missing} is missing\n${this.lastLines()}`);
    }
  }

  /** What the processes said last, for whoever looks at a failure. */
  lastLines(count = 15): string {
    return this.parties
      .flatMap(({ name, system }) => system.lines.slice(-count).map((line) => `${name}: ${line}`))
      .join('\n');
  }

  async #missingBeside(writer: Party): Promise<string> {
    const follower = this.other(writer);
    if ((await ask(writer.system, '/readyz'))?.status !== 200) return 'readiness of the server that writes';
    const standing = (await ask(follower.system, '/readyz'))?.text ?? '';
    if (!standing.includes('"standby"') || standing.includes('cannot at the moment'))
      return `a server that follows (${standing})`;
    for (const { name, system } of this.parties) {
      const pid = system.supervisor.pidOf('signer');
      if (pid === undefined || !runs(pid)) return `the signer of ${name}`;
    }
    for (const url of this.cosignerCheckpoints) {
      const answer = await fetch(url, { signal: AbortSignal.timeout(answerMsMax) }).catch(() => null);
      if (answer?.status !== 200) return `a cosigner at ${url}`;
      await answer.arrayBuffer();
    }
    return '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { system } of [...this.parties].reverse()) await system[Symbol.asyncDispose]();
    await this.#balancer[Symbol.asyncDispose]();
    for (const { database, cosigners, clients } of this.parties)
      for (const link of [database, clients, ...cosigners.values()]) await link[Symbol.asyncDispose]();
    await this.database[Symbol.asyncDispose]();
  }
}

async function newParty(
  name: Party['name'],
  system: RealSystem,
  first: RealSystem,
  database: Database,
): Promise<Party> {
  const cosigners = new Map<CosignerName, Link>();
  for (const folder of cosignerFolders) cosigners.set(folder, await Link.start(() => portOf(first, folder)));
  const clients = await Link.start(() => (system.isUp ? Number(new URL(system.client.adminUrl).port) : null));
  return { name, system, database: await database.address(), cosigners, clients };
}

function serverOf(party: Party, store: string, first: RealSystem): Record<string, unknown> {
  const cosigners = describedBy(first).cosigners.map(({ name, folder }) => {
    return [name, `http://127.0.0.1:${party.cosigners.get(folder as CosignerName)?.port}`];
  });
  return { ...times, store, cosigners: Object.fromEntries(cosigners), limits: noLimits };
}

function describedBy(system: RealSystem): SystemDescription {
  return JSON.parse(readFileSync(system.layout.system, 'utf8')) as SystemDescription;
}

/** null before it was started for the first time. */
function portOf(system: RealSystem, cosigner: CosignerName): number | null {
  const file = join(system.layout.run, `${cosigner}.json`);
  if (!existsSync(file)) return null;
  return (JSON.parse(readFileSync(file, 'utf8')) as { listen: { port: number } }).listen.port;
}

async function ask(system: RealSystem, path: string): Promise<{ status: number; text: string } | null> {
  try {
    const answer = await fetch(`${system.supervisor.urls.ops}${path}`, {
      signal: AbortSignal.timeout(answerMsMax),
    });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return null;
  }
}
