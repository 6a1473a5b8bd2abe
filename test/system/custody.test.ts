/** The chain of custody of a license on a whole system: fetched by an auditor, verified offline, and tampered with. */
import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type AccessLogReport, SegmentReader } from '@tallystick/access';
import { verifyCustody } from '@tallystick/audit';
import type { AccessPage } from '@tallystick/contract';
import { openPin } from '@tallystick/sdk';
import type { SystemDescription } from '@tallystick/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GateWorld, type Shows } from './support/gate-world.ts';
import { Operator } from './support/operator.ts';
import type { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

let world: GateWorld;
let system: RealSystem;
let operator: Operator;
let license: string;
/** One that was sold with the approval of somebody else. */
let approved: string;
const ids: Record<string, string> = {};

/** Somebody who signs each request with a key of their own. */
async function enroll(name: string, role: string): Promise<void> {
  const principal = await world.principal('service', name, [{ role }]);
  const { key } = await world.signingKey(principal);
  ids[name] = principal;
  operator.write(`${name}.pem`, key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600);
}

/** Somebody with a session who has just shown to be there. */
async function person(name: string): Promise<Shows> {
  const principal = await world.principal('person', name, [{ role: 'issuer' }]);
  ids[name] = principal;
  const { id } = await world.apiKey(principal, 'api');
  return world.session(principal, id, 1);
}

const as = (name: string): string[] => ['--signing-key', operator.path(`${name}.pem`)];

beforeAll(async () => {
  world = await GateWorld.create();
  system = world.system;
  operator = new Operator(system);
  await enroll('sales', 'issuer');
  await enroll('billing', 'support');
  await enroll('auditor', 'auditor');
  const [alice, bob] = [await person('Alice'), await person('Bob')];
  keepForASecond();
  await world.restart();
  // What was signed before a server started may have been used before it, so the first seconds take none.
  await eventually('signed requests to be taken', async () => {
    return (await operator.tally('product', 'list', ...as('sales'))).code === 0;
  });
  license = await sold();
  approved = await soldWithApproval(alice, bob);
  await system.published();
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

function keepForASecond(): void {
  const { access, ...description } = JSON.parse(
    readFileSync(system.layout.system, 'utf8'),
  ) as SystemDescription;
  writeFileSync(
    system.layout.system,
    JSON.stringify({ ...description, access: { ...access, keepAtLeast: 'PT1S' } }),
  );
}

async function sold(): Promise<string> {
  const issued = await operator.must<{ document: { id: string } }>(
    'issue',
    '--plan',
    'pro-yearly',
    '--licensee',
    'Contoso \u202eexe',
    ...as('sales'),
  );
  const { id } = issued.document;
  await operator.must('suspend', id, '--for', 'payment', '--reason', 'invoice 17 is open', ...as('billing'));
  await operator.must('reinstate', id, '--reason', 'paid', ...as('billing'));
  await operator.must('show', id, ...as('sales'));
  await operator.must('revoke', id, '--for', 'refund', ...as('sales'));
  return id;
}

/** For more than ten years, which nobody sells alone. */
async function soldWithApproval(alice: Shows, bob: Shows): Promise<string> {
  const until = new Date(Date.now() + 12 * 365 * 86_400_000).toISOString();
  const body = { plan: 'pro-yearly', licensee: 'Fabrikam', term: { until } };
  const asked = await world.ask(alice, 'POST', '/v1/licenses', {
    body,
    headers: { 'tally-reason': 'deal 9' },
  });
  expect([asked.status, asked.code], asked.text).toEqual([409, 'approval_required']);
  const { approval } = asked.json['details'] as { approval: string };
  const headers = { 'tally-reason': 'checked' };
  const given = await world.ask(bob, 'POST', `/v1/approvals/${approval}/approve`, { body: {}, headers });
  expect(given.status, given.text).toBe(200);
  const found = await system.must<{ items: { document: { id: string; licensee: string } }[] }>(
    'GET',
    '/v1/licenses',
  );
  return found.items.find(({ document }) => document.licensee === 'Fabrikam')!.document.id;
}

describe('tally custody', () => {
  it('gives an auditor everything that happened, proven, with who read it', async () => {
    const { code, stdout, stderr } = await operator.tally('custody', license, ...as('auditor'));
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^SOUND {2}Everything that the report says is proven\.\n/);
    for (const part of [
      'Revision 0: license.issued',
      'Revision 3: license.revoked',
      'called billing',
      'invoice 17 is open',
      'support-suspends for the roles support',
      `POST ${new URL(system.client.adminUrl).host} /v1/licenses/${license}/suspend`,
      'Contoso \\u{202e}exe',
      'license.get: 200',
      ids['sales'] ?? '',
    ])
      expect(stdout).toContain(part);
  });

  it('shows who approved what, for exactly which command', async () => {
    const { code, stdout, stderr } = await operator.tally('custody', approved, ...as('auditor'));
    expect([code, stderr]).toEqual([0, '']);
    for (const part of [
      'called Alice',
      'deal 9',
      'Request for approval apr_',
      '1 × issuer',
      `${ids['Bob']} with`,
    ])
      expect(stdout).toContain(part);
  });

  it('writes the report and a PDF, each verified, and writes over nothing', async () => {
    const written = await operator.must<{ revisions: number; missing: number }>(
      'custody',
      license,
      '--format',
      'json',
      '--out',
      'report.json',
      ...as('auditor'),
    );
    expect(written).toMatchObject({ revisions: 4, missing: 0 });
    const path = operator.path('report.pdf');
    await operator.must('custody', license, '--format', 'pdf', '--out', path, ...as('auditor'));
    expect(readFileSync(path).subarray(0, 5).toString()).toBe('%PDF-');
    operator.write('taken.json', '{}');
    const again = await operator.tally(
      'custody',
      license,
      '--format',
      'json',
      '--out',
      'taken.json',
      ...as('auditor'),
    );
    expect(again.code).toBe(3);
    expect(readFileSync(operator.path('taken.json'), 'utf8')).toBe('{}');
  });

  it('shows a part of the time, and can leave out who read it', async () => {
    const { code, stdout } = await operator.tally(
      'custody',
      license,
      '--from',
      '2100-01-01',
      '--without-reads',
      ...as('auditor'),
    );
    expect(code).toBe(1);
    expect(stdout).toContain('SOUND, WITH GAPS');
    expect(stdout).toContain('reads_not_shown');
    expect(stdout).toContain('no: outside of the time that was asked for');
    expect(stdout).not.toContain('invoice 17');
  });

  it('is for those alone who may see evidence', async () => {
    for (const id of [license, 'lic_01kaz00000e00rm0000000000a']) {
      const { code, stderr } = await operator.tally('custody', id, ...as('sales'));
      expect(code).toBe(1);
      expect(stderr).toContain('forbidden');
    }
    expect(
      (await operator.tally('custody', 'lic_01kaz00000e00rm0000000000a', ...as('auditor'))).stderr,
    ).toContain('subject_unknown');
  });
});

describe('tally verify-report', () => {
  const tampered = (name: string, change: (report: Report) => void): string => {
    const report = JSON.parse(readFileSync(operator.path('report.json'), 'utf8')) as Report;
    change(report);
    operator.write(name, JSON.stringify(report));
    return name;
  };
  const text = (bytes: string): string => Buffer.from(bytes, 'base64').toString();
  const bytes = (from: string): string => Buffer.from(from).toString('base64');

  it('needs the trust root alone', async () => {
    const moved = new Operator({ layout: { root: '/nowhere' } as never, directory: system.directory });
    const trust = system.layout.trustRoot;
    const { code, stdout } = await moved.tally('verify-report', 'report.json', '--trust-root', trust);
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'SOUND  Everything that the report says is proven.']);
    const pdf = operator.path('again.pdf');
    expect(
      (await moved.tally('verify-report', 'report.json', '--trust-root', trust, '--pdf', pdf)).code,
    ).toBe(0);
    expect(readFileSync(pdf).subarray(0, 5).toString()).toBe('%PDF-');
  });

  const attacks: [string, (report: Report) => void, string][] = [
    [
      'a reason',
      (report) => {
        const cause = report.causes.find(({ document }) => text(document).includes('invoice 17'))!;
        cause.document = bytes(text(cause.document).replace('invoice 17', 'invoice 18'));
      },
      'CAUSE_ALTERED',
    ],
    [
      'a revision',
      (report) => {
        report.entries = report.entries.filter(
          ({ document }) => document === null || !text(document).includes('"suspended"'),
        );
      },
      'MALFORMED',
    ],
    [
      'a name',
      (report) => {
        const principal = report.entries.find(
          ({ document }) => document !== null && text(document).includes('"billing"'),
        )!;
        principal.document = bytes(text(principal.document!).replace('"billing"', '"bullying"'));
      },
      'ALTERED',
    ],
    [
      'a reader',
      (report) => {
        const [segment] = report.access!.segments;
        segment!.bytes = bytes('nothing');
      },
      'ACCESS_ALTERED',
    ],
    [
      'all readers',
      (report) => {
        report.access = null;
      },
      'GAPS_MISSTATED',
    ],
  ];
  it.each(attacks)('names %s that was altered or left out', async (name, change, expected) => {
    const file = tampered(`${name.replaceAll(' ', '-')}.json`, change);
    const { code, stdout } = await operator.tally('verify-report', file);
    expect(code).toBe(2);
    expect(stdout).toMatch(/^ALTERED /);
    expect(stdout).toContain(expected);
  });

  it('takes no byte of what proves who read it for another one', async () => {
    const { versions } = await openPin(readFileSync(system.layout.trustRoot, 'utf8'));
    const whole = readFileSync(operator.path('report.json'));
    const { proven } = await verifyCustody(whole, versions);
    expect(proven?.access?.records.map(({ record }) => record.route)).toContain('license.get');
    const [from, to] = [whole.indexOf('"access":'), whole.indexOf(',"gaps":')];
    const step = Math.floor((to - from) / 11);
    for (let at = from; at < to; at += step) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      const { proven: other } = await verifyCustody(changed, versions);
      // A cosignature more than the quorum needs may be spoiled.
      if (other !== null) expect({ ...other.access, asOf: 0 }).toEqual({ ...proven?.access, asOf: 0 });
    }
  });

  it('says that a file is no report', async () => {
    operator.write('nothing.json', '{"v":1}');
    const { code, stdout } = await operator.tally('verify-report', 'nothing.json', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([
      2,
      { sound: false, findings: [{ code: 'MALFORMED' }] },
    ]);
  });
});

