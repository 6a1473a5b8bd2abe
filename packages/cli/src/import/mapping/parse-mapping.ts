/** Reads a mapping file. What it does not know, it refuses, with the line. */
import { type CommandType, type Route, routes } from '@tallystick/contract';
import {
  type CatalogRules,
  type CustomerRules,
  type GrantRule,
  isValueRule,
  type LicenseRules,
  type Mapping,
  type RuleTree,
  type SkipRule,
  type ValueRule,
} from './mapping.ts';
import { readTables, readValueRule, type Tables } from './value-rules.ts';
import { readYaml, type YamlNode } from './yaml-reader.ts';

const TOP = [
  'version',
  'name',
  'delimiter',
  'key',
  'tables',
  'skip',
  'catalog',
  'customer',
  'license',
] as const;
const CUSTOMER = ['reference', 'name', 'email', 'country', 'parent', 'metadata', 'existing'] as const;
const LICENSE = [
  'plan',
  'licensee',
  'term',
  'updates',
  'seats',
  'entitlements',
  'metadata',
  'companion',
  'key',
] as const;
/** Members that are maps with names of the user's own. */
const FREE = null;
const GROUPS: Readonly<Record<string, readonly string[] | null>> = {
  metadata: FREE,
  crm: FREE,
  term: ['from', 'until', 'length'],
  updates: ['until', 'maxMajor'],
  seats: ['model', 'max', 'over'],
  companion: ['order', 'price', 'currency', 'reseller', 'crm', 'notes'],
};

/** Throws MappingError with the line of the first thing that is wrong. */
export function parseMapping(text: string): Mapping {
  const root = readYaml(text);
  const members = root.members('the mapping', TOP);
  const version = required(members, 'version', root, 'the mapping');
  if (version.scalar('version') !== 1) throw version.error('version must be 1');
  const tables = readTables(members.get('tables'));
  const key = required(members, 'key', root, 'the mapping');
  const mapping = {
    name: readName(required(members, 'name', root, 'the mapping')),
    delimiter: readDelimiter(members.get('delimiter')),
    key: { column: key.text('key'), line: key.line },
    skip: (members.get('skip')?.items('skip') ?? []).map(readSkip),
    catalog: readCatalog(members.get('catalog')),
    customer: readCustomer(members.get('customer'), tables),
    license: readLicense(required(members, 'license', root, 'the mapping'), tables),
  };
  return { ...mapping, columns: columnsOf(mapping) };
}

function required(members: Map<string, YamlNode>, name: string, parent: YamlNode, what: string): YamlNode {
  const member = members.get(name);
  if (member === undefined) throw parent.error(`${what} has no ${name}`);
  return member;
}

function readName(node: YamlNode): string {
  const name = node.text('name');
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) return name;
  throw node.error('name must be 1 to 64 lower-case letters, digits, dots, underscores and hyphens');
}

function readDelimiter(node: YamlNode | undefined): string {
  if (node === undefined) return ',';
  const delimiter = node.scalar('delimiter');
  if (typeof delimiter === 'string' && /^[,;|\t]$/.test(delimiter)) return delimiter;
  throw node.error('delimiter must be one of: "," ";" "|" "\\t"');
}

function readSkip(node: YamlNode): SkipRule {
  const members = node.members('skip', ['column', 'is', 'because']);
  const is = required(members, 'is', node, 'a rule of skip');
  const texts = is.isList ? is.items('is').map((item) => item.text('is')) : [is.text('is')];
  const column = required(members, 'column', node, 'a rule of skip').text('column of skip');
  const because = members.get('because')?.text('because') ?? `${column} is ${texts.join(' or ')}`;
  return { line: node.line, column, is: new Set(texts), because };
}

function readCatalog(node: YamlNode | undefined): CatalogRules {
  if (node === undefined) return { product: null, plans: [] };
  const members = node.members('catalog', ['product', 'plans']);
  const product = required(members, 'product', node, 'catalog');
  const body = checked('product.create', product, product.json());
  const plans = members.get('plans')?.items('plans') ?? [];
  const bodies = plans.map((plan) => {
    if (plan.members('a plan', FREE).has('product'))
      throw plan.error('a plan of the catalog belongs to its product; leave product out');
    return checked('plan.create', plan, { ...Object(plan.json()), product: body.code });
  });
  return { product: body, plans: bodies };
}

