/** A second server as an operator makes it: the commands of docs/operating/high-availability.md, and two `tally up`. */
import { readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, layoutOf, type SystemDescription } from '@tallystick/server';
import { PostgresServer, WriterProxy } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MovedCosigners } from './support/moved-cosigners.ts';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { TallyUp } from './support/tally-up.ts';
import { eventually } from './support/waiting.ts';

type Server = Pick<RealSystem, 'layout' | 'directory'>;
type Ports = SystemDescription['ports'];

let database: PostgresServer;
let balancer: WriterProxy;
let moved: MovedCosigners;
let one: RealSystem;
let two: Server;
let ports: { one: Ports; two: Ports };
let operators: { one: Operator; two: Operator };
let running: { one: TallyUp; two: TallyUp };

const at = (port: number): string => `http://127.0.0.1:${port}`;
const issue = ['issue', '--plan', 'pro-yearly', '--licensee', 'Contoso', '--wait'];

beforeAll(async () => {
  database = await PostgresServer.start();
  balancer = await WriterProxy.start();
  ports = { one: await freePorts(), two: await freePorts() };
  balancer.servers = Object.values(ports).map((own) => ({
    opsUrl: () => at(own.ops),
    port: () => own.public,
  }));
  const store = { store: database.url({ durability: 'single-node', schema: 'acme' }) };
  one = await RealSystem.create({ store, ports: ports.one, algorithms: ['ed25519'] });
  // A second signer begins at what is published.
  await one.up();
  await one.ready();
  await one.down();
  moved = await MovedCosigners.move(one, balancer.url);
  two = { directory: one.directory, layout: layoutOf(join(one.directory, 'two')) };
  operators = { one: new Operator(one), two: new Operator(two) };
});

afterAll(async () => {
  await running?.two?.stop();
  await running?.one?.stop();
  await moved?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
  await balancer?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

async function freePorts(): Promise<Ports> {
  return { public: await freePort(), admin: await freePort(), ops: await freePort() };
}

async function writes(operator: Operator): Promise<boolean> {
  const { stdout } = await operator.tally('status', '--json');
  return (JSON.parse(stdout) as { writes?: boolean }).writes === true;
}

describe('a second server', () => {
  it('is made beside a system whose cosigners were moved out, with keys that nobody else can read, or not at all', async () => {
    const addresses = Object.entries(moved.addresses).map(([name, address]) => `${name}=${address}`);
    await operators.one.must('cosigners', 'set', ...addresses);
    const flags = Object.entries(ports.two).flatMap(([zone, port]) => [`--${zone}-port`, String(port)]);
    const [address, here] = [at(ports.two.admin), at(ports.one.admin)];
    const create = ['standby', 'create', two.layout.root, '--address', address, '--here', here];
    const command = [...create, '--log-url', balancer.url, ...flags];
    const { client } = one.layout;
    renameSync(client, `${client}.away`);
    expect((await operators.one.tally(...command)).code).toBe(3);
    expect(readdirSync(one.directory).filter((name) => name.startsWith('two'))).toEqual([]);
    renameSync(`${client}.away`, client);
    const made = await operators.one.tally(...command);
    expect([made.code, made.stderr]).toEqual([0, '']);
    expect(made.stdout).toMatch(/Start this system anew, before the new one[\s\S]*all keys of the signer/);
    const description = JSON.parse(readFileSync(two.layout.system, 'utf8')) as SystemDescription;
    expect(description).toMatchObject({
      ports: ports.two,
      shared: { address },
      cosigners: [],
      cosignerUrls: moved.addresses,
    });
    const { access } = JSON.parse(readFileSync(one.layout.system, 'utf8')) as SystemDescription;
    expect(access?.origin).toBe('tally.example/log/access');
    expect(description.access?.origin).toMatch(/^tally\.example\/log\/access\/[0-9a-f]{8}$/);
    const { keys, secrets } = two.layout;
    for (const file of [keys.online, secrets.onlinePassphrase, two.layout.client])
      expect(statSync(file).mode & 0o077).toBe(0);
    expect(() => statSync(keys.offline)).toThrow('ENOENT');
  });

  it('follows once both run, says so, and sends whoever would change something to the other one', async () => {
    running = { one: await TallyUp.start(one), two: await TallyUp.start(two) };
    expect(running.two.lines).toContain(`${at(ports.one.admin)} writes this log; this server follows it`);
    await one.sellPro();
    await operators.one.must(...issue);
    const status = await operators.two.tally('status');
    expect(status.code).toBe(4);
    expect(status.stdout).toMatch(/^server +follows this log, which another one writes$/m);
    expect(status.stdout).toContain(`refused: ${at(ports.one.admin)} writes this log`);
    expect((await operators.one.tally('status')).stdout).toMatch(/^server +writes this log$/m);
    const refused = await operators.two.tally(...issue);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain(`${at(ports.one.admin)} writes this log`);
    expect(refused.stderr).toContain('with --url and --token-file');
    operators.two.write('token.txt', one.client.token, 0o600);
    await operators.two.must(...issue, '--url', at(ports.one.admin), '--token-file', 'token.txt');
  });

  it('writes when the first one is gone', async () => {
    await running.one.kill();
    await eventually('the second server to write', () => writes(operators.two));
    await operators.two.must(...issue);
    expect((await operators.two.tally('status')).code).toBe(0);
  });

  it('keeps an access log of its own, of what it was asked itself', async () => {
    const { records, origin } = await operators.two.must<{ records: number; origin: string }>(
      'access',
      'log',
      'verify',
    );
    expect(origin).toMatch(/^tally\.example\/log\/access\/[0-9a-f]{8}$/);
    expect(records).toBeGreaterThan(0);
    expect(await operators.one.must('access', 'log', 'verify')).toMatchObject({
      origin: 'tally.example/log/access',
    });
  });
});
