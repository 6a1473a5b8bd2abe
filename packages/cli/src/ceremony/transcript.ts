/**
 * The written record of a ceremony: one line for each thing done, in plain text, to be printed and signed.
 *
 *     2026-11-25T21:30:00.000Z sign by=alice version=2 payload=<sha256> key=<key id> file=… sha256=… after=<hash>
 *
 * `after` is the beginning of the hash of everything above the line, so that a line cannot be taken out or changed
 * without all the later ones.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { messageOf, usageError } from '../errors.ts';

export interface Deed {
  /** Milliseconds since 1970. */
  now: number;
  rehearsal: boolean;
  what: string;
  /** Who, as they call themselves. */
  by: string;
  /** Names and values, in order; white space in values becomes underscores. */
  facts: readonly (readonly [string, string | number])[];
}

export function sha256Text(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Appends and syncs one line. Throws a usage error where the file cannot be written. */
export function appendDeed(path: string, deed: Deed): void {
  try {
    const descriptor = openSync(path, 'a+', 0o644);
    try {
      const before = readFileSync(descriptor, 'utf8');
      // A line that was cut off by a crash stays, and ends here.
      const start = before === '' || before.endsWith('\n') ? '' : '\n';
      writeFileSync(descriptor, `${start}${lineOf(deed, before + start)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw usageError(
      `The transcript ${path} cannot be written: ${messageOf(error)}.`,
      'The step itself is done; write it down by hand, or repeat the command with another --transcript.',
    );
  }
}

function lineOf({ now, rehearsal, what, by, facts }: Deed, before: string): string {
  const after = before === '' ? 'nothing' : sha256Text(before).slice(0, 16);
  const words = [['by', by], ...facts, ['after', after]].map(
    ([name, value]) => `${name}=${String(value).replaceAll(/[\s\p{C}]+/gu, '_')}`,
  );
  const mark = rehearsal ? ['REHEARSAL'] : [];
  return [...mark, new Date(now).toISOString(), what, ...words].join(' ');
}
