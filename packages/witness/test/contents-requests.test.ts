/** What callers signed, at a mirror of documents: kept behind its cause, checked, and gone with an erasure. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlainPart, partKinds } from '../src/index.ts';
import { ContentMirror } from './support/content-mirror.ts';
import { customerId, DocumentedLog } from './support/documented-log.ts';
import { licenseId } from './support/test-log.ts';

let log: DocumentedLog;
let mirror: ContentMirror;
const personal = 'Erika Mustermann';
/** Log index of a command that was signed for. */
let signed: number;

beforeAll(async () => {
  log = new DocumentedLog().bootstrap();
  log.issue(1);
  signed = log.signed('a sale', { id: licenseId(2), type: 'license.issued', text: 'Contoso' });
  log.pushMapRoot();
  mirror = await ContentMirror.start(log);
});
afterAll(() => mirror[Symbol.asyncDispose]());

const sealedRequest = (index: number): Uint8Array | null => mirror.sealed(index, partKinds.request);

describe('what was signed for a command', () => {
  it.each([true, false])(
    'is held, and gone with the checkpoint that covers its erasure (with the key: %s)',
    async (opens) => {
      await mirror.begin(opens);
      const customer = customerId(opens ? 3 : 4);
      const first = log.signed(
        `${personal} is here`,
        { id: customer, type: 'customer.created', text: personal },
        { id: licenseId(opens ? 5 : 6), type: 'license.issued', text: 'nobody' },
      );
      log.pushMapRoot();
      await mirror.follow();
      const held = sealedRequest(first);
      expect([held === null, sealedRequest(signed) === null]).toEqual([false, false]);
      const text = Buffer.from(held ?? [])
        .toString('latin1')
        .slice(5, 40);
      expect(mirror.files().includes(text)).toBe(true);
      const served = mirror.setup.server.contents;
      mirror.setup.server.contents = async () => null;
      const erasing = log.signed('erase', { id: customer, type: 'customer.erased', text: '' });
      log.pushMapRoot();
      await mirror.setup.add();
      expect([sealedRequest(first), sealedRequest(signed) === null]).toEqual([null, false]);
      expect(mirror.files().includes(text)).toBe(false);
      // The server has them no more, and none of the command that erased.
      log.shred(first);
      log.requests.delete(erasing);
      mirror.setup.server.contents = served;
      await mirror.follow();
      await mirror.begin(opens);
      await mirror.until(() => mirror.status.fetched === log.size);
      expect([mirror.status.lacks, mirror.told('content-lacking')]).toEqual([0, []]);
      expect([sealedRequest(first), sealedRequest(signed) === null]).toEqual([null, false]);
    },
  );

  it('that comes late, from a server that still has it, is not kept', async () => {
    const customer = customerId(7);
    const created = { id: customer, type: 'customer.created', text: personal };
    const first = log.signed(personal, created);
    const request = log.requests.get(first) as NonNullable<ReturnType<DocumentedLog['requests']['get']>>;
    log.command({ id: customer, type: 'customer.erased', text: '' });
    log.pushMapRoot();
    log.shred(first);
    log.requests.set(first, request);
    await mirror.follow();
    expect([sealedRequest(first), mirror.status.lacks]).toEqual([null, 0]);
    log.requests.delete(first);
  });
});

const without = (parts: PlainPart[]): PlainPart[] => parts.filter((part) => !('request' in part));

describe("a log's server", () => {
  it.each([
    [
      'alters what was signed',
      'content-altered',
      /the signed request or its salt is not what the cause commits to/,
      (parts: PlainPart[]) =>
        parts.map((part) =>
          'request' in part ? { ...part, request: { ...part.request, salt: new Uint8Array(32) } } : part,
        ),
    ],
    ['leaves out what was signed', 'content-lacking', /what was signed for it, and no erasure/, without],
    [
      'adds something signed where nobody signed',
      'content-altered',
      /there is a signed request, and no cause that commits to one/,
      (parts: PlainPart[]) => {
        const request = { salt: new Uint8Array(32), bytes: new Uint8Array(3) };
        return parts.flatMap((part) =>
          part.index === signed - 1 && 'cause' in part ? [part, { index: part.index, request }] : [part],
        );
      },
    ],
  ] as const)('that %s is told of, and given another chance', async (_what, event, message, lie) => {
    mirror.lie = lie;
    await mirror.begin();
    await mirror.until(() => mirror.told(event).length > 0);
    expect(mirror.told(event)[0]).toMatch(message);
    mirror.lie = (parts) => parts;
    await mirror.setup.restart();
    await mirror.until(() => mirror.status.lacks === 0);
    expect(sealedRequest(signed)).not.toBeNull();
  });
});
