import { setTimeout as after } from 'node:timers/promises';
import {
  formatQuorum,
  formatVerifierKey,
  type Policy,
  parsePolicy,
  parseSignedCheckpoint,
  utf8,
} from '@tallystick/core';
import { keyFromSeed } from '@tallystick/witness';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Quorum } from '../src/quorum/quorum.ts';
import { FakeCosigner, PlainLog, type Script } from './support/fake-cosigner.ts';

const log = new PlainLog(40);
const timeoutMs = 400;
let cosigners: [FakeCosigner, FakeCosigner, FakeCosigner];
let quorum: Quorum;
let known: Policy;

beforeEach(async () => {
  cosigners = [
    new FakeCosigner('witness.example/one'),
    new FakeCosigner('witness.example/two'),
    new FakeCosigner('witness.example/replayer'),
  ];
  for (const each of cosigners) await each.listen();
  known = policy();
  quorum = new Quorum({ policy: known, urls: {}, timeoutMs, now: () => Date.now() });
});

afterEach(async () => {
  quorum.close();
  for (const each of cosigners) await each.close();
});

function policy(hasUrls = true) {
  const lines = cosigners.map(
    ({ name, vkey, url }, nth) =>
      `witness w${nth} ${formatVerifierKey(vkey)}${hasUrls ? ` ${url}` : ''} # ${name}`,
  );
  return parsePolicy(
    `${lines.map((line) => line.replace(/ #.*/, '')).join('\n')}\ngroup witnesses 1 w0 w1\ngroup replayers 1 w2\n` +
      'group quorum all witnesses replayers\nquorum quorum\n',
  );
}

/** The first cosigner with a second key, as `tally init` writes the quorum; what it answers with is given. */
function withTwoKeys(answers: 'both' | 'one'): Quorum {
  const [first, , replayer] = cosigners;
  const second = keyFromSeed(first.name, new Uint8Array(32).fill(5), 'ml-dsa-44');
  first.script = ({ note }, response) => {
    const line = second.cosign(parseSignedCheckpoint(utf8(note)), Math.floor(Date.now() / 1000));
    response.end(first.line(note) + (answers === 'both' ? line : ''));
  };
  const vkeys = [first.vkey, second.vkey];
  const text = formatQuorum({
    witnesses: { threshold: 1, members: [{ name: first.name, vkeys, url: first.url }] },
    replayers: {
      threshold: 1,
      members: [{ name: replayer.name, vkeys: [replayer.vkey], url: replayer.url }],
    },
  });
  known = parsePolicy(text);
  return new Quorum({ policy: known, urls: {}, timeoutMs, now: () => Date.now() });
}

const cosign = (size = 21) => quorum.cosign(log.note(size), size, log.proofTo(size), [known]);
const slow =
  (ms: number, fake: FakeCosigner): Script =>
  async (asked, response) => {
    await after(ms);
    response.end(fake.line(asked.note));
  };

