/** What a mapping says, after it was read. The language is described in docs/guides/import.md. */
import type { BodyOf } from '@tallystick/contract';

export type Scalar = string | number | boolean;

/** How the text of a column is read where no table of values is given. */
export type TextForm = 'text' | 'integer' | 'boolean' | 'money' | 'date';

/** Where one value comes from. */
export interface ValueRule {
  /** Line of the mapping, for messages. */
  line: number;
  source: { constant: Scalar | null } | { column: string } | { template: string; columns: readonly string[] };
  /** Closed: a text that is not listed is refused. null where there is no table. */
  values: ReadonlyMap<string, Scalar | null> | null;
  as: TextForm;
  /** Digits after the decimal point of `money`. */
  digits: number;
  /** What a blank column means; `undefined`: the member is left out. */
  blank: Scalar | null | undefined;
}

export interface QuotaRule {
  limit: ValueRule;
  per: string | null;
  over: 'block' | 'allow';
}

export type GrantRule = ValueRule | QuotaRule;

/** A row that meets this is left out. */
export interface SkipRule {
  line: number;
  column: string;
  is: ReadonlySet<string>;
  because: string;
}

/** Members of a command, by name; inner objects as objects. */
export interface RuleTree {
  readonly [member: string]: ValueRule | RuleTree;
}

export interface CustomerRules {
  line: number;
  reference: ValueRule;
  /** The members besides the reference. */
  members: RuleTree;
  /** What to do when the reference is taken already. */
  existing: 'refuse' | 'use';
}

export interface LicenseRules {
  line: number;
  plan: ValueRule;
  entitlements: ReadonlyMap<string, GrantRule>;
  members: RuleTree;
}

/** Created when missing, and never changed. */
export interface CatalogRules {
  product: BodyOf['product.create'] | null;
  plans: readonly BodyOf['plan.create'][];
}

export interface Mapping {
  /** Part of every idempotency key: the same name and the same row are the same license. */
  name: string;
  delimiter: string;
  /** The column that tells rows apart. */
  key: { column: string; line: number };
  skip: readonly SkipRule[];
  catalog: CatalogRules;
  customer: CustomerRules | null;
  license: LicenseRules;
  /** Every column that is used, with the line that uses it first. */
  columns: ReadonlyMap<string, number>;
}

/** Something in the mapping is wrong. */
export class MappingError extends Error {
  override readonly name: string = 'MappingError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

export function isValueRule(rule: object): rule is ValueRule {
  return 'source' in rule && 'as' in rule;
}
