import { inflateSync } from 'node:zlib';
import { custodyLimits, type TrustRoot, utf8, verifyTrustChain } from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { custodyLines, custodyPdf, type ProvenCustody, verifyCustody } from '../src/index.ts';

let system: TestSystem;
let pin: TrustRoot[];
let report: Uint8Array;
let proven: ProvenCustody;

const hostile = {
  /** Turns the direction of what follows it. */
  turned: 'Contoso\u202eexe.fdp GmbH',
  hidden: 'Con\u200btoso\u2066 AG\u2069',
  foreign: '株式会社コントソ',
  long: 'N'.repeat(180),
  slash: 'C:\\u{202e}',
};

beforeAll(async () => {
  system = await TestSystem.start();
  await system.sellPro();
  pin = await verifyTrustChain([system.world.identity.trustRoot]);
  const { changes } = await system.run({
    type: 'license.issue',
    plan: 'pro-yearly',
    licensee: hostile.turned,
    metadata: { hidden: hostile.hidden, foreign: hostile.foreign, long: hostile.long, slash: hostile.slash },
  });
  const id = changes[0]!.change.subject.id;
  await system.run({
    type: 'license.suspend',
    license: id,
    reason: 'payment',
    message: 'Pay (first) \\ then call',
  });
  [report, proven] = await reportOn(id);
});
afterAll(() => system[Symbol.asyncDispose]());

async function reportOn(id: string): Promise<[Uint8Array, ProvenCustody]> {
  const bytes = utf8(await system.ledger.custody(id));
  const verification = await verifyCustody(bytes, pin);
  expect(verification.findings).toEqual([]);
  return [bytes, verification.proven!];
}

/** The text that the pages of a PDF draw. */
function drawn(pdf: Uint8Array): string {
  const bytes = Buffer.from(pdf);
  const pages: string[] = [];
  for (let at = bytes.indexOf('stream\n'); at >= 0; at = bytes.indexOf('stream\n', at + 7)) {
    const end = bytes.indexOf('\nendstream', at);
    if (end > at && bytes.subarray(at - 3, at).toString('latin1') !== 'end') {
      pages.push(inflateSync(bytes.subarray(at + 7, end)).toString('latin1'));
    }
  }
  const words = pages.join('\n').matchAll(/\[((?:<[0-9a-f]*>|[ \d.-])+)\] TJ/g);
  return [...words]
    .map(([, parts = '']) =>
      Buffer.from([...parts.matchAll(/<([0-9a-f]*)>/g)].map(([, hex]) => hex).join(''), 'hex').toString(
        'latin1',
      ),
    )
    .join('\n');
}

describe('a custody report as a PDF', () => {
  it('is the same bytes for the same report, and names it by its hash', async () => {
    const [first, second] = [await custodyPdf(proven, report), await custodyPdf(proven, report)];
    expect(Buffer.compare(Buffer.from(first), Buffer.from(second))).toBe(0);
    const sha256 = Buffer.from(await crypto.subtle.digest('SHA-256', new Uint8Array(report))).toString('hex');
    expect(drawn(first)).toContain(sha256);
    const other = await custodyPdf(proven, utf8('another report'));
    expect(Buffer.compare(Buffer.from(first), Buffer.from(other))).not.toBe(0);
  });

  it('shows what is hostile in a name, and hides nothing of it', async () => {
    const text = drawn(await custodyPdf(proven, report)).replaceAll('\n', '');
    expect(text).toContain('Contoso\\u{202e}exe.fdp GmbH');
    expect(text).toContain('Con\\u{200b}toso\\u{2066} AG\\u{2069}');
    expect(text).toContain('\\u{682a}\\u{5f0f}');
    expect(text.replace(/\s/g, '')).toContain(hostile.long);
    expect(text).toContain('C:\\\\u{202e}');
    expect(text).toContain('Pay (first) \\\\ then call');
  });

  it('says who, why, under which key, and what is missing', async () => {
    const text = drawn(await custodyPdf(proven, report));
    for (const part of [
      'Revision 1: license.suspended',
      'test test',
      'no reason was given',
      'valid from entry',
    ])
      expect(text).toContain(part);
    expect(text).toContain('reads_not_shown');
  });
});

describe('a custody report as text', () => {
  it('moves no cursor and turns no line', () => {
    const lines = custodyLines(proven, report);
    for (const line of lines) expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u);
    const text = lines.join('\n');
    expect(text).toContain('Contoso\\u{202e}exe.fdp GmbH');
    expect(text).toContain(hostile.foreign);
    expect(text).toMatch(/status\.state +suspended, before: active/);
  });
});

describe('a license with a thousand revisions', () => {
  it('is reported, verified and printed whole', { timeout: 120_000 }, async () => {
    const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' });
    const id = changes[0]!.change.subject.id;
    const amend = (nth: number) =>
      system.run({ type: 'license.amend', license: id, metadata: { nth: String(nth) } });
    for (let nth = 1; nth < 1000; nth++) await amend(nth);
    await system.ledger.whenPublished(system.ledger.size, 10_000);
    const [bytes, found] = await reportOn(id);
    expect(found.revisions).toHaveLength(1000);
    expect(bytes.length).toBeLessThan(custodyLimits.bytes / 8);
    const [newest] = found.revisions.slice(-1);
    expect(drawn(await custodyPdf(found, bytes))).toContain(`Revision ${newest!.rev}: license.amended`);
  });
});
