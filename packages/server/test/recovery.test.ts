/** An administrator by the word of the authority: what is taken, once, and every statement that is not. */
import { createHash, randomBytes } from 'node:crypto';
import { replayDecisions } from '@tallystick/audit';
import {
  base64,
  causeCommitment,
  decodeBase64,
  documentCommitment,
  encodeEnvelope,
  encodeRecord,
  type LogRecord,
  leafHash,
  type NamespaceDocument,
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
  type RecoveryStatement,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import { newSecretToken, secretTokenHash } from '@tallystick/gate';
import type { SignedRevision } from '@tallystick/ledger';
import { generateKeySpec, type KeystoreKey, SigningKey } from '@tallystick/signer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Recovery, type RecoveryInput, type RecoveryParts } from '../src/ledger-thread/recovery.ts';
import { Office } from './support/office.ts';
import { withCause } from './support/with-cause.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const newInvitation = (): string =>
  secretTokenHash(newSecretToken('invite', (length) => randomBytes(length)));
const hashOfInvitation = newInvitation();
/** As the secret of the folder makes it. */
const lookupOf = (invitation: string): string =>
  createHash('sha256').update(`found by ${invitation}`).digest('base64');

let office: Office;
let authority: KeystoreKey;
let alarms: string[];

/** Each group has an office of its own, whose tests build on each other. */
async function openOffice(): Promise<void> {
  office = await Office.open();
  const [key] = office.world.identity.keys.authority;
  if (key === undefined) throw new Error('no authority');
  authority = key;
  alarms = [];
  await office.hire('Ada', 'administrator');
  await office.ask('Ada', { type: 'principal.create', kind: 'person', name: 'Bob' });
}

const closeOffice = (): Promise<void> => office[Symbol.asyncDispose]();

function recovery(ledger: RecoveryParts['ledger'] = office.ledger): Recovery {
  const now = (): string => new Date(office.world.now()).toISOString();
  const alarm = (detail: string): unknown => alarms.push(detail);
  const { needs } = office.gatekeeper;
  return new Recovery({ ledger, keys: { refresh: async () => {} } as never, needs, now, alarm });
}

interface Statement {
  says?: Partial<RecoveryStatement>;
  document?: Partial<NamespaceDocument>;
  record?: Partial<LogRecord>;
  command?: string;
  by?: KeystoreKey;
  /** Milliseconds from now. */
  at?: number;
}

/** A sound statement with one thing changed. */
async function statement(changed: Statement = {}): Promise<RecoveryInput> {
  const { says, document, record, command = 'namespace.recover', by = authority, at = 0 } = changed;
  const draft = await recovery().draft();
  const entry = decodeBase64(draft.entry);
  const before = JSON.parse(draft.document) as NamespaceDocument;
  const next = utf8(JSON.stringify({ ...before, rev: before.rev + 1, ...document }));
  const instant = new Date(office.world.now() + at).toISOString();
  const until = new Date(office.world.now() + dayMs).toISOString();
  const person = { principal: null, name: 'Eve Stone', email: 'eve@example.com' };
  const told = { ...person, invitation: hashOfInvitation, until, ...says };
  const who = { kind: 'person', id: 'holder' };
  const head = { v: 1, command, n: 1, who, why: 'Ada lost her phone', request: null };
  const cause = JSON.stringify(
    command === 'namespace.recover' ? { ...head, recovery: told, at: instant } : { ...head, at: instant },
  );
  const salt = new Uint8Array(32).fill(3);
  const payload = encodeRecord({
    ns: 'acme',
    type: 'namespace.updated',
    subject: parseRecordEntry(entry).record.subject,
    rev: before.rev + 1,
    prev: leafHash(entry),
    doc: documentCommitment(zeroSalt, next),
    cause: causeCommitment(salt, utf8(cause)),
    at: instant,
    ...record,
  });
  const sig = await by.sign(preAuthEncoding(payloadTypes.record, payload));
  const signatures = [{ keyid: by.keyid, sig }];
  const signed = encodeEnvelope({ payload, payloadType: payloadTypes.record, signatures });
  return {
    entry: base64(signed),
    document: base64(next),
    cause: { salt: base64(salt), document: base64(utf8(cause)) },
    lookup: lookupOf(told.invitation),
    dryRun: false,
  };
}

/** As the ledger takes it. */
function revisionOf({ entry, document, cause: { salt, document: told } }: RecoveryInput): SignedRevision {
  const cause = { salt: decodeBase64(salt), document: decodeBase64(told) };
  return { entry: decodeBase64(entry), document: decodeBase64(document), cause };
}

function bound<T extends object>(target: T, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
}

/** What replaying finds, but for what the office itself did. */
async function findings(store = office.world.store): Promise<object[]> {
  const { findings: found } = await replayDecisions(store, { from: null, to: null, lookupOf });
  return found.filter(({ index }) => !office.unjudged.has(index));
}

describe('a statement of the authority', () => {
  beforeAll(openOffice);
  afterAll(closeOffice);

  it('changes nothing as a dry run', async () => {
    const size = office.ledger.size;
    const answer = await recovery().take({ ...(await statement()), dryRun: true });
    expect(answer).toMatchObject({ dryRun: true, namespace: null, principal: null, credential: null });
    expect(office.ledger.size - size).toBeLessThanOrEqual(1);
    expect(office.ledger.governing.namespace.rev).toBe(0);
  });

  it('lets somebody new in as administrator, who invites like any other, and is replayed', async () => {
    const answer = await recovery().take(await statement());
    const [principal, credential] = [answer.principal ?? '', answer.credential ?? ''];
    const [person] = await office.ledger.read.history(principal, 99, 9);
    expect(person).toMatchObject({
      revision: {
        current: { document: { name: 'Eve Stone', roles: [{ role: 'administrator', until: null }] } },
      },
      cause: { command: 'principal.create', who: { kind: 'authority' }, why: 'Ada lost her phone' },
    });
    expect((await office.ledger.read.current(credential))?.document).toMatchObject({
      kind: 'invitation',
      principal,
      lookup: lookupOf(hashOfInvitation),
      notAfter: answer.until,
      scope: { actions: ['credential.enroll'] },
    });
    expect(alarms).toEqual([expect.stringContaining(`Eve Stone (${principal}) in as administrator`)]);
    expect(await findings()).toEqual([]);
    const { recoveries } = await replayDecisions(office.world.store, { from: null, to: null });
    expect(recoveries).toMatchObject([
      { index: answer.namespace, principal, credential, name: 'Eve Stone', why: 'Ada lost her phone' },
    ]);
  });

  it('gives an administrator who lost passkey and codes an invitation, and nobody else', async () => {
    const lost = { principal: office.id('Ada'), name: null, email: null };
    const people = await office.count('principal.created');
    expect(
      await recovery().take(await statement({ says: { ...lost, invitation: newInvitation() } })),
    ).toMatchObject({
      principal: office.id('Ada'),
    });
    expect(await office.count('principal.created')).toBe(people);
    const bob = await office.hire('Bob', 'issuer');
    await expect(
      recovery().take(await statement({ says: { ...lost, principal: bob } })),
    ).rejects.toMatchObject({ code: 'namespace_refused', detail: expect.stringContaining(bob) });
  });

  it('counts once: handed in again it changes nothing, and after another revision it is refused', async () => {
    const signed = await statement({ says: { invitation: newInvitation() } });
    const first = await recovery().take(signed);
    const [size, told, made] = [office.ledger.size, alarms.length, await office.count('credential.created')];
    expect(await recovery().take(signed)).toEqual(first);
    expect(office.ledger.size - size).toBeLessThanOrEqual(1);
    expect([alarms.length, await office.count('credential.created')]).toEqual([told, made]);
    const late = await statement({ says: { invitation: newInvitation() } });
    const other = { says: { name: 'Mia', invitation: newInvitation() }, document: { epoch: 1 } };
    await recovery().take(await statement(other));
    for (const old of [signed, late])
      await expect(recovery().take(old)).rejects.toMatchObject({ problem: 'namespace_refused' });
  });

  it('goes on where it was interrupted, between any two of its three steps', async () => {
    const signed = await statement({ says: { name: 'Zoe', invitation: newInvitation() } });
    const [told, made] = [alarms.length, await office.count('principal.created')];
    for (const step of [1, 2]) {
      const { ledger } = office;
      let submitted = 0;
      const failing = {
        trust: ledger.trust,
        governing: ledger.governing,
        read: ledger.read,
        reviseNamespace: ledger.reviseNamespace.bind(ledger),
        submit: (submission: Parameters<typeof ledger.submit>[0]) => {
          if (!submission.dryRun) submitted += 1;
          return submitted === step ? Promise.reject(new Error('killed')) : ledger.submit(submission);
        },
      } as RecoveryParts['ledger'];
      await expect(recovery(failing).take(signed)).rejects.toThrow('killed');
      await office.restart();
    }
    expect(alarms).toHaveLength(told);
    const { principal } = await recovery().take(signed);
    expect(principal).toMatch(/^prn_/);
    expect([alarms.length - told, (await office.count('principal.created')) - made]).toEqual([1, 1]);
    expect(await findings()).toEqual([]);
  });
});

describe('nobody comes in, and nothing is logged,', () => {
  beforeAll(openOffice);
  afterAll(closeOffice);

  const issuing = (): KeystoreKey => {
    const key = office.world.identity.keys.issuing[0];
    if (key === undefined) throw new Error('no issuing key');
    return key;
  };
  const stranger = (): KeystoreKey => new SigningKey(generateKeySpec(['authority'], 'acme'));
  const tampered = async (says: Partial<RecoveryStatement>): Promise<RecoveryInput> => {
    const [signed, other] = [await statement(), await statement({ says })];
    return { ...signed, cause: other.cause };
  };
  const instant = (ms: number): string => new Date(office.world.now() + ms).toISOString();
  const unsigned = /not signed by the authority/;
  const cases: [string, RegExp, () => Promise<RecoveryInput>][] = [
    ['signed by an issuing key', unsigned, () => statement({ by: issuing() })],
    ['signed by a stranger', unsigned, () => statement({ by: stranger() })],
    [
      'with another invitation',
      /not the one that was signed/,
      () => tampered({ invitation: base64(zeroSalt) }),
    ],
    ['with another name', /not the one that was signed/, () => tampered({ name: 'Mallory' })],
    ['that names nobody', /either a principal or/, () => statement({ says: { name: null, email: null } })],
    ['that is over', /it ended at/, () => statement({ says: { until: instant(-1000) } })],
    [
      'good for more than a week',
      /more than a week/,
      () => statement({ says: { until: instant(8 * dayMs) } }),
    ],
    [
      'signed more than a week ago',
      /more than a week/,
      () => statement({ at: -8 * dayMs, says: { until: instant(hourMs) } }),
    ],
    [
      'of another system',
      /not a revision of the namespace/,
      () => statement({ record: { subject: new Uint8Array(32).fill(9) } }),
    ],
    ['of another namespace', /not a revision/, () => statement({ record: { ns: 'other' } })],
    ['that lets nobody in', /lets nobody in/, () => statement({ command: 'namespace.update' })],
    ['that is none', /./, async () => ({ ...(await statement()), entry: 'AAAA' })],
  ];
  it.each(cases)('by one %s', async (_what, why, make) => {
    const { size } = office.ledger;
    const error = await recovery()
      .take(await make())
      .then(
        () => null,
        (problem: unknown) =>
          problem as { code?: string; problem?: string; message: string; detail?: string },
      );
    const isSigned = why.source !== unsigned.source;
    expect(error?.code ?? error?.problem).toBe(isSigned ? 'namespace_refused' : 'unauthorized');
    expect(error?.detail ?? error?.message).toMatch(why);
    expect(office.ledger.size - size).toBeLessThanOrEqual(1);
    expect([office.ledger.governing.namespace.rev, await office.count('principal.created')]).toEqual([0, 2]);
    expect(alarms).toEqual([]);
  });

  it.each(['namespace.create', 'namespace.recover', 'namespace.update'])(
    'by the newest revision of the namespace, which anybody may read, with a cause made up for it (%s)',
    async (command) => {
      await office.later(1000);
      const draft = await recovery().draft();
      const signed =
        command === 'namespace.create'
          ? { ...(await statement()), entry: draft.entry, document: base64(utf8(draft.document)) }
          : await statement({ command, says: { invitation: newInvitation() } });
      if (command === 'namespace.recover') await recovery().take(signed);
      if (command === 'namespace.update') await office.ledger.reviseNamespace(revisionOf(signed), false);
      const [people, told] = [await office.count('principal.created'), alarms.length];
      const credentials = await office.count('credential.created');
      const mine = { name: 'Mallory', email: null, invitation: newInvitation() };
      const { cause, lookup } = await statement({ says: mine });
      const handedIn = recovery().take({ ...withCause(signed, cause), lookup });
      await expect(handedIn).rejects.toThrow('the cause is not the one that was signed');
      expect(await office.count('principal.created')).toBe(people);
      expect(await office.count('credential.created')).toBe(credentials);
      expect(alarms).toHaveLength(told);
    },
  );

  it('by a made-up cause that asks who is administrator: every name is answered the same', async () => {
    const nobody = { principal: 'prn_00000000000000000000000000', name: null, email: null };
    const { cause } = await statement({ says: { ...nobody, invitation: newInvitation() } });
    await expect(recovery().take(withCause(await statement(), cause))).rejects.toThrow('not the one that');
  });

  it('by one that is handed in as an ordinary revision', async () => {
    const { lookup: _, ...signed } = await statement();
    const asked = { command: { type: 'namespace.update' }, why: null, wait: 'durable', waitMs: 0 } as const;
    const judgment = office.judgment('Ada', 'namespace.revise');
    await expect(office.mutations.reviseNamespace({ ...signed, ...asked }, judgment)).rejects.toMatchObject({
      code: 'namespace_refused',
      detail: expect.stringContaining('tally recover submit'),
    });
  });
});

describe('a server that lets somebody in as if the authority had said so is found', () => {
  beforeAll(openOffice);
  afterAll(closeOffice);

  const at = async (command: Parameters<typeof office.ledger.submit>[0]['command'], leaf: Uint8Array) => {
    const cause = { who: { kind: 'authority', id: 'namespace' }, why: null };
    const key = `forged ${Math.random()}`;
    const result = await office.ledger.submit({
      command,
      cause,
      request: { key, hash: leaf },
      dryRun: false,
    });
    if ('refused' in result) throw new Error(result.refused.message);
    return { index: result.changes[0]?.index ?? -1, id: result.changes[0]?.change.subject.id ?? '' };
  };

  it('where it makes more of a statement than it says, or one up', async () => {
    const signed = await statement();
    const { principal } = await recovery().take(signed);
    const leaf = leafHash(decodeBase64(signed.entry));
    const roles = [{ role: 'administrator' }];
    const mallory = { type: 'principal.create', kind: 'person', name: 'Mallory', roles } as const;
    const eve = { ...mallory, name: 'Eve Stone', email: 'eve@example.com' };
    const invitation = {
      type: 'credential.create',
      principal: principal ?? '',
      kind: 'invitation',
      name: 'Invitation',
      lookup: lookupOf('mine'),
      material: { hash: hashOfInvitation },
      notAfter: new Date(office.world.now() + hourMs).toISOString(),
      scope: { actions: ['credential.enroll'] },
    } as const;
    const forged = [
      await at({ ...mallory, roles: [...roles] }, leaf),
      await at({ ...eve, roles: [...roles] }, leaf),
      await at({ ...invitation, scope: { actions: [...invitation.scope.actions] } }, leaf),
      await at({ ...mallory, roles: [...roles] }, new Uint8Array(32)),
    ];
    expect(await findings()).toMatchObject(forged.map(({ index }) => ({ index, kind: 'undecided' })));
  });

  it('where it removes the documents of whom it let in', async () => {
    const signed = await statement({ says: { name: 'Zoe', invitation: newInvitation() } });
    await recovery().take(signed);
    const roles = [{ role: 'administrator' }];
    const mallory = { type: 'principal.create', kind: 'person', name: 'Mallory', roles } as const;
    const { index } = await at({ ...mallory, roles: [...roles] }, leafHash(decodeBase64(signed.entry)));
    const before = await findings();
    const { store } = office.world;
    const entries: typeof store.entries = async (from, count) =>
      (await store.entries(from, count)).map((entry) =>
        entry.index === index && entry.content !== null
          ? { ...entry, content: { ...entry.content, salt: null, document: null } }
          : entry,
      );
    const lacking = new Proxy(store, {
      get: (target, name) => (name === 'entries' ? entries : bound(target, name)),
    });
    expect(before.filter((finding) => 'index' in finding && finding.index === index)).toHaveLength(1);
    expect(await findings(lacking)).toEqual([
      ...before.filter((finding) => !('index' in finding) || finding.index !== index),
      { index, kind: 'undecided', message: expect.stringContaining('is gone') },
    ]);
  });

  it('where another invitation than the one that was signed for is made good', async () => {
    const before = await findings();
    const signed = await statement({ says: { invitation: newInvitation() } });
    const answer = await recovery().take({ ...signed, lookup: lookupOf('another') });
    expect((await findings()).slice(before.length)).toMatchObject([
      { kind: 'undecided', message: expect.stringContaining(`at ${answer.namespace}`) },
    ]);
  });
});
