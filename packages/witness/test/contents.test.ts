/** Mirrors that follow documents: what they hold and hand out, with the key and without, and what they make of lies. */
import { join } from 'node:path';
import { decodeUtf8 } from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  batchKeyOf,
  ConfigError,
  createContentKey,
  decodeContent,
  loadContentKey,
  openPart,
  type PlainPart,
  parseBatches,
  partKinds,
} from '../src/index.ts';
import { ContentMirror } from './support/content-mirror.ts';
import { customerId, DocumentedLog } from './support/documented-log.ts';
import { bearer, pathOf } from './support/mirror-setup.ts';
import { licenseId } from './support/test-log.ts';

const licenses = 260;
let log: DocumentedLog;
let mirror: ContentMirror;

beforeAll(async () => {
  log = DocumentedLog.withLicenses(licenses);
  mirror = await ContentMirror.start(log);
  await mirror.follow();
});

afterAll(() => mirror[Symbol.asyncDispose]());

describe('a mirror with the content key', () => {
  it('hands out license files that clients verify, also after a restart, and of none that there is none', async () => {
    for (const n of [0, 7, licenses - 1]) {
      const answer = mirror.bundle(licenseId(n));
      expect(answer?.status).toBe(200);
      const proven = await mirror.verified(answer?.body ?? '');
      expect(proven.license?.json).toMatchObject({ id: licenseId(n), licensee: `Licensee ${n}` });
      expect(answer?.body).not.toContain('TALLY-');
    }
    await mirror.setup.restart();
    const never = mirror.bundle(licenseId(licenses + 7));
    expect(never?.status).toBe(200);
    expect((await mirror.verified(never?.body ?? '')).license).toBeNull();
    expect(mirror.bundle(licenseId(1))?.status).toBe(200);
    expect(mirror.status).toMatchObject({
      fetched: log.size,
      lacks: 0,
      opens: true,
      refused: 0,
      secondsBehind: 0,
    });
  });

  it('hands them out to its readers alone, and no document of anything else', async () => {
    for (const id of [licenseId(0), licenseId(licenses + 7)]) {
      for (const authorization of ['', 'Bearer wrong'])
        expect(mirror.bundle(id, { authorization })).toMatchObject({ status: 401 });
    }
    expect(mirror.setup.replayer.read?.(pathOf('contents/0'), '')?.status).toBe(401);
    for (const id of [customerId(0), 'namespace', 'brake', 'lic_x', `${licenseId(0)}/x`])
      expect(mirror.bundle(id)?.status).toBe(404);
    const elsewhere = mirror.setup.replayer.read?.(pathOf(`bundle/other/${licenseId(0)}`), bearer);
    expect(elsewhere?.status).toBe(404);
  });

  it('goes on with what is issued, and says that it is not published yet before that is so', async () => {
    log.issue(licenses);
    log.pushMapRoot();
    await mirror.setup.add();
    expect(mirror.bundle(licenseId(licenses))?.status).toBe(503);
    const before = mirror.bundle(licenseId(3));
    expect((await mirror.verified(before?.body ?? '')).anchor.size).toBe(log.size - 2);
    await mirror.follow();
    const answer = mirror.bundle(licenseId(licenses));
    expect((await mirror.verified(answer?.body ?? '')).anchor.size).toBe(log.size);
  });

  it('goes on where it was stopped in the middle of fetching', async () => {
    mirror.asked.length = 0;
    const { setup } = mirror;
    const served = setup.server.contents;
    setup.server.contents = async (from, to) => (from > 0 ? null : served(from, Math.min(to, 100)));
    await mirror.begin();
    await mirror.until(() => mirror.status.fetched === 100);
    setup.server.contents = served;
    await setup.restart();
    await mirror.until(() => mirror.status.fetched === log.size);
    expect(mirror.asked.filter(({ from }) => from < 100)).toHaveLength(1);
    expect(mirror.bundle(licenseId(50))?.status).toBe(200);
  });

  it('finds out by itself that its disk changed a document', async () => {
    await mirror.setup.close();
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(mirror.file);
    database.exec('UPDATE parts SET sealed = zeroblob(length(sealed)) WHERE place = 2 * 10');
    database.close();
    await mirror.setup.restart();
    const answer = mirror.bundle(licenseId(7));
    expect(answer).toMatchObject({ status: 409 });
    expect(answer?.body).toContain('was altered');
    await mirror.begin();
    await mirror.until(() => mirror.status.fetched === log.size);
  });
});