/** Bodies are those of the HTTP interface, checked by its own schemas. */
function checked<T extends CommandType>(
  command: T,
  node: YamlNode,
  value: unknown,
): (typeof routes)[T] extends Route<infer O> ? O['body'] : never {
  const schema = (routes[command] as unknown as Route).body;
  const result = schema?.safeParse(value);
  if (result?.success === true) return result.data as never;
  const issue = result?.error.issues[0];
  const path = issue?.path ?? [];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const at = [...path, ...unknown].map(String).join('.');
  const why = unknown.length > 0 ? 'is not known' : (issue?.message ?? 'is invalid');
  const [line, name] = [node.lineAt([...path, ...unknown]), command.slice(0, command.indexOf('.'))];
  throw Object.assign(node.error(`${name}${at === '' ? '' : `, ${at}`}: ${why}`), { line });
}

function readCustomer(node: YamlNode | undefined, tables: Tables): CustomerRules | null {
  if (node === undefined) return null;
  const members = node.members('customer', CUSTOMER);
  const reference = readValueRule(required(members, 'reference', node, 'customer'), 'reference', tables);
  const existing = members.get('existing')?.choice('existing', ['refuse', 'use']) ?? 'refuse';
  return {
    line: node.line,
    reference,
    existing,
    members: readTree(without(members, 'reference', 'existing'), tables),
  };
}

function readLicense(node: YamlNode, tables: Tables): LicenseRules {
  const members = node.members('license', LICENSE);
  const plan = readValueRule(required(members, 'plan', node, 'license'), 'plan', tables);
  const grants = members.get('entitlements')?.members('entitlements', FREE) ?? new Map<string, YamlNode>();
  const entitlements = [...grants].map(([code, grant]): [string, GrantRule] => [
    code,
    readGrant(grant, code, tables),
  ]);
  return {
    line: node.line,
    plan,
    entitlements: new Map(entitlements),
    members: readTree(without(members, 'plan', 'entitlements'), tables),
  };
}

function readGrant(node: YamlNode, code: string, tables: Tables): GrantRule {
  if (!node.isMap || !node.members(code, FREE).has('limit')) return readValueRule(node, code, tables);
  const members = node.members(code, ['limit', 'per', 'over']);
  const per = members.get('per')?.scalar(`per of ${code}`) ?? null;
  return {
    limit: readValueRule(required(members, 'limit', node, code), `limit of ${code}`, tables),
    per: per === null ? null : String(per),
    over: members.get('over')?.choice(`over of ${code}`, ['block', 'allow']) ?? 'block',
  };
}

function without(members: Map<string, YamlNode>, ...names: string[]): Map<string, YamlNode> {
  return new Map([...members].filter(([name]) => !names.includes(name)));
}

function readTree(members: Map<string, YamlNode>, tables: Tables): RuleTree {
  const rules = [...members].map(([name, node]): [string, ValueRule | RuleTree] => {
    const known = GROUPS[name];
    if (known === undefined) return [name, readValueRule(node, name, tables)];
    return [name, readTree(node.members(name, known), tables)];
  });
  return Object.fromEntries(rules);
}

function columnsOf(mapping: Omit<Mapping, 'columns'>): Map<string, number> {
  const { key, skip, customer, license } = mapping;
  const grants = [...license.entitlements.values()].map((grant) =>
    isValueRule(grant) ? grant : grant.limit,
  );
  const rules = [
    ...(customer === null ? [] : [customer.reference, ...rulesOf(customer.members)]),
    license.plan,
    ...grants,
    ...rulesOf(license.members),
  ];
  const uses: [string, number][] = [
    [key.column, key.line],
    ...skip.map(({ column, line }): [string, number] => [column, line]),
    ...rules.flatMap((rule) => columnsOfRule(rule).map((column): [string, number] => [column, rule.line])),
  ];
  return new Map(uses.toReversed());
}

function rulesOf(tree: RuleTree): ValueRule[] {
  return Object.values(tree).flatMap((rule) => (isValueRule(rule) ? [rule] : rulesOf(rule)));
}

function columnsOfRule({ source }: ValueRule): readonly string[] {
  if ('column' in source) return [source.column];
  return 'template' in source ? source.columns : [];
}
