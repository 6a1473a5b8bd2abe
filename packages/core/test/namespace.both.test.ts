import { describe, expect, it } from 'vitest';
import {
  type BrakeDocument,
  base64,
  brakeStepProblem,
  checkBrakeEpoch,
  effectiveLock,
  effectiveMinEpoch,
  entitledKey,
  keyFingerprint,
  loosenings,
  type NamespaceDocument,
  type NamespaceKey,
  namespaceStepProblem,
  type PublicKey,
  parseBrake,
  parseNamespace,
  sha256,
  tightestBrake,
  utf8,
} from '../src/index.ts';

const publicKey = (name: string): PublicKey => ({ alg: 'ed25519', key: sha256(utf8(name)) });
const [signing, next] = ['signing', 'next'].map(publicKey) as [PublicKey, PublicKey];
const id = base64(keyFingerprint(signing));
const nextId = base64(keyFingerprint(next));
const limits = { offlineMax: null, termMax: null, seatsMax: null, perMinute: null };

const listed = (changes: Partial<NamespaceKey> = {}): NamespaceKey => ({
  id,
  alg: 'ed25519',
  usages: ['license'],
  from: 10,
  until: null,
  limits,
  ...changes,
});

const namespace = (changes: Partial<NamespaceDocument> = {}): NamespaceDocument => ({
  v: 1,
  type: 'namespace',
  ns: 'acme',
  id: 'namespace',
  rev: 0,
  crit: [],
  name: 'Acme',
  mode: 'live',
  support: { name: null, email: null, url: null },
  epoch: 3,
  lock: 'open',
  minEpoch: 0,
  keys: [listed()],
  ...changes,
});

const brake = (changes: Partial<BrakeDocument> = {}): BrakeDocument => ({
  v: 1,
  type: 'brake',
  ns: 'acme',
  id: 'brake',
  rev: 0,
  crit: [],
  epoch: 3,
  lock: 'open',
  minEpoch: 0,
  until: [],
  ...changes,
});

const malformed: unknown = expect.objectContaining({ code: 'MALFORMED' });
const tooNew: unknown = expect.objectContaining({ code: 'TOO_NEW' });
const bytes = (document: object): Uint8Array => utf8(JSON.stringify(document));
const cut = (index: number, epoch = 3): BrakeDocument => brake({ epoch, until: [{ id, index }] });
/** Ended at one index, and stated to be destroyed from another one on. */
const destroyed = (end: number, index: number, epoch = 3): BrakeDocument => ({
  ...cut(end, epoch),
  destroyed: [{ id, index }],
});

describe('an entitled key', () => {
  const may = (key: Partial<NamespaceKey>, index: number, by: BrakeDocument | null = null): boolean =>
    entitledKey(namespace({ keys: [listed(key)] }), by, signing, 'license', index) !== undefined;

  it.each([
    ['before from', {}, 9, null, false],
    ['at from', {}, 10, null, true],
    ['long after', {}, 2 ** 53 - 1, null, true],
    ['before until', { until: 20 }, 19, null, true],
    ['at until', { until: 20 }, 20, null, false],
    ['in an empty range', { until: 10 }, 10, null, false],
    ['before the brake', { until: 20 }, 14, cut(15), true],
    ['at the brake', { until: 20 }, 15, cut(15), false],
    ['after until where the brake is later', { until: 20 }, 20, cut(25), false],
    ['where the brake says 0', {}, 10, cut(0), false],
    ['where a brake of an earlier epoch is ignored', {}, 15, cut(15, 2), true],
    ['where a brake of a later epoch is ignored', {}, 15, cut(15, 4), true],
    ['destroyed, under an epoch that released the brake, before it was', {}, 17, destroyed(15, 18, 2), true],
    ['destroyed, under an epoch that released the brake, from then on', {}, 18, destroyed(15, 18, 2), false],
    ['destroyed, at its end', {}, 15, destroyed(15, 18), false],
  ] as const)('%s', (_, key, index, by, expected) => {
    expect(may(key, index, by)).toBe(expected);
  });

  it('has the usage, the algorithm and the very bytes that are listed', () => {
    expect(entitledKey(namespace(), null, signing, 'brake', 10)).toBeUndefined();
    expect(entitledKey(namespace(), null, next, 'license', 10)).toBeUndefined();
    expect(entitledKey(namespace(), null, { ...signing, alg: 'ml-dsa-44' }, 'license', 10)).toBeUndefined();
    const other = namespace({ keys: [listed({ alg: 'ml-dsa-44' })] });
    expect(entitledKey(other, null, signing, 'license', 10)).toBeUndefined();
  });
});