describe('a mirror without the key', () => {
  beforeAll(async () => {
    await mirror.begin(false);
    await mirror.until(() => mirror.status.fetched === log.size);
  });

  it('holds everything sealed, says so, and shows nothing', async () => {
    expect(mirror.status).toMatchObject({ opens: false, lacks: 0 });
    const answer = mirror.bundle(licenseId(7));
    expect(answer).toMatchObject({ status: 409 });
    expect(answer?.body).toContain('has not got the key');
    expect(mirror.files()).not.toContain('Licensee');
  });

  it('hands on what whoever has the key can open, each part by itself', async () => {
    const answer = mirror.setup.replayer.read?.(pathOf('contents/0'), bearer);
    const [batch, ...others] = parseBatches(answer?.body as Uint8Array);
    expect(others).toEqual([]);
    const key = batchKeyOf(
      batch?.header.enc ?? new Uint8Array(0),
      loadContentKey(mirror.keyFile),
      log.genesis,
    );
    const part = batch?.parts.find(({ index, kind }) => index === 150 && kind === partKinds.content);
    const content = decodeContent(openPart(key, partKinds.content, 150, part?.sealed ?? new Uint8Array(0)));
    expect(decodeUtf8(content.document)).toBe(
      decodeUtf8(log.contents.get(150)?.document ?? new Uint8Array(0)),
    );
    const pastEnd = Math.ceil(log.size / 256);
    expect(mirror.setup.replayer.read?.(pathOf(`contents/${pastEnd}`), bearer)?.status).toBe(404);
  });

  it('does not start with a key of somebody else, or on the documents of another key', async () => {
    const other = join(mirror.setup.folder, 'other.key');
    const publicKey = createContentKey(other);
    await mirror.setup.close();
    mirror.configure(true, { keyFile: other });
    await expect(mirror.setup.restart()).rejects.toThrow(/other.key is the content key/);
    mirror.configure(false, { publicKey });
    await expect(mirror.setup.restart()).rejects.toThrow(ConfigError);
    mirror.configure(true, { keyFile: join(mirror.setup.folder, 'none') });
    await expect(mirror.setup.restart()).rejects.toThrow(ConfigError);
    mirror.configure(true);
    await mirror.setup.restart();
  });
});

const lied = 20;
const at = (parts: PlainPart[], index: number): PlainPart & { content: NonNullable<unknown> } =>
  parts.find((part) => part.index === index && 'content' in part) as never;

/** Lies about one document: it alone is not kept, and the mirror raises an alarm. */
const alterations: { what: string; message: RegExp; lie: (parts: PlainPart[]) => PlainPart[] }[] = [
  {
    what: 'an altered document',
    message: /the document or its salt is not/,
    lie: (parts) => changed(parts, lied, (content) => ({ ...content, document: flipped(content.document) })),
  },
  {
    what: 'another salt',
    message: /the document or its salt is not/,
    lie: (parts) => changed(parts, lied, (content) => ({ ...content, salt: flipped(content.salt) })),
  },
  {
    what: 'an altered companion',
    message: /the companion or its salt is not/,
    lie: (parts) =>
      changed(parts, lied, (content) => ({
        ...content,
        companion: flipped(content.companion ?? new Uint8Array(1)),
      })),
  },
  {
    what: 'a document without its companion',
    message: /the companion is missing/,
    lie: (parts) => changed(parts, lied, (content) => ({ ...content, companion: null, companionSalt: null })),
  },
  {
    what: 'a document filed under another id',
    message: /filed under another subject/,
    lie: (parts) => changed(parts, lied, (content) => ({ ...content, id: licenseId(1) })),
  },
  {
    what: 'an older document in place of a newer one',
    message: /the document or its salt is not/,
    lie: (parts) => changed(parts, lied, () => log.contents.get(lied - 1) as Content),
  },
];

type Content = NonNullable<ReturnType<DocumentedLog['contents']['get']>>;

function changed(parts: PlainPart[], index: number, change: (content: Content) => Content): PlainPart[] {
  return parts.map((part) =>
    part.index === index && 'content' in part && part.content !== null
      ? { index, content: change(part.content) }
      : part,
  );
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
  return copy;
}