interface Report {
  entries: { document: string | null }[];
  causes: { document: string }[];
  access: { segments: { bytes: string }[] } | null;
}

describe('what somebody changes on the disk of the server', () => {
  it('is named in place of a report, or in it', async () => {
    const index = (
      await system.must<{ items: { index: number }[] }>('GET', `/v1/licenses/${license}/history`)
    ).items[2]!.index;
    const ledger = new DatabaseSync(system.layout.ledger.store);
    const row = ledger.prepare('SELECT document FROM causes WHERE idx = ?').get(index) as {
      document: Uint8Array;
    };
    const altered = Buffer.from(row.document).toString().replace('invoice 17', 'invoice 18');
    ledger.prepare('UPDATE causes SET document = ? WHERE idx = ?').run(Buffer.from(altered), index);
    const refused = await operator.tally('custody', license, ...as('auditor'));
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`entry ${index}: the cause is not the one committed to`);
    ledger.prepare('DELETE FROM causes WHERE idx = ?').run(index);
    const { code, stdout } = await operator.tally('custody', license, ...as('auditor'));
    expect(code).toBe(1);
    expect(stdout).toContain(`entry ${index}: Who asked for this, and why, is not held any more`);
    ledger.close();
  });

  it('is named where it is the log of who read', async () => {
    await eventually('a segment to be there', async () => readFileSync(system.layout.access).length > 0);
    const access = new DatabaseSync(system.layout.access);
    access.exec("CREATE TABLE kept AS SELECT idx, bytes FROM segments; UPDATE segments SET bytes = x'00'");
    const { code, stderr } = await operator.tally('custody', license, ...as('auditor'));
    expect(code).toBe(4);
    expect(stderr).toContain('segment');
    access.exec(
      'UPDATE segments SET bytes = kept.bytes FROM kept WHERE kept.idx = segments.idx; DROP TABLE kept',
    );
    access.close();
  });
});