describe('a step of the namespace', () => {
  const problem = (
    before: Partial<NamespaceDocument>,
    after: Partial<NamespaceDocument>,
    index = 10,
  ): string | null => namespaceStepProblem(namespace(before), namespace(after), index);
  const keys = (changes: Partial<NamespaceKey>): Partial<NamespaceDocument> => ({ keys: [listed(changes)] });

  it.each<[string, Partial<NamespaceDocument>, Partial<NamespaceDocument>]>([
    ['nothing changes', {}, {}],
    ['a key gets an end', {}, keys({ until: 50 })],
    ['the end of a key falls', keys({ until: 50 }), keys({ until: 40 })],
    ['the epoch rises and minEpoch falls', { minEpoch: 5 }, { epoch: 4, minEpoch: 0 }],
    ['a key is added', {}, { keys: [listed(), listed({ id: nextId, from: 10 })] }],
    [
      'the order of keys changes',
      { keys: [listed(), listed({ id: nextId })] },
      { keys: [listed({ id: nextId }), listed()] },
    ],
    ['the lock tightens', {}, { lock: 'sealed' }],
  ])('may be made where %s', (_, before, after) => {
    expect(problem(before, after)).toBeNull();
  });

  it.each<[string, Partial<NamespaceDocument>, Partial<NamespaceDocument>]>([
    ['the epoch falls', {}, { epoch: 2 }],
    ['minEpoch falls within the epoch', { minEpoch: 5 }, { minEpoch: 4 }],
    ['a key leaves', {}, { keys: [] }],
    ['from falls', {}, keys({ from: 9 })],
    ['from rises', {}, keys({ from: 11 })],
    ['the algorithm changes', {}, keys({ alg: 'ml-dsa-44' })],
    ['until rises', keys({ until: 50 }), keys({ until: 51 })],
    ['until goes away', keys({ until: 50 }), keys({ until: null })],
    ['a key comes too late for its range', {}, { keys: [listed(), listed({ id: nextId, from: 9 })] }],
  ])('may not be made where %s', (_, before, after) => {
    expect(problem(before, after)).not.toBeNull();
  });

  it('introduces keys at or below their from, also at first', () => {
    expect(namespaceStepProblem(null, namespace(), 10)).toBeNull();
    expect(namespaceStepProblem(null, namespace(), 11)).not.toBeNull();
  });
});

describe('a step of the brake', () => {
  const problem = (before: BrakeDocument | null, after: BrakeDocument): string | null =>
    brakeStepProblem(namespace(), before, after, 20);

  it.each<[string, BrakeDocument | null, BrakeDocument]>([
    ['it is the first', null, cut(15)],
    ['nothing changes', cut(15), cut(15)],
    ['a key is stopped', brake(), cut(15)],
    ['a key is stopped earlier', cut(15), cut(14)],
    ['lock and minEpoch rise', brake(), brake({ lock: 'frozen', minEpoch: 1 })],
    [
      'the brake before is of an earlier epoch',
      brake({ epoch: 2, lock: 'sealed', minEpoch: 9, until: [{ id, index: 0 }] }),
      brake(),
    ],
    ['a key that ended is destroyed', cut(15), destroyed(15, 20)],
    ['a key ends and is destroyed at once', brake(), destroyed(20, 20)],
    ['what is destroyed stays so', destroyed(15, 18), destroyed(14, 18)],
    [
      'what was destroyed in an earlier epoch stays so',
      destroyed(15, 18, 2),
      { ...destroyed(15, 18), until: [] },
    ],
  ])('may be made where %s', (_, before, after) => {
    expect(problem(before, after)).toBeNull();
  });

  it.each<[string, BrakeDocument | null, BrakeDocument]>([
    ['it is of an earlier epoch', null, brake({ epoch: 2 })],
    ['it is of a later epoch', null, brake({ epoch: 4 })],
    ['the lock loosens', brake({ lock: 'frozen' }), brake({ lock: 'read-only' })],
    ['minEpoch falls', brake({ minEpoch: 2 }), brake({ minEpoch: 1 })],
    ['a key is stopped later', cut(15), cut(16)],
    ['a key is no longer stopped', cut(15), brake()],
    ['a key is destroyed that has not ended', brake(), { ...destroyed(15, 20), until: [] }],
    ['a key is destroyed before it ended', cut(15), destroyed(15, 14)],
    ['a key is destroyed from an index on that has not come', cut(15), destroyed(15, 21)],
    [
      'a key is destroyed that was never listed',
      brake(),
      brake({ until: [{ id: nextId, index: 9 }], destroyed: [{ id: nextId, index: 9 }] }),
    ],
    ['a key is no longer destroyed', destroyed(15, 18), cut(15)],
    ['a key of an earlier epoch is no longer destroyed', destroyed(15, 18, 2), cut(15)],
    ['a key was destroyed earlier than it was', destroyed(15, 18), destroyed(15, 17)],
    ['a key was destroyed later than it was', destroyed(15, 18), destroyed(15, 19)],
  ])('may not be made where %s', (_, before, after) => {
    expect(problem(before, after)).not.toBeNull();
  });
});

