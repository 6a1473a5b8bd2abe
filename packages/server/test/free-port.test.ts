import { freePort } from '@tallystick/server';
import { expect, it } from 'vitest';

it('gives everybody who asks at the same time a port of their own', async () => {
  for (let round = 0; round < 10; round++) {
    const ports = await Promise.all(Array.from({ length: 40 }, freePort));
    expect(new Set(ports).size).toBe(ports.length);
  }
});
