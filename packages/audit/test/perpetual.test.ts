/** Perpetual licenses without a signature that the trust root demands of them: no replayer can see that. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FsckProblem } from '../src/index.ts';
import { append, continuation } from './support/tamper.ts';
import { Copy, check, makeLog, removeLog, type VariedLog } from './support/varied-log.ts';

let log: VariedLog;
/** Ids of a license that never ends, and of one that does. */
let forever: string;
let yearly: string;

beforeAll(async () => {
  log = await makeLog(
    async (system) => {
      await system.sellPro();
      const entitlements = { pdf: { value: true } };
      const plan = { code: 'pro-forever', name: 'Pro, for ever', term: { length: null } } as const;
      await system.run({ type: 'plan.create', product: 'pro', ...plan, entitlements });
      const issue = async (code: string): Promise<string> =>
        (await system.run({ type: 'license.issue', plan: code })).changes[0]?.change.subject.id ?? '';
      forever = await issue('pro-forever');
      yearly = await issue('pro-yearly');
      await system.run({ type: 'license.suspend', license: forever, reason: 'payment' });
    },
    { perpetual: ['ed25519', 'ml-dsa-44'] },
  );
});

afterAll(() => {
  removeLog(log);
});

const ways = [
  ['on one thread', { workers: 0 }],
  ['on threads', { workers: 1, entriesPerRead: 3 }],
] as const;

/** Changes a copy behind everybody's back, as somebody with the signer's Ed25519 keys could; what a check finds. */
async function tampered(
  id: string,
  algorithms: readonly ('ed25519' | 'ml-dsa-44')[],
  options: (typeof ways)[number][1],
  spoil: (entry: Uint8Array) => Uint8Array = (entry) => entry,
): Promise<{ index: number; problems: FsckProblem[] }> {
  using copy = new Copy(log);
  let index = -1;
  copy.tamper((database) => {
    const keys = algorithms.map((alg) => log.keyFor('license', alg));
    const type = id === forever ? 'license.reinstated' : 'license.reissued';
    const made = continuation(database, id, type, keys, reinstated);
    index = append(database, { ...made, entry: spoil(made.entry) });
  });
  const { problems } = await copy.check({ ...options, level: 'full' }, { projections: null, mark: null });
  return { index, problems };
}

function reinstated(document: string): string {
  return document
    .replace('"state":"suspended","reason":"payment"', '"state":"active","reason":null')
    .replace('"generation":1,', '"generation":2,');
}

describe.each(ways)('fsck %s', (_how, options) => {
  it('finds nothing in a log that keeps the rule', async () => {
    const report = await check(log, options);
    expect(report.problems).toEqual([]);
    expect(report.counts.signed).toBe(report.counts.records);
  });

  it('finds a perpetual license that Ed25519 alone has signed', async () => {
    const { index, problems } = await tampered(forever, ['ed25519'], options);
    const message = expect.stringMatching(/perpetual, and not signed with ml-dsa-44/) as string;
    expect(problems).toMatchObject([{ index, table: 'entries', part: 'signature', message }]);
  });

  it('finds one whose second signature does not hold', async () => {
    // The last bytes of the envelope are of the last signature.
    const spoil = (entry: Uint8Array): Uint8Array => {
      const text = Buffer.from(entry).toString('latin1');
      const at = text.length - 60;
      return Buffer.from(
        `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`,
        'latin1',
      );
    };
    const { index, problems } = await tampered(forever, ['ed25519', 'ml-dsa-44'], options, spoil);
    expect(problems).toMatchObject([
      { index, part: 'signature', message: expect.stringMatching(/hold/) as string },
    ]);
  });
});

describe('fsck', () => {
  const [[, alone]] = ways;

  it('takes a perpetual license that both have signed', async () => {
    expect((await tampered(forever, ['ed25519', 'ml-dsa-44'], alone)).problems).toEqual([]);
  });

  it('asks no more of a license that ends than replayers do', async () => {
    expect((await tampered(yearly, ['ed25519'], alone)).problems).toEqual([]);
  });
});