describe('namespace and brake together', () => {
  it('lock as the stricter says, and a brake of an earlier epoch says nothing', () => {
    expect(effectiveLock(namespace({ lock: 'frozen' }), brake({ lock: 'heightened' }))).toBe('frozen');
    expect(effectiveLock(namespace({ lock: 'heightened' }), brake({ lock: 'frozen' }))).toBe('frozen');
    expect(effectiveLock(namespace(), brake({ lock: 'sealed', epoch: 2 }))).toBe('open');
    expect(effectiveMinEpoch(namespace({ minEpoch: 1 }), brake({ minEpoch: 2 }))).toBe(2);
    expect(effectiveMinEpoch(namespace({ minEpoch: 3 }), brake({ minEpoch: 2 }))).toBe(3);
    expect(effectiveMinEpoch(namespace({ minEpoch: 1 }), brake({ minEpoch: 2, epoch: 2 }))).toBe(1);
  });

  it('do not go together where the brake is of a later epoch', () => {
    expect(() => checkBrakeEpoch(namespace(), brake({ epoch: 4 }))).toThrow(
      expect.objectContaining({ code: 'ALTERED' }),
    );
    checkBrakeEpoch(namespace(), brake({ epoch: 2 }));
  });
});

describe('brakes together', () => {
  it('say of each key that it is destroyed from the lowest index on, whatever their epochs', () => {
    const other = brake({ epoch: 2, destroyed: [{ id: nextId, index: 4 }] });
    expect(tightestBrake(3, [null, destroyed(15, 18, 2), destroyed(16, 17), other])).toMatchObject({
      until: [{ id, index: 16 }],
      destroyed: [
        { id, index: 17 },
        { id: nextId, index: 4 },
      ],
    });
    expect(tightestBrake(3, [cut(5)])).not.toHaveProperty('destroyed');
  });
});

