/** A note in the data folder that a policy set was held against what was decided, before it is put in force. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ShadowReport } from '@tallystick/audit';
import { writeFileAtomic } from '../files.ts';

export interface ShadowNote
  extends Pick<ShadowReport, 'policy' | 'schema' | 'size' | 'decisions' | 'flipped' | 'from' | 'to'> {
  v: 1;
  /** When, an instant. */
  at: string;
}

const fileIn = (folder: string): string => join(folder, 'policy-shadow.json');

export async function writeShadowNote(folder: string, report: ShadowReport, at: string): Promise<void> {
  const { policy, schema, size, decisions, flipped, from, to } = report;
  const note: ShadowNote = { v: 1, policy, schema, size, decisions, flipped, from, to, at };
  await writeFileAtomic(fileIn(folder), `${JSON.stringify(note)}\n`);
}

/** null where there is none that can be read. */
export function readShadowNote(folder: string): ShadowNote | null {
  try {
    return JSON.parse(readFileSync(fileIn(folder), 'utf8')) as ShadowNote;
  } catch {
    // Whatever stands there, it says nothing about this policy set.
    return null;
  }
}
