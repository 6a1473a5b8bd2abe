import { describe, expect, it } from 'vitest';
import {
  base64,
  checkTrustStep,
  decodeBase64,
  parseTrustRoot,
  requiredAlgorithms,
  type TrustRoot,
  utf8,
  verifyTrustChain,
} from '../src/index.ts';
import { b64, type Signer, vkeyOf } from './support/signers.ts';
import { Cast, keyJson, quorumText, trustEnvelope, trustHash, trustJson } from './support/world.ts';

type Json = Record<string, unknown>;
const cast = new Cast();
const heirs = new Cast('heirs');
const [first, second] = cast.roots as [Signer, Signer];
const pair = [first, second];
const parse = (changes: Json): TrustRoot => parseTrustRoot(trustEnvelope(trustJson(cast, changes), pair));
const acme = (require: Json, authority: Signer[] = [cast.authority]): Json => ({
  acme: { authority: { threshold: 1, keys: authority.map(keyJson) }, require },
});
const honest = quorumText(cast.witnesses, [cast.replayer]);
const log = (...vkeys: string[]): Json => ({ log: { origin: cast.log.name, vkeys } });

describe('a trust root', () => {
  it('is read', () => {
    const trust = parse({});
    expect([trust.version, trust.prev, trust.root.threshold, [...trust.namespaces.keys()]]).toEqual([
      1,
      null,
      2,
      ['acme'],
    ]);
    expect(base64(trust.genesis)).toBe(base64(trust.hash));
  });

  it.each<[string, Json]>([
    ['version 0', { version: 0 }],
    ['version 1 with a genesis', { genesis: b64(new Uint8Array(32)) }],
    ['version 1 with a prev', { prev: b64(new Uint8Array(32)) }],
    ['version 2 without a prev', { version: 2, genesis: b64(new Uint8Array(32)) }],
    ['version 2 without a genesis', { version: 2, prev: b64(new Uint8Array(32)) }],
    ['a threshold of 0', { root: { threshold: 0, keys: cast.roots.map(keyJson) } }],
    ['a threshold above the keys', { root: { threshold: 4, keys: cast.roots.map(keyJson) } }],
    ['no root keys', { root: { threshold: 1, keys: [] } }],
    ['a root key twice', { root: { threshold: 2, keys: [keyJson(first), keyJson(first)] } }],
    [
      'a root key again under another algorithm',
      { root: { threshold: 2, keys: [keyJson(first), { ...keyJson(first), alg: 'ml-dsa-44' }] } },
    ],
    [
      'a root key of small order',
      { root: { threshold: 1, keys: [{ ...keyJson(first), key: b64(new Uint8Array(32)) }] } },
    ],
    ['a root key as authority', { namespaces: acme({}, [first]) }],
    ['the log key as authority', { namespaces: acme({}, [cast.log.signer]) }],
    ['a witness key as root key', { root: { threshold: 1, keys: [keyJson(cast.replayer.signer)] } }],
    [
      'the log key as replayer',
      { quorum: quorumText(cast.witnesses, [{ ...cast.replayer, signer: cast.log.signer }]) },
    ],
    ['one authority in two namespaces', { namespaces: { ...acme({}), beta: acme({})['acme'] } }],
    ['a log without keys', log()],
    ['a log without an Ed25519 key', log(vkeyOf(cast.logPq))],
    [
      'a log with a witness key',
      log(vkeyOf(cast.log), vkeyOf({ ...cast.log, type: 4, signer: heirs.log.signer })),
    ],
    ['a log key twice', log(vkeyOf(cast.log), vkeyOf(cast.log))],
    ['a log key of another name', log(vkeyOf(cast.log), vkeyOf({ ...heirs.log, name: 'other.example' }))],
    ['an origin with a space', { log: { origin: 'a b', vkeys: [vkeyOf(cast.log)] } }],
    ['a date that does not exist', { expires: '2030-02-30T00:00:00.000Z' }],
    ['a freshness in months', { freshness: { offlineMax: 'P3M' } }],
    ['a namespace in upper case', { namespaces: { Acme: acme({})['acme'] } }],
    [
      'requirements out of order',
      {
        namespaces: acme({
          license: [
            { from: 5, algs: ['ed25519'] },
            { from: 5, algs: ['ed25519'] },
          ],
        }),
      },
    ],
    [
      'a requirement for perpetual plans',
      { namespaces: acme({ plan: [{ from: 0, algs: ['ed25519'], perpetual: ['ed25519'] }] }) },
    ],
    [
      'a requirement of less for perpetual licenses',
      {
        namespaces: acme({ license: [{ from: 0, algs: ['ed25519', 'ml-dsa-44'], perpetual: ['ed25519'] }] }),
      },
    ],
    ['a requirement of nothing', { namespaces: acme({ license: [{ from: 0, algs: [] }] }) }],
    [
      'a requirement of one algorithm twice',
      { namespaces: acme({ license: [{ from: 0, algs: ['ed25519', 'ed25519'] }] }) },
    ],
    [
      'a quorum without replayers',
      {
        quorum: honest.replace(/group replayers.*\n/, '').replace('all witnesses replayers', 'all witnesses'),
      },
    ],
    [
      'a quorum of witnesses or replayers',
      { quorum: honest.replace('group quorum all', 'group quorum any') },
    ],
    [
      'a quorum that asks for witnesses only',
      { quorum: honest.replace('quorum quorum', 'quorum witnesses') },
    ],
    ['no quorum at all', { quorum: 'quorum none\n' }],
    ['an earlier quorum line', { quorum: honest.replace('group quorum', 'quorum witnesses\ngroup quorum') }],
    [
      'an earlier group of that name',
      { quorum: honest.replace('group quorum', 'group quorum any w0\ngroup quorum') },
    ],
    [
      'a witness in place of the group of replayers',
      { quorum: honest.replace(/group replayers.*\n/, '').replaceAll('r0', 'replayers') },
    ],
    ['a comment behind the quorum', { quorum: `${honest}# end\n` }],
    ['no final line feed in the quorum', { quorum: honest.trimEnd() }],
    ['a log line in the quorum', { quorum: `log ${vkeyOf(heirs.log)}\n${honest}` }],
    [
      'a replayer who is a witness too',
      { quorum: quorumText(cast.witnesses, [cast.witnesses[0] as Cast['log']]) },
    ],
  ])('is refused with %s', (_, changes) => {
    expect(() => parse(changes)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it.each<[string, Json]>([
    ['version 2 of the format', { v: 2 }],
    ['an unknown member', { extra: 1 }],
    ['an unknown key algorithm', { root: { threshold: 1, keys: [{ ...keyJson(first), alg: 'ed448' }] } }],
    ['a requirement for an unknown usage', { namespaces: acme({ seat: [{ from: 0, algs: ['ed25519'] }] }) }],
    [
      'an unknown member of a requirement',
      { namespaces: acme({ license: [{ from: 0, algs: ['ed25519'], eternal: ['ed25519'] }] }) },
    ],
    ['an unknown required algorithm', { namespaces: acme({ license: [{ from: 0, algs: ['ed448'] }] }) }],
  ])('asks for an update with %s', (_, changes) => {
    expect(() => parse(changes)).toThrow(expect.objectContaining({ code: 'TOO_NEW' }));
  });

  it('requires Ed25519 unless it says otherwise for the index', () => {
    const rules = [
      { from: 5, algs: ['ed25519', 'ml-dsa-44'] },
      { from: 9, algs: ['ml-dsa-44'] },
    ];
    const trust = parse({ namespaces: acme({ license: rules }) }).namespaces.get('acme');
    if (trust === undefined) throw new Error('no namespace');
    const at = (usage: string, index: number): string =>
      requiredAlgorithms(trust, usage, index, false).join();
    expect([0, 4, 5, 8, 9].map((index) => at('license', index))).toEqual([
      'ed25519',
      'ed25519',
      'ed25519,ml-dsa-44',
      'ed25519,ml-dsa-44',
      'ml-dsa-44',
    ]);
    expect(at('brake', 100)).toBe('ed25519');
  });

  it('may require more of perpetual licenses, from an index on', () => {
    const both = ['ed25519', 'ml-dsa-44'];
    const rules = [
      { from: 5, algs: ['ed25519'], perpetual: both },
      { from: 9, algs: both },
    ];
    const trust = parse({ namespaces: acme({ license: rules }) }).namespaces.get('acme');
    if (trust === undefined) throw new Error('no namespace');
    const at = (index: number, isPerpetual: boolean): string =>
      requiredAlgorithms(trust, 'license', index, isPerpetual).join();
    expect([4, 5, 8, 9].map((index) => at(index, true))).toEqual([
      'ed25519',
      both.join(),
      both.join(),
      both.join(),
    ]);
    expect([4, 5, 8, 9].map((index) => at(index, false))).toEqual([
      'ed25519',
      'ed25519',
      'ed25519',
      both.join(),
    ]);
  });
});

/** Versions 1, 2, …: each a change of members and its signers. */
function chain(...versions: [Json, Signer[]][]): Promise<TrustRoot[]> {
  const envelopes: Uint8Array[] = [];
  for (const [changes, signers] of versions) {
    const [genesis] = envelopes;
    const last = envelopes.at(-1);
    const links =
      genesis === undefined || last === undefined
        ? {}
        : { version: envelopes.length + 1, genesis: b64(trustHash(genesis)), prev: b64(trustHash(last)) };
    envelopes.push(trustEnvelope(trustJson(cast, { ...links, ...changes }), signers));
  }
  return verifyTrustChain(envelopes);
}

const untrusted = { code: 'TRUST_INVALID' };
const rekeyed = { root: { threshold: 2, keys: heirs.roots.map(keyJson) } };
const everybody = [...pair, ...heirs.roots];
const rules = (algs: string[], from = 0): Json => ({ namespaces: acme({ license: [{ from, algs }] }) });

describe('a chain of trust roots', () => {
  it('is followed over new keys and new requirements', async () => {
    const longer = {
      namespaces: acme({
        license: [
          { from: 0, algs: ['ed25519'] },
          { from: 50, algs: ['ml-dsa-44'] },
        ],
      }),
    };
    const roots = await chain(
      [rules(['ed25519']), pair],
      [{ ...rekeyed, ...longer }, everybody],
      [{ ...rekeyed, ...longer }, heirs.roots],
    );
    expect(roots.map(({ version }) => version)).toEqual([1, 2, 3]);
  });

  it.each<[string, [Json, Signer[]][]]>([
    ['no version', []],
    ['version 1 without its own threshold', [[{}, [first]]]],
    ['one key that signs twice', [[{}, [first, first]]]],
    [
      'version 2 signed by itself only',
      [
        [{}, pair],
        [rekeyed, heirs.roots],
      ],
    ],
    [
      'version 2 signed by version 1 only',
      [
        [{}, pair],
        [rekeyed, pair],
      ],
    ],
    [
      'version 2 signed by strangers',
      [
        [{}, pair],
        [{}, heirs.roots],
      ],
    ],
    [
      'version 3 after version 1',
      [
        [{}, pair],
        [{ version: 3 }, pair],
      ],
    ],
    [
      'version 2 first',
      [[{ version: 2, genesis: b64(new Uint8Array(32)), prev: b64(new Uint8Array(32)) }, pair]],
    ],
    [
      'another prev',
      [
        [{}, pair],
        [{ prev: b64(new Uint8Array(32)) }, pair],
      ],
    ],
    [
      'another genesis',
      [
        [{}, pair],
        [{ genesis: b64(new Uint8Array(32)) }, pair],
      ],
    ],
    [
      'a dropped namespace',
      [
        [{}, pair],
        [{ namespaces: {} }, pair],
      ],
    ],
    [
      'a dropped requirement',
      [
        [rules(['ed25519']), pair],
        [{ namespaces: acme({}) }, pair],
      ],
    ],
    [
      'a changed algorithm',
      [
        [rules(['ed25519']), pair],
        [rules(['ml-dsa-44']), pair],
      ],
    ],
    [
      'a changed range',
      [
        [rules(['ed25519']), pair],
        [rules(['ed25519'], 1), pair],
      ],
    ],
    ['a quorum of another shape', [[{ quorum: 'quorum none\n' }, pair]]],
    [
      'a version signed by one of either side',
      [
        [{}, pair],
        [rekeyed, [first, heirs.roots[0] as Signer]],
      ],
    ],
  ])('is refused with %s', async (_, versions) => {
    await expect(chain(...versions)).rejects.toMatchObject(untrusted);
  });

  it('is refused with a signature whose S is above the order of the group', async () => {
    const envelope = trustEnvelope(trustJson(cast, {}), pair);
    const text = new TextDecoder().decode(envelope);
    const [, sig = ''] = /"sig":"([^"]+)"/.exec(text) ?? [];
    const loose = text.replace(sig, b64(withLooseS(decodeBase64(sig))));
    await expect(verifyTrustChain([envelope])).resolves.toHaveLength(1);
    await expect(verifyTrustChain([utf8(loose)])).rejects.toMatchObject(untrusted);
  });

  it('tells without signatures whether a version could follow', async () => {
    const [current] = await chain([{}, pair]);
    const links = { version: 2, genesis: b64(current!.hash), prev: b64(current!.hash) };
    const unsigned = (changes: Json): TrustRoot =>
      parseTrustRoot(trustEnvelope(trustJson(cast, changes), []));
    expect(() => checkTrustStep(current!, unsigned(links))).not.toThrow();
    for (const changes of [{ version: 3 }, { prev: b64(new Uint8Array(32)) }, { namespaces: {} }]) {
      expect(() => checkTrustStep(current!, unsigned({ ...links, ...changes }))).toThrow(
        expect.objectContaining(untrusted),
      );
    }
  });
});

/** The order of the group added to S (RFC 8032, 5.1.7): the same signature to whoever does not look. */
function withLooseS(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const scalar =
    [...signature.subarray(32)].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n) + order;
  return signature.map((byte, at) => (at < 32 ? byte : Number((scalar >> BigInt(8 * (at - 32))) & 0xffn)));
}
