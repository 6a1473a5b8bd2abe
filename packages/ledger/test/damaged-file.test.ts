import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Projections, SqliteStore } from '../src/index.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tally-damaged-'));
  file = join(folder, 'some.db');
});

afterEach(() => rmSync(folder, { recursive: true }));

const garbage = 'no database, and long enough to be looked at as one. '.repeat(200);

describe('a file that is no database is called by its name', () => {
  it.each([false, true])('as a store, and as projections (read only: %s)', (readOnly) => {
    writeFileSync(file, garbage);
    expect(() => SqliteStore.open(file, { readOnly })).toThrow(`${file}: file is not a database`);
    expect(() => new Projections(file, { readOnly })).toThrow(`${file}: file is not a database`);
  });

  it('also where it was cut off', async () => {
    await SqliteStore.create(file)[Symbol.asyncDispose]();
    truncateSync(file, 16_384);
    expect(() => SqliteStore.open(file)).toThrow(`${file}: database disk image is malformed`);
  });
});
