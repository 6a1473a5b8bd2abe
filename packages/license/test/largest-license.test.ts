import { describe, expect, it } from 'vitest';
import { decide, encodeDocument, type LicenseDocument } from '../src/index.ts';
import { HASH, soldWorld } from './world.ts';

/** Four bytes each. */
const longest = '𝔛'.repeat(200);

function issueOf(bytes: number) {
  const metadata: Record<string, string> = {};
  for (let rest = bytes, at = 10; rest > 0; rest -= 400, at++)
    metadata[`k${at}`] = 'x'.repeat(Math.min(rest, 400));
  return { type: 'license.issue', plan: 'forever', metadata } as const;
}

/** With all that the ledger fills in, and numbers as long as they get; throws where that does not fit. */
function filledIn({ document }: { document: object }): string {
  const most = Number.MAX_SAFE_INTEGER;
  const license = document as LicenseDocument;
  return encodeDocument({ ...license, rev: most, epoch: most, generation: most, private: HASH });
}

describe('the largest license that is sold', () => {
  it('can be given away, suspended, revoked and replaced, each with as much to say as there may be', () => {
    const world = soldWorld();
    let bytes = 16_000;
    while (!decide(world, issueOf(bytes), world.environment()).ok) bytes -= 1;
    const { id: license } = world.license(issueOf(bytes));
    const steps = [
      { type: 'license.transfer', license, customer: 'contoso', licensee: longest },
      { type: 'license.suspend', license, reason: 'requested', message: longest },
      { type: 'license.revoke', license, reason: 'mistake', message: longest },
      { type: 'license.replace', license, by: world.license({ type: 'license.issue', plan: 'pro' }).id },
    ] as const;
    for (const step of steps)
      for (const change of world.do(step)) expect(filledIn(change)).toContain('license');
  });
});