describe("a log's server that lies", () => {
  it.each(alterations)('with $what is caught at that part alone', async ({ lie, message }) => {
    mirror.lie = lie;
    await mirror.begin();
    await mirror.until(() => mirror.status.fetched === log.size);
    expect(mirror.told('content-altered')).toEqual([expect.stringMatching(message)]);
    expect(mirror.status.lacks).toBe(1);
    expect(mirror.bundle(licenseId(lied - 3))).toMatchObject({ status: 409 });
    expect(mirror.bundle(licenseId(lied - 2))?.status).toBe(200);
    // It has the truth again: after a start everything that lacks is asked for.
    mirror.lie = (parts) => parts;
    await mirror.setup.restart();
    await mirror.until(() => mirror.status.lacks === 0);
    expect(mirror.bundle(licenseId(lied - 3))?.status).toBe(200);
  });

  it('or has lost much for good, keeps no other document from coming back that it has again', async () => {
    const without = (parts: PlainPart[], isLost: (index: number) => boolean): PlainPart[] =>
      parts.map((part) =>
        'content' in part && isLost(part.index) ? { index: part.index, content: null } : part,
      );
    const isLostForGood = (index: number): boolean => index >= 3 && index < 43;
    mirror.lie = (parts) => without(parts, (index) => isLostForGood(index) || index === 60);
    await mirror.begin();
    await mirror.until(() => mirror.status.fetched === log.size);
    expect(mirror.status.lacks).toBe(41);
    mirror.lie = (parts) => without(parts, isLostForGood);
    for (let times = 0; times < 2; times++) {
      const before = mirror.asked.length;
      mirror.setup.now += 601;
      await mirror.until(() => mirror.asked.length >= before + 9);
    }
    await mirror.until(() => mirror.asked.some(({ from, to }) => from === 60 && to === 61));
    await mirror.until(() => mirror.status.lacks === 40);
    mirror.lie = (parts) => parts;
  });

  it('by saying that a document is gone which nothing erased is told of', async () => {
    mirror.lie = (parts) =>
      parts.map((part) => (part === at(parts, lied) ? { index: lied, content: null } : part));
    await mirror.begin();
    await mirror.until(() => mirror.told('content-lacking').length > 0);
    expect(mirror.told('content-lacking')[0]).toMatch(/has not got the document, and no erasure says why/);
    expect(mirror.bundle(licenseId(lied - 3))?.body).toContain('lacks the document');
    mirror.lie = (parts) => parts;
  });

  it.each([
    [
      'leaves a document out',
      /lacks what belongs to record 20$/,
      () => (parts: PlainPart[]) => parts.filter((part) => part !== at(parts, lied)),
    ],
    [
      'leaves a cause out',
      /lacks what belongs to record 20 cause$/,
      () => (parts: PlainPart[]) => parts.filter((part) => part.index !== lied || 'content' in part),
    ],
    ['cuts a batch short', /lacks what belongs to record/, () => (parts: PlainPart[]) => parts.slice(0, -3)],
    [
      'adds something',
      /more than the log/,
      () => (parts: PlainPart[]) => [...parts, { index: log.size - 1, content: null }],
    ],
  ] as const)('and %s is given nothing to go on with', async (_what, message, lie) => {
    mirror.lie = lie();
    await refused(message);
  });

  async function refused(message: RegExp): Promise<void> {
    await mirror.begin();
    await mirror.until(() => mirror.told('content-stopped').length > 0);
    expect(mirror.told('content-stopped')[0]).toMatch(message);
    expect(mirror.status.fetched).toBe(0);
    // Cosigning does not wait for documents.
    expect(mirror.setup.replayer.status()[0]).toMatchObject({ size: log.size, refused: null });
    mirror.lie = (parts) => parts;
  }

  it('or seals to another key, for another log, another range or nonsense is refused', async () => {
    const { server } = mirror.setup;
    const served = server.contents;
    const other = createContentKey(join(mirror.setup.folder, 'another.key'));
    const range = { from: 0, to: log.size };
    const answers: [RegExp, () => Uint8Array | Promise<Uint8Array>][] = [
      [/sealed to the content key/, () => log.sealed(other, range)],
      [
        /sealed to another key or for another log/,
        () => log.sealed(mirror.publicKey, range, undefined, new Uint8Array(32)),
      ],
      [/it is of others/, () => log.sealed(mirror.publicKey, { from: 1, to: log.size })],
      [/cannot be read as a batch/, () => new Uint8Array(99).fill(7)],
      [/cannot be read as a batch/, () => log.sealed(mirror.publicKey, range).slice(0, -1)],
      [
        /sealed to another key or for another log/,
        () => {
          const bytes = log.sealed(mirror.publicKey, range);
          bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
          return bytes;
        },
      ],
    ];
    for (const [message, answer] of answers) {
      server.contents = async () => answer();
      await refused(message);
    }
    server.contents = served;
    await mirror.begin();
    await mirror.until(() => mirror.status.fetched === log.size);
  });
});
