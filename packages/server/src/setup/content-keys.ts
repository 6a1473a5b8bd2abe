/** Whom documents are sealed to, in the description of a system: its server takes it in at its next start. */
import { writeWhole } from '../write-whole.ts';
import type { Layout } from './layout.ts';
import { readSystemFile } from './system-file.ts';

/** Content keys of mirrors, base64, by the id of the principal that fetches documents. */
export function contentKeysOf({ system }: Layout): Record<string, string> {
  return readSystemFile({ system }).contentKeys ?? {};
}

/** Replaces all of them. On disk before it returns. */
export function writeContentKeys({ system }: Layout, contentKeys: Record<string, string>): void {
  const { contentKeys: _, ...rest } = readSystemFile({ system });
  const isAny = Object.keys(contentKeys).length > 0;
  writeWhole(system, `${JSON.stringify(isAny ? { ...rest, contentKeys } : rest, null, 2)}\n`);
}
