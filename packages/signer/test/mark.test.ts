import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, emptyRoot, hex, parseTrustRoot } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mark, MarkError } from '../src/mark.ts';
import { scratchDirectory } from './support/scratch.ts';
import { TestTrust } from './support/trust.ts';

const origin = 'tally.example/log';
const rootOf = (size: number): Uint8Array => new Uint8Array(32).fill(size);
const at = (size: number): Checkpoint => ({ origin, size, root: rootOf(size) });
/** As plain values: a database gives its bytes back as another kind of array. */
const shown = ({ checkpoint }: Mark): unknown[] => [checkpoint.origin, checkpoint.size, hex(checkpoint.root)];
const expected = (size: number): unknown[] => [origin, size, hex(rootOf(size))];
let file: string;
let holder: ChildProcess | null = null;

beforeEach(() => {
  file = join(scratchDirectory(), 'mark.db');
  Mark.create(file, origin);
});

afterEach(() => {
  holder?.kill('SIGKILL');
  holder = null;
});

async function holdElsewhere(size: number): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'support/hold-mark.ts');
  holder = spawn(process.execPath, [script, file, origin, String(size)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout!, 'data');
  return holder;
}

describe('a mark', () => {
  it('begins at the empty log and remembers how far it was moved', () => {
    {
      using mark = Mark.open(file, origin);
      expect(shown(mark)).toEqual([origin, 0, hex(emptyRoot)]);
      for (const size of [3, 4, 4, 90]) mark.advance(at(size), null);
      expect(shown(mark)).toEqual(expected(90));
    }
    using mark = Mark.open(file, origin);
    expect(shown(mark)).toEqual(expected(90));
  });

  it('that cannot be written for now is not called damaged', () => {
    // What SQLite would write to first has no place.
    mkdirSync(`${file}-journal`);
    expect(() => Mark.open(file, origin)).toThrow(
      /mark\.db cannot be written \(.*\): see whether its disk is full, failing or read-only$/,
    );
    rmdirSync(`${file}-journal`);
    writeFileSync(file, 'no mark, and long enough to be looked at as one. '.repeat(100));
    expect(() => Mark.open(file, origin)).toThrow(`${file} is damaged`);
  });

  it('remembers the trust root, and is under no other from then on', () => {
    const trust = new TestTrust();
    const first = trust.root;
    const second = trust.next(first);
    const third = trust.next(second, { expires: '2037-01-01T00:00:00.000Z' });
    const other = trust.next(second, { expires: '2038-01-01T00:00:00.000Z' });
    const chain = (...envelopes: Uint8Array[]) => envelopes.map((envelope) => parseTrustRoot(envelope));
    {
      using mark = Mark.open(file, origin);
      mark.takeTrust(chain(first));
      mark.takeTrust(chain(first, second, third));
    }
    using mark = Mark.open(file, origin);
    expect(() => mark.takeTrust(chain(new TestTrust().root))).toThrow(MarkError);
    // What was never heard of may be replaced.
    mark.hear(2);
    expect(mark.takeTrust(chain(first, second, other))).toHaveLength(3);
    expect(mark.takeTrust(chain(first, second, third))).toHaveLength(3);
    mark.hear(3);
    mark.hear(1);
    expect(() => mark.takeTrust(chain(first, second, other))).toThrow(/version 3 .* not the one/);
    // A file that was put back takes nothing away.
    expect(mark.takeTrust(chain(first)).map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(mark.takeTrust([])).toHaveLength(3);
  });

  it('never goes back', () => {
    {
      using mark = Mark.open(file, origin);
      mark.advance(at(8), null);
      expect(() => mark.advance(at(7), null)).toThrow(/cannot go back/);
      expect(() => mark.advance({ origin, size: 0, root: emptyRoot }, null)).toThrow(/cannot go back/);
      expect(shown(mark)).toEqual(expected(8));
    }
    using mark = Mark.open(file, origin);
    expect(shown(mark)).toEqual(expected(8));
  });

  it('is made once and never made up where it is missing', () => {
    expect(() => Mark.create(file, origin)).toThrow(/one mark for its whole life/);
    const missing = join(scratchDirectory(), 'mark.db');
    expect(() => Mark.open(missing, origin)).toThrow(/is missing/);
    expect(existsSync(missing)).toBe(false);
  });

  it('of another log is refused', () => {
    expect(() => Mark.open(file, 'tally.example/other')).toThrow(/mark of another log/);
  });

  it('is held by one at a time, in this process', () => {
    {
      using _mark = Mark.open(file, origin);
      expect(() => Mark.open(file, origin)).toThrow(/another signer is using/);
    }
    Mark.open(file, origin)[Symbol.dispose]();
  });

  it('is held against other processes, and survives the kill of its holder', async () => {
    const other = await holdElsewhere(5);
    expect(() => Mark.open(file, origin)).toThrow(/another signer is using/);
    other.kill('SIGKILL');
    await once(other, 'exit');
    using mark = Mark.open(file, origin);
    expect(shown(mark)).toEqual(expected(5));
  });

  it('that another process holds after a kill is not taken from it', async () => {
    const first = await holdElsewhere(1);
    first.kill('SIGKILL');
    await once(first, 'exit');
    await holdElsewhere(2);
    expect(() => Mark.open(file, origin)).toThrow(/another signer is using/);
  });
});
