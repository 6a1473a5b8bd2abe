import { addDuration, compareInstants } from '@tallystick/license';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { droppable } from '../src/ledger-thread/gate/check-drop.ts';

const day = '2026-11-26T12:00:00.000Z';

it('drops what is old enough as far as the log says, and no further', () => {
  expect(droppable('2026-01-01T00:00:00.000Z', day, 'P90D')).toBe('2026-01-01T00:00:00.000Z');
  expect(droppable(day, day, 'P90D')).toBe('2026-08-28T12:00:00.000Z');
});

it('keeps what this host protects, whatever another server let through', () => {
  const instant = fc.date({
    min: new Date('2020-01-01'),
    max: new Date('2030-01-01'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(
      instant,
      instant,
      fc.constantFrom('PT1S', 'P90D', 'P1M', 'P11M', 'P2Y'),
      (before, now, keepAtLeast) => {
        const at = now.toISOString();
        const upTo = droppable(before.toISOString(), at, keepAtLeast);
        expect(compareInstants(upTo, before.toISOString())).toBeLessThanOrEqual(0);
        expect(compareInstants(addDuration(upTo, keepAtLeast), at)).toBeLessThanOrEqual(0);
      },
    ),
  );
});