describe('the bytes', () => {
  it('come back', () => {
    expect(parseNamespace(bytes(namespace()))).toEqual(namespace());
    expect(parseBrake(bytes(cut(5)))).toEqual(cut(5));
    expect(parseBrake(bytes(destroyed(5, 6)))).toEqual(destroyed(5, 6));
    expect(parseBrake(bytes(cut(5)))).not.toHaveProperty('destroyed');
    expect(parseNamespace(bytes({ ...namespace(), hue: ['unknown'] }))).toEqual(namespace());
  });

  it.each<[string, object]>([
    ['another type', namespace({ type: 'brake' } as never)],
    ['another id', namespace({ id: 'brake' } as never)],
    ['a key twice', namespace({ keys: [listed(), listed()] })],
    ['an unknown mode', namespace({ mode: 'demo' } as never)],
    ['a key id of 31 bytes', namespace({ keys: [listed({ id: base64(new Uint8Array(31)) })] })],
    ['a negative from', namespace({ keys: [listed({ from: -1 })] })],
    ['a limit in months', namespace({ keys: [listed({ limits: { ...limits, offlineMax: 'P1M' } })] })],
    ['no crit', { ...namespace(), crit: undefined }],
    ['keys that are no list', { ...namespace(), keys: {} }],
  ])('of a namespace are refused with %s', (_, document) => {
    expect(() => parseNamespace(bytes(document))).toThrow(malformed);
  });

  it.each<[string, object]>([
    ['a key that is destroyed twice', { ...cut(5), destroyed: [0, 0].map(() => ({ id, index: 5 })) }],
    ['destroyed keys that are no list', { ...cut(5), destroyed: {} }],
    ['null for destroyed keys', { ...cut(5), destroyed: null }],
    ['a key that is destroyed at no index', { ...cut(5), destroyed: [{ id, index: null }] }],
  ])('of a brake are refused with %s', (_, document) => {
    expect(() => parseBrake(bytes(document))).toThrow(malformed);
  });

  it.each<[string, object]>([
    ['a crit that is unknown', namespace({ crit: ['hue'] })],
    ['version 2', namespace({ v: 2 } as never)],
    ['an unknown lock', namespace({ lock: 'ajar' } as never)],
    ['an unknown usage', namespace({ keys: [listed({ usages: ['hue'] as never })] })],
    ['an unknown algorithm', namespace({ keys: [listed({ alg: 'ed448' as never })] })],
  ])('of a namespace ask for an update with %s', (_, document) => {
    expect(() => parseNamespace(bytes(document))).toThrow(tooNew);
  });

  it('of a brake ask for an update with more said of a destroyed key', () => {
    const more = { ...cut(5), destroyed: [{ id, index: 5, hue: 1 }] };
    expect(() => parseBrake(bytes(more))).toThrow(tooNew);
  });
});

describe('what a revision of the namespace loosens', () => {
  const name = `key ${'[0-9a-f]{16}'}`;
  const limited = listed({ limits: { ...limits, termMax: 'P30D', seatsMax: 5 } });
  const locked = namespace({ lock: 'frozen', minEpoch: 2 });
  const added = listed({ id: nextId, usages: ['gate'] });

  it.each<[string, NamespaceDocument, Partial<NamespaceDocument>, BrakeDocument, string[]]>([
    ['nothing where nothing changes', locked, {}, brake(), []],
    ['nothing where all is tightened', namespace(), { lock: 'frozen', minEpoch: 3 }, brake(), []],
    ['nothing with an epoch alone', namespace(), { epoch: 4 }, brake(), []],
    [
      'its lock',
      locked,
      { epoch: 4, lock: 'read-only' },
      brake(),
      ['the lock becomes read-only \\(was frozen\\)'],
    ],
    [
      'its smallest epoch',
      locked,
      { epoch: 4, minEpoch: 1 },
      brake(),
      ['epoch of licenses becomes 1 \\(was 2\\)'],
    ],
    [
      'what the brake said of the epoch that ends',
      namespace(),
      { epoch: 4 },
      { ...cut(20), lock: 'sealed', minEpoch: 3 },
      [
        'lock becomes open \\(was sealed\\)',
        'becomes 0 \\(was 3\\)',
        `${name} signs without end \\(was until log index 20\\)`,
      ],
    ],
    [
      'not a lock that the brake has',
      namespace({ lock: 'frozen' }),
      { epoch: 4, lock: 'frozen' },
      brake({ lock: 'heightened' }),
      [],
    ],
    ['not a key that stays destroyed', namespace(), { epoch: 4 }, destroyed(20, 20), []],
    [
      'a part of what the brake ended',
      namespace(),
      { epoch: 4, keys: [listed({ until: 30 })] },
      cut(20),
      [`${name} signs until log index 30`],
    ],
    ['nothing that ends a key', namespace(), { keys: [listed({ until: 30 })] }, brake(), []],
    [
      'each key that it adds',
      namespace(),
      { keys: [listed(), added] },
      brake(),
      [`${name} \\(gate\\) may sign`],
    ],
    [
      'limits that are wider or gone',
      namespace({ keys: [limited] }),
      { keys: [listed({ limits: { ...limits, termMax: 'P31D' } })] },
      brake(),
      ['wider termMax', 'wider seatsMax'],
    ],
    ['not limits that are narrower', namespace(), { keys: [limited] }, brake(), []],
  ])('%s', (_, current, changes, by, expected) => {
    const found = loosenings(current, { ...current, ...changes }, by);
    expect(found).toEqual(expected.map((each) => expect.stringMatching(each) as string));
  });
});
