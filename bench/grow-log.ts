import { setTimeout as after } from 'node:timers/promises';
import type { TestSystem } from '@tallystick/testkit';

const concurrent = 500;

/** Appends licenses until the log has `size` entries; every tenth one is suspended. */
export async function growLog(system: TestSystem, size: number, log: (line: string) => void): Promise<void> {
  let told = system.ledger.size;
  while (system.ledger.size < size) {
    const issued = await Promise.all(
      Array.from({ length: concurrent }, (_, nth) =>
        system.run({
          type: 'license.issue',
          plan: 'pro-yearly',
          licensee: 'Contoso GmbH',
          companion: { order: `O-${nth}`, price: 4900, currency: 'EUR' },
        }),
      ),
    );
    await Promise.all(
      issued
        .filter((_, nth) => nth % 10 === 0)
        .map(({ changes }) =>
          system.run({
            type: 'license.suspend',
            license: changes[0]?.change.subject.id ?? '',
            reason: 'payment',
          }),
        ),
    );
    // Everything here happens in this process: without a turn of its own, nothing would ever be published.
    await after(1);
    if (system.ledger.size - told >= 100_000) {
      told = system.ledger.size;
      log(`${told.toLocaleString('en-US')} entries made`);
    }
  }
  await system.ledger.whenPublished(system.ledger.size, 60_000);
}
