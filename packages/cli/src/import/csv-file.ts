/** Reads rows of a CSV file (RFC 4180), as a stream. */
import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { CsvError, parse } from 'csv-parse';
import { messageOf, usageError } from '../errors.ts';
import type { Row } from './evaluate.ts';
import type { Mapping } from './mapping/mapping.ts';

const RECORD_LENGTH_MAX = 1_048_576;

/** A row that could be told from its neighbors; `problem` says why its fields cannot be relied on. */
export interface CsvRow extends Row {
  problem: string | null;
}

interface ParsedRecord {
  record: string[];
  info: { lines: number };
}

/**
 * Rows after the first `skipRows`. A byte order mark, any line ends, also mixed ones, and empty lines are fine.
 * Throws a usage error for a file that cannot be read, that is no CSV, or whose header does not have what
 * the mapping uses.
 */
export async function* readRows(
  path: string,
  mapping: Mapping,
  options: { skipRows?: number; hash?: Hash } = {},
): AsyncGenerator<CsvRow> {
  const file = createReadStream(path);
  const parser = parse({
    bom: true,
    delimiter: mapping.delimiter,
    info: true,
    max_record_size: RECORD_LENGTH_MAX,
    // Told, because what it finds out by itself is the line end of the first line alone.
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
  });
  file.on('error', (error) => parser.destroy(error));
  if (options.hash !== undefined) {
    const { hash } = options;
    file.on('data', (chunk) => hash.update(chunk));
  }
  file.pipe(parser);
  let header: Header | null = null;
  let number = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<ParsedRecord>) {
      if (header === null) {
        header = readHeader(record, mapping);
        continue;
      }
      number += 1;
      if (number > (options.skipRows ?? 0)) yield rowOf(header, record, number, info.lines);
    }
  } catch (error) {
    throw readError(path, error);
  } finally {
    file.destroy();
  }
  if (header === null) throw usageError(`${path} is empty.`, 'It needs a header and rows.');
}

interface Header {
  length: number;
  positions: ReadonlyMap<string, number>;
}

function readHeader(record: readonly string[], mapping: Mapping): Header {
  const positions = new Map<string, number>();
  for (const [position, raw] of record.entries()) {
    const name = raw.trim();
    if (positions.has(name) && mapping.columns.has(name)) {
      throw usageError(`The file has two columns named ${name}.`, 'Rename or remove one of them.');
    }
    positions.set(name, position);
  }
  for (const [column, line] of mapping.columns) {
    if (positions.has(column)) continue;
    throw usageError(
      `The file has no column ${column}, which line ${line} of the mapping uses.`,
      `Its columns are: ${[...positions.keys()].join(', ')}.`,
    );
  }
  return { length: record.length, positions };
}

function rowOf(header: Header, record: readonly string[], number: number, line: number): CsvRow {
  const field = (column: string): string => record[header.positions.get(column) ?? -1]?.trim() ?? '';
  return { number, line, field, problem: problemOf(header, record) };
}

function problemOf(header: Header, record: readonly string[]): string | null {
  if (record.length !== header.length)
    return `the row has ${record.length} fields, the header has ${header.length}`;
  if (record.some((text) => text.includes('\ufffd'))) return 'the row is not UTF-8; save the file as UTF-8';
  return null;
}

function readError(path: string, error: unknown): unknown {
  if (error instanceof CsvError) {
    return usageError(
      `${path} is not valid CSV: ${error.message}.`,
      'Nothing was imported from there on; correct the file.',
    );
  }
  if (error instanceof Error && 'syscall' in error) {
    return usageError(`${path} cannot be read: ${messageOf(error)}.`, 'Check the path.');
  }
  return error;
}
