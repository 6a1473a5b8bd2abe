/** Files that are replaced as a whole: the trust root, the description of a system, and the public keys of its namespace. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runShortOfDisk } from '@tallystick/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { writeWhole } from '../src/write-whole.ts';

const program = `
  const [file] = process.argv.slice(1);
  const { writeWhole } = await import('${join(import.meta.dirname, '..', 'src', 'write-whole.ts')}');
  writeWhole(file, 'new'.repeat(1000));
`;

const folder = mkdtempSync(join(tmpdir(), 'tally-whole-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that is written as a whole', () => {
  it('stays the old one where the disk is full before all of the new one is written', () => {
    const file = join(folder, 'trust-root.json');
    writeWhole(file, 'old');
    expect(runShortOfDisk(4, program, file)).toMatch(/EFBIG|ENOSPC/);
    expect(readFileSync(file, 'utf8')).toBe('old');
  });
});
