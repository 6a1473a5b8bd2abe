/** Erasures at a mirror of documents: with the checkpoint that covers them, and whatever comes late. */
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentMirror } from './support/content-mirror.ts';
import { customerId, DocumentedLog } from './support/documented-log.ts';
import { bearer, pathOf } from './support/mirror-setup.ts';
import { licenseId } from './support/test-log.ts';

const licenses = 30;
let log: DocumentedLog;
let mirror: ContentMirror;

beforeAll(async () => {
  log = DocumentedLog.withLicenses(licenses);
  mirror = await ContentMirror.start(log);
});

afterAll(() => mirror[Symbol.asyncDispose]());

describe('an erasure', () => {
  const personal = 'Erika Mustermann';
  const customer = customerId(1);
  const license = licenseId(licenses + 1);

  it.each([true, false])(
    'reaches the mirror with the checkpoint that covers it (with the key: %s)',
    async (opens) => {
      await mirror.begin(opens);
      const first = log.command({
        id: customer,
        type: log.map.head(log.subject(customer)) === undefined ? 'customer.created' : 'customer.updated',
        text: personal,
      });
      const issued = log.command({
        id: license,
        type: log.map.head(log.subject(license)) === undefined ? 'license.issued' : 'license.amended',
        text: personal,
      });
      log.pushMapRoot();
      await mirror.follow();
      const held = (index: number): boolean => mirror.sealed(index) !== null;
      expect([held(first), held(issued)]).toEqual([true, true]);
      const sealed = Buffer.from(mirror.sealed(issued) ?? [])
        .toString('latin1')
        .slice(20, 60);
      // The log's server does not answer any more: nothing of this depends on it.
      const served = mirror.setup.server.contents;
      mirror.setup.server.contents = async () => null;
      log.command(
        { id: customer, type: 'customer.erased', text: '' },
        { id: license, type: 'license.amended', text: 'nobody' },
      );
      log.pushMapRoot();
      await mirror.setup.add();
      expect([held(first), held(issued)]).toEqual([false, false]);
      expect(mirror.files().includes(sealed)).toBe(false);
      const answer = mirror.bundle(license);
      expect(answer?.body).not.toContain(personal);
      expect(answer?.status).not.toBe(200);
      // What was on its way when it was erased is not kept.
      log.shred(first, issued);
      mirror.setup.server.contents = served;
      await mirror.follow();
      expect(mirror.status.lacks).toBe(0);
      if (opens) {
        const now = mirror.bundle(license);
        expect((await mirror.verified(now?.body ?? '')).license?.json).toMatchObject({ licensee: 'nobody' });
      }
      await mirror.begin(opens);
      await mirror.until(() => mirror.status.fetched === log.size);
      expect([held(first), mirror.status.lacks, mirror.told('content-lacking')]).toEqual([false, 0, []]);
    },
  );

  it('that comes while a document is on its way is not undone by it', async () => {
    const [other, text] = [customerId(2), 'Max Mustermann'];
    const first = log.command({ id: other, type: 'customer.created', text });
    log.pushMapRoot();
    const { server } = mirror.setup;
    const served = server.contents;
    let isAsked = false;
    let answer: () => void = () => {};
    server.contents = async (from, to) => {
      const bytes = await served(from, to);
      isAsked = true;
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return bytes;
    };
    await mirror.setup.add();
    await mirror.until(() => isAsked);
    log.command({ id: other, type: 'customer.erased', text: '' });
    log.pushMapRoot();
    await mirror.setup.add();
    server.contents = served;
    // Whoever asks meanwhile has it carried out before the document is there.
    mirror.setup.replayer.read?.(pathOf('contents/0'), bearer);
    answer();
    log.shred(first);
    await mirror.follow();
    await after(20);
    expect(mirror.sealed(first)).toBeNull();
    expect(mirror.status.lacks).toBe(0);
  });
});
