/** Idempotency keys of an import: the same import and the same row ask for the same thing, however often. */
import { createHash } from 'node:crypto';

export type ImportStep = 'product' | 'plan' | 'customer' | 'license';

/** 64 hex digits. `subject` is the key of the row; for customers their reference, which several rows may share. */
export function idempotencyKey(importName: string, step: ImportStep, subject: string): string {
  return createHash('sha256')
    .update(JSON.stringify(['tally import 1', importName, step, subject]))
    .digest('hex');
}
