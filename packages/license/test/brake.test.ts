import { describe, expect, it } from 'vitest';
import { type BrakeTighten, type Decision, decide, type NamespaceKey } from '../src/index.ts';
import { brakeWith, namespaceWith } from './verdict-fixtures.ts';
import { World } from './world.ts';

const id = (digit: string): string => `${digit.repeat(42)}A=`;
const all: NamespaceKey['usages'] = ['product', 'plan', 'customer', 'license'];
const limits = { offlineMax: null, termMax: null, seatsMax: null, perMinute: null };
const key = (name: string, change: Partial<NamespaceKey> = {}): NamespaceKey => {
  return { id: id(name), alg: 'ed25519', usages: all, from: 1, until: null, limits, ...change };
};
const namespace = namespaceWith({
  keys: [key('a'), key('b'), key('c', { from: 1000 }), key('d', { usages: ['brake'] })],
});
const brake = brakeWith({ epoch: 1 });

/** Decides at log index 100. */
function tighten(
  command: Omit<BrakeTighten, 'type'>,
  before = brake,
  signed: typeof brake | null = null,
): Decision {
  const world = new World();
  world.govern(namespace, before);
  const environment = { ...world.environment(), lock: 'sealed' as const, index: 100, signedBrake: signed };
  return decide(world, { type: 'brake.tighten', ...command }, environment);
}

function documentOf(decision: Decision): unknown {
  if (!decision.ok) throw new Error(decision.refusal.message);
  expect(decision.changes).toHaveLength(1);
  return decision.changes[0]?.document;
}

function refusalOf(decision: Decision): string {
  return decision.ok ? 'none' : decision.refusal.code;
}

describe('the brake', () => {
  it('ends a key from its own record on, and hands over to the next', () => {
    const until = [{ id: id('a'), index: 100 }];
    expect(documentOf(tighten({ until: [{ key: id('a') }] }))).toEqual({ ...brake, rev: 1, until });
  });

  it('takes a key by the digits of its key id as well', () => {
    const digits = Buffer.from(id('a'), 'base64').subarray(0, 8).toString('hex');
    expect(documentOf(tighten({ until: [{ key: digits, index: 7 }] }))).toMatchObject({
      until: [{ id: id('a'), index: 7 }],
    });
  });

  it('does not end the last key of some kind of record unless that is meant', () => {
    const before = { ...brake, until: [{ id: id('a'), index: 50 }] };
    const until = [{ key: id('b') }];
    expect(refusalOf(tighten({ until }, before))).toBe('in_use');
    expect(documentOf(tighten({ until, mayStopIssuing: true }, before))).toMatchObject({
      until: [
        { id: id('a'), index: 50 },
        { id: id('b'), index: 100 },
      ],
    });
  });

  it('lowers an end, keeps one that came before, and raises none', () => {
    const before = { ...brake, until: [{ id: id('a'), index: 50 }] };
    expect(documentOf(tighten({ until: [{ key: id('a'), index: 20 }] }, before))).toMatchObject({
      until: [{ id: id('a'), index: 20 }],
    });
    expect(refusalOf(tighten({ until: [{ key: id('a'), index: 51 }] }, before))).toBe('may_only_tighten');
    expect(refusalOf(tighten({ until: [{ key: id('a') }] }, before))).toBe('no_change');
  });

  it('locks further and raises the smallest epoch, also in a locked namespace', () => {
    expect(documentOf(tighten({ lock: 'frozen', minEpoch: 1 }))).toMatchObject({
      lock: 'frozen',
      minEpoch: 1,
    });
    expect(refusalOf(tighten({ minEpoch: 2 }))).toBe('input_invalid');
    expect(refusalOf(tighten({ minEpoch: 0 }, { ...brake, minEpoch: 1 }))).toBe('may_only_tighten');
    expect(refusalOf(tighten({ lock: 'heightened' }, { ...brake, lock: 'frozen' }))).toBe('may_only_tighten');
  });

  it('begins anew under a higher epoch of the namespace', () => {
    const earlier = { ...brake, epoch: 0, lock: 'sealed' as const, until: [{ id: id('b'), index: 3 }] };
    expect(documentOf(tighten({ lock: 'heightened' }, earlier))).toMatchObject({
      epoch: 1,
      lock: 'heightened',
      until: [],
    });
  });

  it('is bound by what was signed, whether or not it was committed', () => {
    const signed = { ...brake, rev: 1, lock: 'read-only' as const, until: [{ id: id('a'), index: 90 }] };
    expect(documentOf(tighten({ until: [{ key: id('a') }] }, brake, signed))).toMatchObject({
      rev: 1,
      lock: 'read-only',
      until: [{ id: id('a'), index: 90 }],
    });
  });

  it('knows neither keys that are not listed nor its own', () => {
    expect(refusalOf(tighten({ until: [{ key: id('x') }] }))).toBe('input_invalid');
    expect(refusalOf(tighten({ until: [{ key: id('d') }] }))).toBe('input_invalid');
    expect(refusalOf(tighten({}))).toBe('no_change');
  });

  it('says that a key is destroyed from its own record on, once that key has ended', () => {
    const before = { ...brake, until: [{ id: id('a'), index: 50 }] };
    expect(documentOf(tighten({ destroyed: [id('a')] }, before))).toEqual({
      ...before,
      rev: 1,
      destroyed: [{ id: id('a'), index: 100 }],
    });
    expect(documentOf(tighten({ until: [{ key: id('a') }], destroyed: [id('a')] }))).toMatchObject({
      until: [{ id: id('a'), index: 100 }],
      destroyed: [{ id: id('a'), index: 100 }],
    });
    expect(refusalOf(tighten({ destroyed: [id('a')] }))).toBe('state_forbids');
    expect(refusalOf(tighten({ destroyed: [id('x')] }))).toBe('input_invalid');
    expect(refusalOf(tighten({ destroyed: [id('d')] }))).toBe('state_forbids');
  });

  it('keeps what is destroyed through every epoch, and says it once', () => {
    const destroyed = [{ id: id('a'), index: 60 }];
    const earlier = { ...brake, epoch: 0, until: [{ id: id('a'), index: 50 }], destroyed };
    expect(documentOf(tighten({ lock: 'heightened' }, earlier))).toMatchObject({ until: [], destroyed });
    const before = { ...brake, until: [{ id: id('a'), index: 50 }], destroyed };
    expect(refusalOf(tighten({ destroyed: [id('a')] }, before))).toBe('no_change');
    expect(documentOf(tighten({ lock: 'frozen' }, brake, { ...before, rev: 1 }))).toMatchObject({
      destroyed,
    });
  });

  it('counts no destroyed key among those that are left', () => {
    const until = [{ id: id('a'), index: 50 }];
    const released = { ...brake, epoch: 0, until, destroyed: [{ id: id('a'), index: 60 }] };
    expect(refusalOf(tighten({ until: [{ key: id('b') }] }, released))).toBe('in_use');
  });
});
