import { base64, encodeTrustRootPayload, utf8, verifyTrustChain } from '@tallystick/core';
import { openPin } from '@tallystick/sdk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkContinues, formatChain, newestOf, parseChain } from '../src/ceremony/chain-file.ts';
import { parseChanges } from '../src/ceremony/changes.ts';
import { collect, rootKeysOf } from '../src/ceremony/collect.ts';
import { parseKeyLine } from '../src/ceremony/key-line.ts';
import { checkProposal, formatProposal, type Proposal, parseProposal } from '../src/ceremony/proposal.ts';
import { nextPayload } from '../src/ceremony/propose.ts';
import { checkSignature, formatSignature, parseSignature } from '../src/ceremony/signature-file.ts';
import {
  changesText,
  extended,
  firstChain,
  firstContent,
  logKey,
  now,
  Person,
  people,
  proposed,
  signedEnvelope,
} from './support/ceremony.ts';

const [quickStart, alice, bob, carol, dave] = people('quick-start', 'alice', 'bob', 'carol', 'dave') as [
  Person,
  Person,
  Person,
  Person,
  Person,
];
const three = [alice, bob, carol];
const renewal = { expires: '2028-06-01' };
const takeOver = { add: three, remove: [quickStart], threshold: 2 };
const coded = (code: string): { options: unknown } => ({ options: expect.objectContaining({ code }) });
const refused = coded('ceremony_refused');
const altered = coded('ceremony_altered');

/** The order of the group added to S (RFC 8032, 5.1.7): the same signature to whoever does not look. */
function withLooseS(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const scalar =
    [...signature.subarray(32)].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n) + order;
  return signature.map((byte, at) => (at < 32 ? byte : Number((scalar >> BigInt(8 * (at - 32))) & 0xffn)));
}

describe('a ceremony', () => {
  it("moves the quick start's one key to 2 of 3 people, and clients that pin version 1 follow", async () => {
    const first = await firstChain([quickStart], 1);
    const second = await extended(first, takeOver, [quickStart, alice, bob]);
    const third = await extended(second, renewal, [carol, alice]);
    // A client that pins version 1 alone is shown the later ones, and checks each against the one before.
    const [pinned] = first.envelopes;
    const chain = await verifyTrustChain([pinned as Uint8Array, ...third.envelopes.slice(1)]);
    expect(chain.map(({ version, root }) => [version, root.threshold, root.keys.length])).toEqual([
      [1, 1, 1],
      [2, 2, 3],
      [3, 2, 3],
    ]);
    expect((await openPin(formatChain(false, third.envelopes))).versions).toHaveLength(3);
  });

  it('goes on when n − t keys are lost, and replaces them', async () => {
    const first = await firstChain(three, 2);
    const replaced = await extended(first, { add: [dave], remove: [carol] }, [alice, bob]);
    const renewed = await extended(replaced, renewal, [dave, bob]);
    expect(newestOf(renewed).version).toBe(3);
    await expect(extended(replaced, renewal, [carol, bob])).rejects.toMatchObject(refused);
  });

  it('stops when one more is lost', async () => {
    const first = await firstChain(three, 2);
    await expect(extended(first, { add: [dave], remove: [bob, carol] }, [alice, dave])).rejects.toMatchObject(
      altered,
    );
  });

  it('ends the same whatever the order of signing, and only with both thresholds', async () => {
    const first = await firstChain([quickStart, dave], 2);
    const { proposal, current, next } = proposed(first, { add: three, remove: [quickStart] });
    const everybody = [quickStart, dave, ...three].map((person) => person.sign(proposal, 2));
    const order = fc.shuffledSubarray(everybody, { minLength: 1 });
    const withRepeats = fc.tuple(order, fc.array(fc.nat({ max: 4 }), { maxLength: 3 }));
    const envelopes = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(withRepeats, async ([chosen, repeats]) => {
        const files = [...chosen, ...repeats.flatMap((at) => chosen[at] ?? [])];
        const { envelope, progress } = await collect(current, next, proposal, files);
        const names = new Set(files.map(({ path }) => path));
        const has = (...those: Person[]): number =>
          those.filter(({ name }) => names.has(`${name}.signature.json`)).length;
        const enough = has(quickStart, dave) === 2 && has(dave, ...three) >= 2;
        expect(progress.every(({ met }) => met)).toBe(enough);
        const same = [...names].sort().join();
        expect(envelopes.get(same) ?? base64(envelope)).toBe(base64(envelope));
        envelopes.set(same, base64(envelope));
        const verified = verifyTrustChain([...first.envelopes, envelope]);
        if (enough) await expect(verified).resolves.toHaveLength(2);
        else await expect(verified).rejects.toMatchObject({ code: 'TRUST_INVALID' });
      }),
      { numRuns: 150 },
    );
  });
});

