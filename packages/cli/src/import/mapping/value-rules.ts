/** Reads one value of a mapping: a constant, a column or a template, and how it becomes a member of a command. */
import type { Scalar, TextForm, ValueRule } from './mapping.ts';
import type { YamlNode } from './yaml-reader.ts';

const FORMS: readonly TextForm[] = ['text', 'integer', 'boolean', 'money', 'date'];
const MEMBERS = ['column', 'template', 'values', 'as', 'digits', 'blank'] as const;
const DIGITS_MAX = 4;
const DIGITS_DEFAULT = 2;

/** Tables of values that have a name. */
export type Tables = ReadonlyMap<string, ReadonlyMap<string, Scalar | null>>;

export function readTables(node: YamlNode | undefined): Tables {
  const tables = node?.members('tables', null) ?? new Map<string, YamlNode>();
  return new Map([...tables].map(([name, table]) => [name, readTable(table, `table ${name}`)]));
}

function readTable(node: YamlNode, what: string): ReadonlyMap<string, Scalar | null> {
  const members = [...node.members(what, null)];
  return new Map(members.map(([text, value]) => [text, value.scalar(`${what}, ${text}`)]));
}

export function readValueRule(node: YamlNode, what: string, tables: Tables): ValueRule {
  const plain = {
    line: node.line,
    values: null,
    as: 'text',
    digits: DIGITS_DEFAULT,
    blank: undefined,
  } as const;
  if (node.isList) throw node.error(`${what} must be a single value, or a map of: ${MEMBERS.join(', ')}`);
  if (!node.isMap) return { ...plain, source: { constant: node.scalar(what) } };
  const members = node.members(what, MEMBERS);
  const source = readSource(node, members, what);
  const values = members.get('values');
  const as = members.get('as')?.choice(`as of ${what}`, FORMS) ?? 'text';
  if (values !== undefined && members.has('as')) {
    throw node.error(`${what} has both values and as; values say themselves what they are`);
  }
  const digits = readDigits(members.get('digits'), as, what);
  const blank = members.get('blank')?.scalar(`blank of ${what}`);
  return { line: node.line, source, values: readValues(values, what, tables), as, digits, blank };
}

function readSource(node: YamlNode, members: Map<string, YamlNode>, what: string): ValueRule['source'] {
  const column = members.get('column');
  const template = members.get('template');
  if ((column === undefined) === (template === undefined)) {
    throw node.error(`${what} needs either column or template`);
  }
  if (column !== undefined) return { column: column.text(`column of ${what}`) };
  if (members.has('values'))
    throw node.error(`${what} has both template and values; values go with a column`);
  const text = template?.text(`template of ${what}`) ?? '';
  const columns = [...text.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? '');
  if (columns.length === 0) throw node.error(`${what} has a template without a column such as {name}`);
  return { template: text, columns };
}

function readValues(node: YamlNode | undefined, what: string, tables: Tables): ValueRule['values'] {
  if (node === undefined) return null;
  if (node.isMap) return readTable(node, `values of ${what}`);
  const name = node.text(`values of ${what}`);
  const table = tables.get(name);
  if (table === undefined) {
    throw node.error(
      `${what} uses the table ${name}, which is not under tables: ${[...tables.keys()].join(', ') || 'there are none'}`,
    );
  }
  return table;
}

function readDigits(node: YamlNode | undefined, as: TextForm, what: string): number {
  if (node === undefined) return DIGITS_DEFAULT;
  if (as !== 'money') throw node.error(`digits of ${what} go with as: money only`);
  const digits = node.scalar(`digits of ${what}`);
  if (typeof digits === 'number' && Number.isInteger(digits) && digits >= 0 && digits <= DIGITS_MAX)
    return digits;
  throw node.error(`digits of ${what} must be a whole number from 0 to ${DIGITS_MAX}`);
}
