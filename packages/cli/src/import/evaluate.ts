/** From the fields of a row to the two commands that it stands for. */
import type { CommandOf, CommandType } from '@tallystick/contract';
import { isInstant, ModelError, parseCommand } from '@tallystick/license';
import {
  type GrantRule,
  isValueRule,
  type Mapping,
  type RuleTree,
  type Scalar,
  type ValueRule,
} from './mapping/mapping.ts';

/** A row of the file, its fields by column. */
export interface Row {
  /** Counts rows of data from 1. */
  number: number;
  /** Line of the file on which the row ends. */
  line: number;
  field(column: string): string;
}

/** Why a row cannot be imported. `code` is one of ours or a problem code. */
export class RowRefused extends Error {
  override readonly name: string = 'RowRefused';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface RowCommands {
  customer: CommandOf<'customer.create'> | null;
  issue: CommandOf<'license.issue'>;
}

/** The reason to leave the row out; null to import it. */
export function skipReason(row: Row, { skip }: Mapping): string | null {
  return skip.find(({ column, is }) => is.has(row.field(column)))?.because ?? null;
}

/** Throws RowRefused (row_invalid). Both commands are well formed for the model. */
export function commandsOf(row: Row, mapping: Mapping): RowCommands {
  const { customer: rules, license } = mapping;
  const customer =
    rules === null
      ? null
      : { reference: needed(rules.reference, row, 'reference'), ...treeOf(rules.members, row) };
  const entitlements = grantsOf(license.entitlements, row);
  const issue = {
    plan: needed(license.plan, row, 'plan'),
    ...(customer === null ? {} : { customer: customer.reference }),
    ...treeOf(license.members, row),
    ...(Object.keys(entitlements).length === 0 ? {} : { entitlements }),
  };
  return {
    customer: customer === null ? null : checkedCommand('customer.create', customer, 'customer'),
    issue: checkedCommand('license.issue', issue, 'license'),
  };
}

function checkedCommand<T extends CommandType>(type: T, body: object, what: string): CommandOf<T> {
  try {
    return parseCommand({ type, ...body }) as unknown as CommandOf<T>;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new RowRefused('row_invalid', `${what}${error.path.replace(/^\$/, '')}: ${error.reason}`);
  }
}

function needed(rule: ValueRule, row: Row, what: string): string {
  const value = evaluate(rule, row);
  if (value === undefined || value === null)
    throw new RowRefused('row_invalid', `${what} is blank (mapping line ${rule.line})`);
  return String(value);
}

/** Members that come out as nothing are left out; maps of text leave null out as well. */
function treeOf(tree: RuleTree, row: Row, isText: boolean = false): Record<string, unknown> {
  const members: [string, unknown][] = [];
  for (const [name, rule] of Object.entries(tree)) {
    if (!isValueRule(rule)) {
      const inner = treeOf(rule, row, name === 'metadata' || name === 'crm');
      if (Object.keys(inner).length > 0) members.push([name, inner]);
      continue;
    }
    const value = evaluate(rule, row);
    if (value === undefined || (isText && value === null)) continue;
    const mustBeText = isText || typeof value === 'boolean';
    members.push([name, mustBeText ? String(value) : textWhereMeant(name, value)]);
  }
  return Object.fromEntries(members);
}

const numbers: ReadonlySet<string> = new Set(['price', 'max', 'over', 'maxMajor']);

/** A name such as 365 is written without quotes in YAML, and meant as text all the same. */
function textWhereMeant(name: string, value: Scalar | null): Scalar | null {
  return typeof value === 'number' && !numbers.has(name) ? String(value) : value;
}

function grantsOf(rules: ReadonlyMap<string, GrantRule>, row: Row): Record<string, unknown> {
  const grants: Record<string, unknown> = {};
  for (const [code, rule] of rules) {
    const value = evaluate(isValueRule(rule) ? rule : rule.limit, row);
    if (value === undefined || value === null) continue;
    grants[code] = isValueRule(rule) ? { value } : { limit: value, per: rule.per, over: rule.over };
  }
  return grants;
}

/** `undefined` where the member is left out, null where it is said to be none. Throws RowRefused. */
export function evaluate(rule: ValueRule, row: Row): Scalar | null | undefined {
  const { source } = rule;
  if ('constant' in source) return source.constant;
  const columns = 'column' in source ? [source.column] : source.columns;
  const isBlank = columns.some((column) => row.field(column) === '');
  // A table may say itself what a blank field means.
  if (isBlank && rule.values?.has('') !== true) return rule.blank;
  if ('template' in source)
    return formed(
      source.template.replace(/\{([^{}]*)\}/g, (_, column: string) => row.field(column)),
      rule,
      columns,
    );
  const text = row.field(source.column);
  if (rule.values === null) return formed(text, rule, columns);
  const value = rule.values.get(text);
  if (value !== undefined) return value;
  throw new RowRefused(
    'row_invalid',
    `${source.column}: ${quoted(text)} is not among its values (mapping line ${rule.line})`,
  );
}

function formed(text: string, rule: ValueRule, columns: readonly string[]): Scalar {
  const { as, digits, line } = rule;
  const value = readForm(text, as, digits);
  if (value !== null) return value;
  const wanted = as === 'money' ? `an amount with at most ${digits} digits after the point` : meanings[as];
  throw new RowRefused(
    'row_invalid',
    `${columns.join(', ')}: ${quoted(text)} is not ${wanted} (mapping line ${line})`,
  );
}

const meanings = {
  text: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
  date: 'a date such as 2027-01-31',
};

function readForm(text: string, as: ValueRule['as'], digits: number): Scalar | null {
  if (as === 'text') return text.normalize('NFC');
  if (as === 'boolean') return text === 'true' ? true : text === 'false' ? false : null;
  if (as === 'money') return readMoney(text, digits);
  if (as === 'integer')
    return /^-?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null;
  const instant = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00.000Z` : text;
  return isInstant(instant) ? instant : null;
}

/** Decimal digits to minor units, without ever being a fraction. */
function readMoney(text: string, digits: number): number | null {
  const match = /^(\d{1,15})(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? '';
  if (match === null || fraction.length > digits) return null;
  const minor = Number(`${match[1]}${fraction.padEnd(digits, '0')}`);
  return Number.isSafeInteger(minor) ? minor : null;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