describe('a quorum', () => {
  it('asks everybody at once and takes every line that comes in time', async () => {
    const lines = await cosign();
    expect(lines.map(({ name }) => name).sort()).toEqual(cosigners.map(({ name }) => name).sort());
    expect(quorum.status.map(({ state, group }) => [state, group])).toEqual([
      ['ok', 'witnesses'],
      ['ok', 'witnesses'],
      ['ok', 'replayers'],
    ]);
  });

  it('does not wait for those that are slow when it has enough', async () => {
    cosigners[0].script = slow(timeoutMs * 2, cosigners[0]);
    const started = Date.now();
    const lines = await cosign();
    expect(lines).toHaveLength(2);
    expect(Date.now() - started).toBeLessThan(timeoutMs / 2);
  });

  it('is there with one witness of two down, and not without the replayer', async () => {
    await cosigners[1].close();
    await expect(cosign()).resolves.toHaveLength(2);
    await cosigners[2].close();
    await expect(cosign(22)).rejects.toMatchObject({
      name: 'LedgerError',
      problem: 'publication_stalled',
      message: expect.stringMatching(/1 of 3 cosigners are no quorum \(.*not reachable/),
    });
  });

  it('of liars is none', async () => {
    for (const each of cosigners) each.script = (_asked, response) => response.end(each.line(log.note(20)));
    await expect(cosign()).rejects.toMatchObject({ problem: 'publication_stalled' });
  });

  it('is no matter when a cosigner has seen more: the log was rolled back, and that is said', async () => {
    cosigners[0].script = (_asked, response) => {
      response.writeHead(409, { 'content-type': 'text/x.tlog.size' });
      response.end('35\n');
    };
    await expect(cosign()).rejects.toMatchObject({
      problem: 'log_behind',
      message: expect.stringMatching(/has seen 35 entries.*entries 21 to 34/),
    });
  });

  it('asks at the addresses of the configuration where there are some, and needs one for everybody', async () => {
    expect(() => new Quorum({ policy: policy(false), urls: {}, timeoutMs, now: () => 0 })).toThrow(
      /no address/,
    );
    const urls = Object.fromEntries(cosigners.map(({ url }, nth) => [`w${nth}`, `${url}/`]));
    const other = new Quorum({ policy: policy(false), urls, timeoutMs, now: () => Date.now() });
    await expect(other.cosign(log.note(5), 5, log.proofTo(5), [policy(false)])).resolves.toHaveLength(3);
    other.close();
  });
});

describe('a quorum that changes', () => {
  let fresh: FakeCosigner;

  beforeEach(async () => {
    fresh = new FakeCosigner('witness.example/new');
    await fresh.listen();
  });

  afterEach(() => fresh.close());

  /** The first witness replaced, and both needed. */
  function changed(hasUrl = true): Policy {
    const named = [
      `witness fresh ${formatVerifierKey(fresh.vkey)}${hasUrl ? ` ${fresh.url}` : ''}`,
      ...cosigners
        .slice(1)
        .map(({ vkey, url }, nth) => `witness old${nth} ${formatVerifierKey(vkey)} ${url}`),
    ];
    return parsePolicy(
      `${named.join('\n')}\ngroup witnesses 2 fresh old0\ngroup replayers 1 old1\n` +
        'group quorum all witnesses replayers\nquorum quorum\n',
    );
  }

  const probe = (next: Policy) => quorum.probe(log.note(21), 21, log.proofTo(21), next);

  it('is asked for both quorums at once, and then only for the new one', async () => {
    await cosign();
    const next = changed();
    const both = await quorum.cosign(log.note(22), 22, log.proofTo(22), [next, known]);
    const names = [...cosigners, fresh].map(({ name }) => name);
    expect(both.map(({ name }) => name).sort()).toEqual(names.sort());
    const alone = await quorum.cosign(log.note(23), 23, log.proofTo(23), [next]);
    expect(alone).toHaveLength(3);
    expect(quorum.status.map(({ name, group }) => [name, group])).toEqual([
      ['fresh', 'witnesses'],
      ['w1', 'witnesses'],
      ['w2', 'replayers'],
    ]);
    await cosigners[1].close();
    await expect(quorum.cosign(log.note(24), 24, log.proofTo(24), [next, known])).rejects.toThrow(
      /are no quorum/,
    );
  });

  it('is tried first: with those who answer already, and one question to each new one', async () => {
    await expect(probe(changed())).rejects.toThrow(/old0 is unknown/);
    await cosign();
    await probe(changed());
    await fresh.close();
    const gone = parsePolicy(
      `witness fresh ${formatVerifierKey(fresh.vkey)} http://127.0.0.1:1\n` +
        `witness r ${formatVerifierKey(cosigners[2].vkey)} ${cosigners[2].url}\ngroup witnesses 1 fresh\ngroup replayers 1 r\n` +
        'group quorum all witnesses replayers\nquorum quorum\n',
    );
    await expect(probe(gone)).rejects.toThrow(/1 of 2 cosigners are no quorum \(fresh is not reachable/);
    expect(quorum.status.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok']);
  });

  it('asks a cosigner that only moved where it is now', async () => {
    await cosign();
    // The same key behind another address, as after a move to another machine.
    fresh.script = (asked, response) => response.end(cosigners[0].line(asked.note));
    const moved = parsePolicy(
      `witness w0 ${formatVerifierKey(cosigners[0].vkey)} ${fresh.url}\n` +
        `witness w2 ${formatVerifierKey(cosigners[2].vkey)} ${cosigners[2].url}\n` +
        'group witnesses 1 w0\ngroup replayers 1 w2\ngroup quorum all witnesses replayers\nquorum quorum\n',
    );
    await probe(moved);
    expect(fresh.asked).toHaveLength(1);
    await cosigners[0].close();
    await expect(quorum.cosign(log.note(22), 22, log.proofTo(22), [moved])).resolves.toHaveLength(2);
  });

  it('is refused where a new cosigner has no address, and says where to give it one', async () => {
    await cosign();
    await expect(probe(changed(false))).rejects.toThrow(
      /fresh has no address: give it one in the trust root/,
    );
  });
});

describe('a cosigner of two algorithms', () => {
  it('is one process: asked once, and shown as one', async () => {
    quorum = withTwoKeys('both');
    const lines = await cosign();
    expect(lines).toHaveLength(3);
    expect(cosigners[0].asked).toHaveLength(1);
    expect(quorum.status.map(({ name, state, group }) => [name, state, group])).toEqual([
      ['witness.example/one', 'ok', 'witnesses'],
      ['witness.example/replayer', 'ok', 'replayers'],
    ]);
  });

  it('does not count with one of them alone', async () => {
    quorum = withTwoKeys('one');
    await expect(cosign()).rejects.toThrow(
      /1 of 2 cosigners .* without a valid cosignature by its ml-dsa-44/,
    );
    expect(quorum.status[0]?.state).toBe('refusing');
  });
});
