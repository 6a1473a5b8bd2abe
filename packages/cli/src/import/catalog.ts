/** The catalog that an import needs: made when missing, and known so that rows can be checked before they are sent. */
import type { EntitlementTypeInput, GrantInput } from '@tallystick/contract';
import type { Client } from '../client/client.ts';
import { CliError } from '../errors.ts';
import { RowRefused } from './evaluate.ts';
import { idempotencyKey } from './keys.ts';
import { type Mapping, MappingError } from './mapping/mapping.ts';

/** What is known about a plan. */
interface KnownPlan {
  isActive: boolean;
  kind: 'base' | 'addon';
  /** The catalog of its product. */
  entitlements: Readonly<Record<string, EntitlementTypeInput>>;
  /** False in a dry run for a plan that the import would make: the server does not have it yet. */
  exists: boolean;
}

export class Catalog {
  /** Plans that were looked up, and null for those that do not exist. */
  private readonly plans = new Map<string, Promise<KnownPlan | null>>();
  private readonly client: Client;
  private readonly mapping: Mapping;
  private readonly dryRun: boolean;

  private constructor(client: Client, mapping: Mapping, dryRun: boolean) {
    this.client = client;
    this.mapping = mapping;
    this.dryRun = dryRun;
  }

  /**
   * Makes what is missing, and checks that the mapping fits what is there: the plans that it names exist and
   * are sold, and its entitlements are in their catalogs. Throws MappingError or what the client throws.
   */
  static async prepare(
    client: Client,
    mapping: Mapping,
    dryRun: boolean,
    say: (line: string) => void,
  ): Promise<Catalog> {
    const catalog = new Catalog(client, mapping, dryRun);
    if (mapping.catalog.product !== null) await catalog.makeMissing(say);
    for (const [code, line] of plansNamed(mapping)) await catalog.checkNamed(code, line);
    return catalog;
  }

  /** Throws RowRefused when the plan cannot be sold, or a grant does not fit the catalog. */
  async check(code: string, grants: Readonly<Record<string, GrantInput>>): Promise<{ exists: boolean }> {
    const plan = await this.plan(code);
    if (plan === null) throw new RowRefused('plan_unknown', `there is no plan ${code}`);
    if (!plan.isActive) throw new RowRefused('plan_retired', `the plan ${code} is no longer sold`);
    if (plan.kind === 'addon') throw new RowRefused('plan_kind', `the plan ${code} is an add-on`);
    for (const [name, grant] of Object.entries(grants)) checkGrant(name, grant, plan.entitlements);
    return { exists: plan.exists };
  }

  private async makeMissing(say: (line: string) => void): Promise<void> {
    const { product, plans } = this.mapping.catalog;
    if (product === null) return;
    const made = this.dryRun ? 'would be made' : 'made';
    if (await exists(() => this.client.call('product.get', { params: { id: product.code } }))) {
      say(`Product ${product.code}: exists, left as it is.`);
    } else {
      say(`Product ${product.code}: ${made}.`);
      const key = idempotencyKey(this.mapping.name, 'product', product.code);
      if (!this.dryRun) await this.client.call('product.create', { body: product, idempotencyKey: key });
    }
    for (const plan of plans) {
      if (await exists(() => this.client.call('plan.get', { params: { id: plan.code } }))) {
        say(`Plan ${plan.code}: exists, left as it is.`);
        continue;
      }
      say(`Plan ${plan.code}: ${made}.`);
      const key = idempotencyKey(this.mapping.name, 'plan', plan.code);
      if (!this.dryRun) await this.client.call('plan.create', { body: plan, idempotencyKey: key });
      else this.plans.set(plan.code, Promise.resolve(this.planned(plan.kind ?? 'base')));
    }
  }

  private planned(kind: KnownPlan['kind']): KnownPlan {
    return {
      isActive: true,
      kind,
      entitlements: this.mapping.catalog.product?.entitlements ?? {},
      exists: false,
    };
  }

  private async checkNamed(code: string, line: number): Promise<void> {
    const plan = await this.plan(code);
    if (plan === null)
      throw new MappingError(line, `there is no plan ${code}; create it, or describe it under catalog`);
    if (!plan.isActive) throw new MappingError(line, `the plan ${code} is retired`);
    for (const [name, rule] of this.mapping.license.entitlements) {
      if (Object.hasOwn(plan.entitlements, name)) continue;
      const at = 'line' in rule ? rule.line : rule.limit.line;
      throw new MappingError(at, `the product of plan ${code} has no entitlement ${name}`);
    }
  }

  private plan(code: string): Promise<KnownPlan | null> {
    const known = this.plans.get(code);
    if (known !== undefined) return known;
    const fetched = this.fetchPlan(code);
    this.plans.set(code, fetched);
    return fetched;
  }

  private async fetchPlan(code: string): Promise<KnownPlan | null> {
    const plan = await found(() => this.client.call('plan.get', { params: { id: code } }));
    if (plan === null) return null;
    const { state, kind, product } = plan.value.document;
    const { value } = await this.client.call('product.get', { params: { id: product } });
    return { isActive: state === 'active', kind, entitlements: value.document.entitlements, exists: true };
  }
}

/** The plans that the mapping names itself, with the line; a column without a table names none. */
function plansNamed({ license: { plan } }: Mapping): [string, number][] {
  const constants = 'constant' in plan.source ? [plan.source.constant] : [...(plan.values?.values() ?? [])];
  return constants.flatMap((code): [string, number][] => (code === null ? [] : [[String(code), plan.line]]));
}

function checkGrant(name: string, grant: GrantInput, catalog: KnownPlan['entitlements']): void {
  const type = Object.hasOwn(catalog, name) ? catalog[name] : undefined;
  if (type === undefined)
    throw new RowRefused('entitlement_unknown', `the catalog has no entitlement ${name}`);
  const given = 'limit' in grant ? 'quota' : typeof grant.value === 'number' ? 'integer' : typeof grant.value;
  if (given !== type.type) {
    throw new RowRefused(
      'entitlement_type',
      `${name} is of type ${type.type}, and the row gives it a ${given}`,
    );
  }
  const choices = type.enum ?? null;
  if (choices !== null && 'value' in grant && !choices.includes(String(grant.value))) {
    throw new RowRefused('entitlement_type', `${name} must be one of: ${choices.join(', ')}`);
  }
}

async function exists(read: () => Promise<unknown>): Promise<boolean> {
  return (await found(read)) !== null;
}

/** null where the subject does not exist. */
async function found<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CliError && error.options.code === 'subject_unknown') return null;
    throw error;
  }
}
