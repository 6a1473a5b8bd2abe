import type { LogRecord } from '@tallystick/core';

export const origin = 'tally.example/log';
export const at = '2026-03-01T12:00:00.000Z';

/** A well-formed record; 32-byte values are arbitrary. */
export function record(type: string, changes: Partial<LogRecord> = {}): LogRecord {
  const bytes = (value: number): Uint8Array => new Uint8Array(32).fill(value);
  const base = {
    ns: 'acme',
    type,
    subject: bytes(1),
    rev: 0,
    prev: null,
    doc: bytes(2),
    cause: bytes(3),
    at,
  };
  return { ...base, ...changes };
}
