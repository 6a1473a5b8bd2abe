/** How fast a replayer catches up, beside what the machine's signature checks alone would allow. */

import {
  isSignedBy,
  type PublicKey,
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
} from '@tallystick/core';
import { expect, it } from 'vitest';
import { ReplaySetup } from './support/replay-setup.ts';
import { licenseId, TestLog } from './support/test-log.ts';

const licenses = 25_000;
const workers = 2;

/** Processor time of this process and its threads, in microseconds. */
function processorUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Processor time of one check, in microseconds. */
async function verifyUs(key: PublicKey, entry: Uint8Array): Promise<number> {
  const { envelope } = parseRecordEntry(entry);
  const message = preAuthEncoding(payloadTypes.record, envelope.payload);
  const { sig } = envelope.signatures[0]!;
  const count = 5000;
  const start = processorUs();
  for (let n = 0; n < count; n++) expect(await isSignedBy(key, message, sig)).toBe(true);
  return (processorUs() - start) / count;
}

// Processor time rather than the clock's is compared: other work on the machine slows both, but not alike.
it('is bound by signature checks, not by what is around them', async () => {
  const log = new TestLog().bootstrap();
  for (let n = 0; n < licenses; n++) {
    log.pushLicense(licenseId(n));
    if (n % 500 === 499) log.pushMapRoot();
  }
  log.pushMapRoot();
  await using setup = await ReplaySetup.start(log, workers);
  await setup.add(504);
  const checkUs = await verifyUs(log.keys.license, log.entries[3]!);
  const count = log.size - 504;
  const start = performance.now();
  const startUs = processorUs();
  await setup.add();
  const entryUs = (processorUs() - startUs) / count;
  const rate = (count / (performance.now() - start)) * 1000;
  await setup.close();
  const restart = performance.now();
  await setup.restart();
  const rowRate = (log.size / (performance.now() - restart)) * 1000;
  console.log(
    `replayed ${Math.round(rate)} entries/s with ${workers} threads, ${entryUs.toFixed(0)} us of processor time an ` +
      `entry, of which ${checkUs.toFixed(0)} us check a signature; rebuilt ${Math.round(rowRate)} rows/s`,
  );
  expect(entryUs).toBeLessThan(3 * checkUs);
});
