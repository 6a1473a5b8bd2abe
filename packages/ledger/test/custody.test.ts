import { parseCustodyReport, utf8 } from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LogState, Projections, TrustHistory } from '../src/index.ts';
import { BundleMaker } from '../src/read/bundle-maker.ts';
import { CustodyDraft } from '../src/read/custody-draft.ts';
import { CustodyMaker } from '../src/read/custody-maker.ts';
import { RevisionReader } from '../src/read/revision-reader.ts';
import { readAt, type SubjectChainParts } from '../src/read/subject-chain.ts';

let system: TestSystem;
let license: string;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.sellPro();
  const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' });
  license = changes[0]!.change.subject.id;
  await system.run({ type: 'license.suspend', license, reason: 'payment' });
  await system.run({ type: 'license.revoke', license, reason: 'refund' });
  await system.ledger.whenPublished(system.ledger.size, 5000);
});
afterAll(() => system[Symbol.asyncDispose]());

/** What reports are made from, with projections that know nothing. */
async function withoutProjections(): Promise<SubjectChainParts & { bundles: BundleMaker }> {
  const { store, trust, identity } = system.world;
  const { size } = system.ledger.published!;
  const state = await LogState.load(store, {
    genesis: trust.genesis,
    ns: identity.namespace.ns,
    pastFrom: 0,
    to: size,
  });
  const reader = new RevisionReader(store, state);
  const keys = { all: [identity.keys.issuing, identity.keys.brake].flat().map(({ publicKey }) => publicKey) };
  const bundles = new BundleMaker({ store, state, reader, trust: TrustHistory.find([trust], state), keys });
  return { store, state, projections: new Projections(':memory:'), bundles };
}

describe('a custody report', () => {
  it('finds every revision in the log where the projections have lost them', async () => {
    const maker = new CustodyMaker(await withoutProjections());
    const found = await maker.make(license, {}, system.ledger.published!);
    expect(found).toBe(await system.ledger.custody(license));
    expect(parseCustodyReport(utf8(found!)).range).toEqual({ from: 0, to: 2 });
  });

  it('is refused before it grows beyond what anybody takes', async () => {
    const parts = await withoutProjections();
    const revision = await readAt(parts, parts.state.head(parts.state.keyOf(license))!.index);
    const draft = new CustodyDraft(parts, system.ledger.published!.size);
    const grow = () => {
      for (;;) draft.add(license, revision, true);
    };
    expect(grow).toThrow(expect.objectContaining({ problem: 'report_too_large' }));
  });

  it('is not made of a license that no checkpoint covers', async () => {
    const maker = new CustodyMaker(await withoutProjections());
    expect(await maker.make('lic_01kaz00000e00rm0000000000a', {}, system.ledger.published!)).toBeNull();
    await expect(system.ledger.custody('lic_01kaz00000e00rm0000000000a')).rejects.toMatchObject({
      problem: 'not_published_yet',
    });
  });
});