describe('records of who read it that were dropped on purpose', () => {
  const headers = { 'tally-reason': 'kept for long enough' };
  const before = (): string => new Date(Date.now() - 2000).toISOString();
  const held = (): number => {
    using reader = SegmentReader.open(system.layout.access);
    return Array.from({ length: reader.size }, (_, at) => reader.segment(at)).filter(Boolean).length;
  };
  let ada: Shows;
  let bea: Shows;

  beforeAll(async () => {
    const [one, other] = [
      await world.principal('person', 'Ada', []),
      await world.principal('person', 'Bea', []),
    ];
    ada = world.session(one, await world.account(one), 1);
    bea = world.session(other, await world.account(other), 1);
    await world.made(`/v1/principals/${one}/assign`, { roles: [{ role: 'administrator' }] });
    await world.restart();
    const body = { roles: [{ role: 'administrator' }] };
    const given = await world.ask(ada, 'POST', `/v1/principals/${other}/assign`, { body, headers });
    expect(given.status, given.text).toBe(200);
  }, 60_000);

  it('go once two administrators say so, and not what the configuration protects', async () => {
    const drop = (shows: Shows, at: string) =>
      world.ask(shows, 'POST', '/v1/policy/drop-access', { body: { before: at }, headers });
    expect(await drop(ada, new Date().toISOString())).toMatchObject({ status: 409, code: 'state_forbids' });
    const all = held();
    const asked = await drop(ada, before());
    expect([asked.status, asked.code], asked.text).toEqual([409, 'approval_required']);
    expect(held()).toBeGreaterThanOrEqual(all);
    const { approval } = asked.json['details'] as { approval: string };
    const given = await world.ask(bea, 'POST', `/v1/approvals/${approval}/approve`, { body: {}, headers });
    expect(given.json['execution'], given.text).toMatchObject({ done: true });
    await eventually('the segments to be gone', async () => held() < all / 2);
  });

  it('are stated by verify, by lists and by custody reports', async () => {
    const report = await operator.must<AccessLogReport>('access', 'log', 'verify');
    expect(report.dropped).toBeGreaterThan(10);
    expect(report.droppedUpTo).toMatch(/Z$/);
    const list = ['access', 'log', 'list', '--from', '2020-01-01', ...as('auditor')];
    const listed = await operator.must<AccessPage>(...list);
    expect(listed.items.length).toBeGreaterThan(0);
    expect(listed.items[0]!.n).toBeGreaterThanOrEqual(report.dropped);
    const { code, stdout } = await operator.tally('custody', license, ...as('auditor'));
    expect([code, stdout.split('\n')[0]?.slice(0, 16)]).toEqual([1, 'SOUND, WITH GAPS']);
    expect(stdout).toContain('reads_dropped');
    expect(stdout).toContain(`what was asked before ${listed.droppedBefore}`);
    expect(stdout).not.toContain('license.get: 200');
  });

  it('are no excuse for newer ones that somebody takes out', async () => {
    await operator.must('show', license, ...as('sales'));
    await eventually('its segment to be closed', async () => held() > 0);
    using file = new DatabaseSync(system.layout.access, { timeout: 5000 });
    file.exec('DELETE FROM segments WHERE idx = (SELECT max(idx) FROM segments)');
    const { code, stderr } = await operator.tally('access', 'log', 'verify');
    expect([code, stderr]).toEqual([2, expect.stringContaining('segment of leaf')]);
  });
});
