import { expect, vi } from 'vitest';

/** Chaos and endurance tests run whole systems many times over; ten minutes is their limit. */
const slowTestTimeoutMs = 600_000;

// Vitest loads this file before each test file, and a change of configuration holds for that file alone.
if (expect.getState().testPath?.endsWith('.slow.test.ts') === true) {
  vi.setConfig({ testTimeout: slowTestTimeoutMs, hookTimeout: slowTestTimeoutMs });
}