describe('a proposal', () => {
  it('is refused where version, history, name or time are not the next', async () => {
    const first = await firstChain(three, 2);
    const second = await extended(first, renewal, [alice, bob]);
    const third = proposed(second, { expires: '2028-07-01' }).proposal;
    // A version that skips one, and an old one that is offered again.
    expect(() => checkProposal(newestOf(first), third, now)).toThrow(expect.objectContaining(refused));
    expect(() => checkProposal(newestOf(second), proposed(first, renewal).proposal, now)).toThrow(
      /version 2/,
    );
    // Another second version than the one that is known.
    const other = await extended(first, { expires: '2028-05-01' }, [alice, bob]);
    expect(() => checkProposal(newestOf(other), third, now)).toThrow(/prev is not the version before/);
    expect(() => checkProposal(newestOf(second), third, Date.parse('2029-01-01'))).toThrow(/expired/);
    // A version that has expired can still be followed: nobody else could end that.
    const late = Date.parse('2028-03-01');
    expect(checkProposal(newestOf(first), proposed(first, renewal).proposal, late).version).toBe(2);
    const root = { threshold: 2, keys: three.map(({ key }) => key.publicKey) };
    const { hash } = newestOf(first);
    const moved = { ...firstContent, root, version: 2, genesis: hash, prev: hash };
    const elsewhere = { origin: 'other.example/log', vkeys: [logKey('other.example/log')] };
    const payload = encodeTrustRootPayload({ ...moved, log: elsewhere });
    expect(() => checkProposal(newestOf(first), { rehearsal: false, payload }, now)).toThrow(
      /name of the log to other/,
    );
    const dropped = encodeTrustRootPayload({ ...moved, namespaces: new Map() });
    expect(() => checkProposal(newestOf(first), { rehearsal: false, payload: dropped }, now)).toThrow(
      /dropped/,
    );
    const nested = 'group inner any w0 w1\\ngroup witnesses all inner w2';
    const plain = Buffer.from(encodeTrustRootPayload(moved)).toString('utf8');
    const odd = utf8(plain.replace('group witnesses 2 w0 w1 w2', nested));
    expect(() => checkProposal(newestOf(first), { rehearsal: false, payload: odd }, now)).toThrow(
      /quorum of version 2/,
    );
    const loosened = new Map(
      [...moved.namespaces].map(([ns, each]) => [ns, { ...each, require: new Map() }]),
    );
    const changed = encodeTrustRootPayload({ ...moved, namespaces: loosened });
    expect(() => checkProposal(newestOf(first), { rehearsal: false, payload: changed }, now)).toThrow(
      /requirement/,
    );
  });

  it.each<[string, Parameters<typeof proposed>[1], RegExp]>([
    ['a root key twice', { add: [alice] }, /lists a key twice/],
    ['a new key twice', { add: [dave, dave] }, /lists a key twice/],
    ['a threshold above the keys', { threshold: 4 }, /threshold out of range/],
    ['fewer keys than the threshold', { remove: [alice, bob] }, /threshold out of range/],
    ['a removed stranger', { remove: [dave] }, /no root key/],
    ['an expiry in the past', { expires: '2026-12-31' }, /expired/],
    ['an authority key as root key', { add: [new Person('eve', 'authority')] }, /authority key/],
    ['a rehearsal key', { add: [new Person('eve', 'rehearsal')] }, /rehearsal/],
    ['no change', {}, /change nothing/],
    ['an unknown namespace', { more: 'authority:\n  other: { threshold: 1 }\n' }, /no namespace other/],
    ['a witness who is not there', { more: 'witnesses: { remove: [w9] }\n' }, /w9/],
    [
      'more witnesses needed than there are',
      { more: 'witnesses: { threshold: 4 }\n' },
      /threshold of group witnesses is not from 1 to 3/,
    ],
    ['no log key', { more: 'log: { remove: [nothing] }\n' }, /no log key/],
  ])('is refused with %s', async (_, change, reason) => {
    const chain = await firstChain(three, 2);
    expect(() => proposed(chain, change)).toThrow(reason);
  });

  it('is refused where one key has two roles, or another name', async () => {
    const chain = await firstChain(three, 2);
    const { key } = new Person('eve').key.publicKey;
    const raw = base64(key);
    const asAuthority = alice.line.replace('-root-key', '-authority-key');
    const both = `authority:\n  acme:\n    add: [${asAuthority}]\n`;
    expect(() => proposed(chain, { more: both })).toThrow(/lists a key twice/);
    for (const alg of ['ml-dsa-44', 'ecdsa-p256-sha256', 'ed25519ph']) {
      const line = new Person('eve').line.replace(/ed25519 \S+/, `${alg} ${raw}`);
      expect(() => parseKeyLine(line)).toThrow();
    }
  });

  it('takes no key of small order, and no line that was mistyped', () => {
    const line = new Person('eve').line;
    const [, , holder] = line.split(' ');
    for (const weak of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]) {
      const text = `tallystick-root-key v1 ${holder} ed25519 ${base64(weak)} 0123456789abcdef`;
      expect(() => parseKeyLine(text)).toThrow(/small order/);
      expect(() => parseChanges(`version: 2\nroot:\n  add: [${text}]\n`, 'c.yaml')).toThrow(
        /c.yaml, line 3: .*small/,
      );
    }
    expect(() => parseKeyLine(line.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')))).toThrow(/key id/);
  });

  it('has a file of changes that is closed, and is for one version only', async () => {
    const chain = await firstChain(three, 2);
    for (const [text, reason] of [
      ['expires: 2028-01-02\n', /which version/],
      ['version: 2\nfreshness: {}\n', /line 2: freshness is not known/],
      ['version: 2\nroot: { treshold: 2 }\n', /treshold is not known/],
      ['version: 2\nroot: { threshold: 0 }\n', /at least 1/],
      ['version: 2\nexpires: soon\n', /line 2: Give a date/],
      ['version: 2\nroot: { remove: [abc] }\n', /16 hexadecimal/],
      ['version: 2\nwitnesses: { add: [{ vkeys: [nonsense] }] }\n', /not a verifier key/],
    ] as const) {
      expect(() => parseChanges(text, 'changes.yaml')).toThrow(reason);
    }
    const again = parseChanges(changesText(1, renewal), 'changes.yaml');
    expect(() => nextPayload(newestOf(chain), again, false)).toThrow(/the next is 2/);
  });

  it('is what an editor shows, and refused where one changed it', async () => {
    const { proposal } = proposed(await firstChain(three, 2), renewal);
    const text = formatProposal(proposal);
    expect(parseProposal(text, 'p.json')).toEqual(proposal);
    const duplicate = text.replace('"version": 2', '"version": 9,\n    "version": 2');
    for (const edited of [
      text.trimEnd(),
      text.replaceAll('\n', '\r\n'),
      `${text} `,
      duplicate,
      '{}',
      'nonsense',
    ]) {
      expect(() => parseProposal(edited, 'p.json')).toThrow(expect.objectContaining(altered));
    }
  });
});

describe('a signature on a proposal', () => {
  const check = async (proposal: Proposal, by: Person, signed = proposal): Promise<void> => {
    const { path, signature } = by.sign(signed, 2);
    const { current, next } = proposed(await firstChain(three, 2), renewal);
    await checkSignature(proposal, signature, rootKeysOf(current, next), path);
  };

  it('counts for exactly that payload, by a key of either version', async () => {
    const { proposal } = proposed(await firstChain(three, 2), renewal);
    const later = proposed(await firstChain(three, 2), { expires: '2028-06-02' }).proposal;
    await check(proposal, alice);
    await expect(check(proposal, dave)).rejects.toMatchObject(refused);
    await expect(check(later, alice, proposal)).rejects.toMatchObject(altered);
    // Whoever changes the proposal and the hash in the signature's file still has no signature.
    const { current, next } = proposed(await firstChain(three, 2), renewal);
    const { signature } = alice.sign(proposal, 2);
    const { signature: other } = alice.sign(later, 2);
    const moved = { ...signature, payloadHash: other.payloadHash };
    await expect(checkSignature(later, moved, rootKeysOf(current, next), 'moved')).rejects.toMatchObject(
      altered,
    );
  });

  it('is refused with an S above the order, also inside an envelope', async () => {
    const chain = await firstChain(three, 2);
    const { proposal, current, next } = proposed(chain, renewal);
    const good = alice.sign(proposal, 2);
    const loose = { ...good.signature, sig: withLooseS(good.signature.sig) };
    const keys = rootKeysOf(current, next);
    await expect(checkSignature(proposal, loose, keys, 'loose')).rejects.toMatchObject(altered);
    const signed = signedEnvelope(proposal.payload, [alice, bob]);
    const sig = base64(good.signature.sig);
    const text = Buffer.from(signed).toString('utf8');
    const swapped = utf8(text.replace(sig, base64(loose.sig)));
    await expect(verifyTrustChain([...chain.envelopes, signed])).resolves.toHaveLength(2);
    await expect(verifyTrustChain([...chain.envelopes, swapped])).rejects.toMatchObject({
      code: 'TRUST_INVALID',
    });
  });

  it('is read from exactly what is written', async () => {
    const { proposal } = proposed(await firstChain(three, 2), renewal);
    const text = formatSignature(alice.sign(proposal, 2).signature);
    expect(formatSignature(parseSignature(text, 's'))).toBe(text);
    const weak = text.replace(/"key": "[^"]+"/, `"key": "${base64(new Uint8Array(32))}"`);
    for (const edited of [weak, text.replace('"v": 1', '"v": 2'), text.slice(0, -2), '[]', 'null'])
      expect(() => parseSignature(edited, 's')).toThrow(expect.objectContaining(altered));
  });
});

describe('a chain of trust roots', () => {
  it('does not hold without one of its signatures or versions', async () => {
    const first = await firstChain(three, 3);
    const second = await extended(first, { threshold: 2 }, three);
    const third = await extended(second, renewal, [alice, bob]);
    const stripped = signedEnvelope(newestOf(second).envelope.payload, [alice, bob]);
    const [one, two, last] = third.envelopes as [Uint8Array, Uint8Array, Uint8Array];
    for (const envelopes of [[one, last], [two, last], [one, stripped], [one, two, two], [last], []]) {
      await expect(parseChain(formatChain(false, envelopes), 't')).rejects.toMatchObject(altered);
    }
    expect(() => checkContinues(third, second)).toThrow(/older trust root/);
    const fork = await extended(second, { expires: '2028-06-02' }, [alice, bob]);
    expect(() => checkContinues(third, fork)).toThrow(expect.objectContaining(altered));
    expect(() => checkContinues(second, third)).not.toThrow();
  });
});

describe('a rehearsal', () => {
  it('goes through every step, and nothing of it counts', async () => {
    const first = await firstChain([quickStart], 1);
    const player = new Person('player', 'rehearsal');
    const change = { add: [player, alice], remove: [quickStart], threshold: 2 };
    const { proposal, current, next } = proposed(first, change, true);
    const files = [quickStart, player, alice].map((person) => person.sign(proposal, 2));
    const { envelope, progress } = await collect(current, next, proposal, files);
    expect(progress.map(({ met }) => met)).toEqual([true, true]);
    const envelopes = [...first.envelopes, envelope];
    const text = formatChain(true, envelopes);
    expect((await parseChain(text, 't')).versions).toHaveLength(2);
    // Neither the file, nor its envelopes under the real members, nor the signatures beside the real payload.
    await expect(openPin(text)).rejects.toMatchObject({ code: 'TRUST_INVALID' });
    await expect(parseChain(formatChain(false, envelopes), 't')).rejects.toMatchObject(altered);
    const real = { ...proposal, rehearsal: false };
    await expect(collect(current, next, real, files)).rejects.toMatchObject(refused);
    const relabeled = files.map(({ path, signature }) => ({
      path,
      signature: { ...signature, rehearsal: false },
    }));
    await expect(collect(current, next, real, relabeled)).rejects.toMatchObject(altered);
  });
});
