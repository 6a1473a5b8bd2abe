/**
 * Imports one row: the customer first, then the license. Everything that can be checked without changing
 * anything is checked before the first of the two is sent. Both carry idempotency keys that derive from the
 * row, so a row that was cut off between them is completed by importing it again.
 */
import type { LicenseResult } from '@tallystick/contract';
import type { Client } from '../client/client.ts';
import { CliError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Catalog } from './catalog.ts';
import type { CsvRow } from './csv-file.ts';
import { commandsOf, type RowCommands, RowRefused, skipReason } from './evaluate.ts';
import { idempotencyKey } from './keys.ts';
import type { Mapping } from './mapping/mapping.ts';

/**
 * - `issued`: made by this run.
 * - `existing`: made by an earlier run, and left as it is.
 * - `checked`: a dry run found nothing wrong.
 * - `skipped`: left out, as the mapping says.
 * - `refused`: nothing was made.
 * - `incomplete`: the customer is there, the license was refused.
 */
export type Outcome = 'issued' | 'existing' | 'checked' | 'skipped' | 'refused' | 'incomplete';
export const outcomes: readonly Outcome[] = [
  'issued',
  'existing',
  'checked',
  'skipped',
  'refused',
  'incomplete',
];

export interface RowResult {
  row: number;
  line: number;
  key: string;
  outcome: Outcome;
  /** null where the row went through. */
  problem: { code: string; why: string } | null;
  license: { id: string; customer: string | null; licenseKey: string | null } | null;
}

export interface RowImporterOptions {
  client: Client;
  mapping: Mapping;
  catalog: Catalog;
  /** Rows that share their key with another one. */
  duplicates: ReadonlyMap<number, number>;
  dryRun: boolean;
}

/** Problems that every further row would meet as well, or that others have to solve before it goes on. */
const stopping: ReadonlySet<string> = new Set([
  'approval_required',
  'reason_required',
  'insufficient_user_authentication',
  'unauthorized',
  'forbidden',
  'namespace_locked',
  'signer_refused',
  'not_found',
  'method_not_allowed',
]);

export class RowImporter {
  private readonly options: RowImporterOptions;
  /**
   * Plans for which a row has passed a dry run of the server: what a plan is refused for as such shows there.
   * A failure may be about its row alone, so the rows that waited for it are tried themselves.
   */
  private readonly tried = new Map<string, Promise<boolean>>();

  constructor(options: RowImporterOptions) {
    this.options = options;
  }

  /** Throws CliError for what ends the whole import; what is wrong with the row is in the result. */
  async handle(row: CsvRow): Promise<RowResult> {
    const key = row.field(this.options.mapping.key.column);
    const about = { row: row.number, line: row.line, key, problem: null, license: null };
    const reason = row.problem === null ? skipReason(row, this.options.mapping) : null;
    if (reason !== null) return { ...about, outcome: 'skipped' };
    try {
      const commands = this.read(row, key);
      await this.check(commands);
      if (this.options.dryRun) return { ...about, outcome: 'checked' };
      return { ...about, ...(await this.send(key, commands)) };
    } catch (error) {
      return { ...about, outcome: 'refused', problem: rowProblem(error) };
    }
  }

  private read(row: CsvRow, key: string): RowCommands {
    const { mapping, duplicates } = this.options;
    if (row.problem !== null) throw new RowRefused('row_invalid', row.problem);
    if (key === '') throw new RowRefused('row_invalid', `the key, column ${mapping.key.column}, is blank`);
    const other = duplicates.get(row.number);
    if (other !== undefined) {
      throw new RowRefused(
        'key_twice',
        `rows ${Math.min(other, row.number)} and ${Math.max(other, row.number)} have the same key`,
      );
    }
    return commandsOf(row, mapping);
  }

  private async check({ issue }: RowCommands): Promise<void> {
    const { exists } = await this.options.catalog.check(issue.plan, issue.entitlements ?? {});
    if (!exists) return;
    if ((await this.tried.get(issue.plan)) === true) return;
    const trial = this.tryOut(issue);
    this.tried.set(
      issue.plan,
      trial.then(
        () => true,
        () => false,
      ),
    );
    await trial;
  }

  /** The customer does not exist yet, so it is left out. */
  private async tryOut(issue: RowCommands['issue']): Promise<void> {
    const { type: _, customer: __, ...body } = issue;
    await this.options.client.call('license.issue', { query: { dryRun: true }, body });
  }

  private async send(
    key: string,
    commands: RowCommands,
  ): Promise<Pick<RowResult, 'outcome' | 'problem' | 'license'>> {
    if (commands.customer !== null) await this.createCustomer(commands.customer);
    const { type: _, ...body } = commands.issue;
    const idempotent = idempotencyKey(this.options.mapping.name, 'license', key);
    try {
      const { value } = await this.options.client.call('license.issue', { body, idempotencyKey: idempotent });
      return {
        outcome: wasReplayed(value) ? 'existing' : 'issued',
        problem: null,
        license: licenseOf(value),
      };
    } catch (error) {
      const problem = rowProblem(error);
      if (problem.code === 'idempotency_key_reused') {
        const why = 'an earlier run imported this row with other data; change the license itself instead';
        return { outcome: 'refused', problem: { ...problem, why }, license: null };
      }
      return { outcome: commands.customer === null ? 'refused' : 'incomplete', problem, license: null };
    }
  }

  private async createCustomer(customer: NonNullable<RowCommands['customer']>): Promise<void> {
    const { client, mapping } = this.options;
    const { type: _, ...body } = customer;
    const key = idempotencyKey(mapping.name, 'customer', body.reference ?? '');
    try {
      await client.call('customer.create', { body, idempotencyKey: key });
    } catch (error) {
      const code = error instanceof CliError ? error.options.code : null;
      const isThere = code === 'reference_taken' || code === 'idempotency_key_reused';
      if (isThere && mapping.customer?.existing === 'use') return;
      if (code !== 'idempotency_key_reused') throw error;
      const why = `the customer ${body.reference} was imported with other data; see customer.existing`;
      throw new RowRefused(code, why);
    }
  }
}

/** Throws what is not about the row. */
function rowProblem(error: unknown): { code: string; why: string } {
  if (error instanceof RowRefused) return { code: error.code, why: error.message };
  if (!(error instanceof CliError) || endsImport(error)) throw error;
  return { code: error.options.code, why: error.message };
}

function endsImport({ exitCode, options }: CliError): boolean {
  const isAboutAll = exitCode !== exitCodes.refused && exitCode !== exitCodes.usage;
  return isAboutAll || stopping.has(options.code);
}

function wasReplayed({ notes }: LicenseResult): boolean {
  return notes.some(({ code }) => code === 'replayed');
}

function licenseOf({ document, licenseKey }: LicenseResult): RowResult['license'] {
  return { id: document.id, customer: document.customer, licenseKey: licenseKey ?? null };
}
