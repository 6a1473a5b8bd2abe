/** `tally product`, `tally plan` and `tally customer`. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { type MutationVerb, registerMutation } from './mutations.ts';
import { registerHistory, registerList, registerShow } from './reads.ts';

const create = (subject: 'product' | 'plan' | 'customer'): MutationVerb => ({
  command: `${subject}.create`,
  name: 'create',
  summary: `create a ${subject}`,
  argument: null,
});

const families = {
  product: [
    create('product'),
    { command: 'product.update', name: 'update', summary: 'change a product', argument: 'product' },
    { command: 'product.retire', name: 'retire', summary: 'retire a product, for good', argument: 'product' },
  ],
  plan: [
    create('plan'),
    {
      command: 'plan.update',
      name: 'update',
      summary: 'change a plan; licenses that were sold stay as they are',
      argument: 'plan',
    },
    { command: 'plan.retire', name: 'retire', summary: 'stop selling a plan, for good', argument: 'plan' },
  ],
  customer: [
    create('customer'),
    { command: 'customer.update', name: 'update', summary: 'change a customer', argument: 'customer' },
    {
      command: 'customer.merge',
      name: 'merge',
      summary: 'merge a customer into another, for good',
      argument: 'customer',
    },
    {
      command: 'customer.erase',
      name: 'erase',
      summary: 'remove the personal data of a customer, for good',
      argument: 'customer',
    },
  ],
} as const satisfies Record<string, readonly MutationVerb[]>;

const summaries = {
  product: 'products and their catalogs of entitlements',
  plan: 'plans: what is sold',
  customer: 'customers: to whom it is sold',
} as const;

export function registerCatalog(program: Command, context: Context): void {
  for (const subject of ['product', 'plan', 'customer'] as const) {
    const family = program.command(subject).summary(summaries[subject]).description(`${summaries[subject]}.`);
    for (const verb of families[subject]) registerMutation(family, context, verb);
    registerList(family, context, subject);
    registerShow(family, context, subject);
    registerHistory(family, context, subject);
  }
}
