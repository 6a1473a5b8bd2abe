import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { asDatabaseError } from '../src/database-errors.ts';

const database = new DatabaseSync(':memory:');
database.exec('CREATE TABLE numbers (n INTEGER); INSERT INTO numbers VALUES (9007199254740993)');

afterAll(() => {
  database.close();
});

function errorOf(sql: string): unknown {
  try {
    return database.prepare(sql).all();
  } catch (error) {
    return error;
  }
}

describe('a database that holds something else than this software writes', () => {
  it.each([
    ['no table', 'SELECT 1 FROM entries'],
    ['no column', 'SELECT idx FROM numbers'],
    ['a number beyond 2^53', 'SELECT n FROM numbers'],
  ])('is told as damaged, and not as a defect: %s', (_, sql) => {
    const error = errorOf(sql);
    // As it comes from a thread.
    for (const thrown of [error, structuredClone(error)])
      expect(asDatabaseError(thrown)?.options).toMatchObject({ code: 'database_damaged', exitCode: 2 });
  });

  it('other errors are left to others', () => {
    expect(asDatabaseError(errorOf('SELEC'))).toBeNull();
    expect(asDatabaseError(new RangeError('offset is out of bounds'))).toBeNull();
  });
});
