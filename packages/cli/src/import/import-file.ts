/** An import from beginning to end. */
import { createHash } from 'node:crypto';
import type { Client } from '../client/client.ts';
import type { Context } from '../context.ts';
import { CliError, interrupted, usageError } from '../errors.ts';
import { Progress } from '../output/progress.ts';
import { Catalog } from './catalog.ts';
import { checkFiles } from './check-files.ts';
import { readRows } from './csv-file.ts';
import { mapInOrder } from './in-order.ts';
import { type Counts, Journal } from './journal.ts';
import { type Mapping, MappingError } from './mapping/mapping.ts';
import { parseMapping } from './mapping/parse-mapping.ts';
import { RowImporter } from './row-importer.ts';
import { scanFile } from './scan.ts';

export interface ImportOptions {
  file: string;
  mappingPath: string;
  mappingText: string;
  report: string;
  licenses: string | null;
  concurrency: number;
  dryRun: boolean;
  resume: boolean;
}

export interface ImportSummary {
  name: string;
  /** Rows in the file, and rows done by now. */
  rows: number;
  done: number;
  counts: Counts;
  seconds: number;
  rowsPerSecond: number;
  report: string;
  licenses: string | null;
  dryRun: boolean;
}

/** What ended an import before its last row. */
export interface ImportEnd {
  summary: ImportSummary;
  /** null when every row was looked at. */
  error: CliError | null;
}

/**
 * Imports a file. Throws CliError for what is wrong before the first row; afterwards whatever ends the run
 * is in the answer, together with what was done.
 */
export async function importFile(
  options: ImportOptions,
  client: Client,
  context: Context,
  say: (line: string) => void,
): Promise<ImportEnd> {
  await checkFiles(options);
  const mapping = inMapping(options.mappingPath, () => parseMapping(options.mappingText));
  const scan = await scanFile(options.file, mapping, context.signal).catch((error: unknown) => {
    throw context.signal.aborted ? interrupted() : error;
  });
  const catalog = await Catalog.prepare(client, mapping, options.dryRun, say).catch((error: unknown) => {
    throw error instanceof MappingError ? mappingError(options.mappingPath, error) : error;
  });
  const digest = createHash('sha256').update(options.mappingText).digest('hex');
  const identity = { name: mapping.name, mapping: digest, file: scan.digest };
  const journal = await Journal.open({ ...options, identity });
  if (journal.rows > 0) say(`Going on after row ${journal.rows}.`);
  const startedAt = context.now();
  const progress = new Progress(context.stderr, scan.rows, journal.rows, startedAt);
  const importer = new RowImporter({
    client,
    mapping,
    catalog,
    duplicates: scan.duplicates,
    dryRun: options.dryRun,
  });
  const error = await runRows({ options, mapping, context, journal, progress, importer });
  progress.end();
  const endedAt = context.now();
  const summary: ImportSummary = {
    name: mapping.name,
    rows: scan.rows,
    done: journal.rows,
    counts: journal.counts,
    seconds: (endedAt - startedAt) / 1000,
    rowsPerSecond: progress.rowsPerSecond(journal.rows, endedAt),
    report: options.report,
    licenses: options.licenses,
    dryRun: options.dryRun,
  };
  return { summary, error };
}

interface Run {
  options: ImportOptions;
  mapping: Mapping;
  context: Context;
  journal: Journal;
  progress: Progress;
  importer: RowImporter;
}

/** Resolves to what ended the run early; throws only defects. */
async function runRows(run: Run): Promise<CliError | null> {
  try {
    try {
      await workOn(run);
    } finally {
      await run.journal.close();
    }
    return run.context.signal.aborted ? interrupted() : null;
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
}

async function workOn({ options, mapping, context, journal, progress, importer }: Run): Promise<void> {
  const rows = readRows(options.file, mapping, { skipRows: journal.rows });
  const pace = { concurrency: options.concurrency, signal: context.signal };
  await mapInOrder(
    rows,
    pace,
    (row) => importer.handle(row),
    async (result) => {
      await journal.add(result, context.now());
      progress.update(result.row, context.now());
    },
  );
}

function inMapping<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof MappingError ? mappingError(path, error) : error;
  }
}

function mappingError(path: string, { line, message }: MappingError): CliError {
  return usageError(
    `${path}, line ${line}: ${message}.`,
    'Correct the mapping; nothing was imported.',
    `line ${line}`,
  );
}
