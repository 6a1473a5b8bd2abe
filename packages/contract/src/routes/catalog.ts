/** Routes of what is sold, and to whom: products, plans and customers. */
import type { Item } from '../answers.ts';
import type { CustomerQuery, PlanQuery, ProductQuery } from '../inputs.ts';
import type { Route } from '../route.ts';
import { items } from '../schemas/answers.ts';
import { customerQuery, planQuery, productQuery } from '../schemas/inputs.ts';
import { type Mutation, mutation } from './mutations.ts';
import { type SubjectReads, subjectReads } from './reads.ts';

type ProductReads = SubjectReads<'product', Item<'product'>, ProductQuery>;
type PlanReads = SubjectReads<'plan', Item<'plan'>, PlanQuery>;
type CustomerReads = SubjectReads<'customer', Item<'customer'>, CustomerQuery>;

export interface CatalogRoutes {
  'product.create': Route<Mutation<'product.create'>>;
  'product.list': ProductReads['list'];
  'product.get': ProductReads['get'];
  'product.history': ProductReads['history'];
  'product.update': Route<Mutation<'product.update'>>;
  'product.retire': Route<Mutation<'product.retire'>>;
  'plan.create': Route<Mutation<'plan.create'>>;
  'plan.list': PlanReads['list'];
  'plan.get': PlanReads['get'];
  'plan.history': PlanReads['history'];
  'plan.update': Route<Mutation<'plan.update'>>;
  'plan.retire': Route<Mutation<'plan.retire'>>;
  'customer.create': Route<Mutation<'customer.create'>>;
  'customer.list': CustomerReads['list'];
  'customer.get': CustomerReads['get'];
  'customer.history': CustomerReads['history'];
  'customer.update': Route<Mutation<'customer.update'>>;
  'customer.merge': Route<Mutation<'customer.merge'>>;
  'customer.erase': Route<Mutation<'customer.erase'>>;
}

const products: ProductReads = subjectReads('product', items.product, productQuery);
const plans: PlanReads = subjectReads('plan', items.plan, planQuery);
const customers: CustomerReads = subjectReads('customer', items.customer, customerQuery);

export const catalogRoutes: CatalogRoutes = {
  'product.create': mutation('product.create', {
    summary: 'Create a product',
    large: true,
    problems: ['code_taken'],
  }),
  'product.list': products.list,
  'product.get': products.get,
  'product.history': products.history,
  'product.update': mutation('product.update', {
    summary: 'Change the name, catalog or metadata of a product',
    method: 'PATCH',
    large: true,
    problems: ['in_use', 'entitlement_type'],
  }),
  'product.retire': mutation('product.retire', {
    summary: 'Retire a product whose plans are all retired; this is final',
    verb: 'retire',
    problems: ['in_use'],
  }),
  'plan.create': mutation('plan.create', {
    summary: 'Create a plan of a product',
    large: true,
    problems: ['subject_unknown', 'state_forbids', 'code_taken', 'entitlement_unknown', 'entitlement_type'],
  }),
  'plan.list': plans.list,
  'plan.get': plans.get,
  'plan.history': plans.history,
  'plan.update': mutation('plan.update', {
    summary: 'Change a plan; licenses that were sold under it stay as they are',
    method: 'PATCH',
    large: true,
    problems: ['entitlement_unknown', 'entitlement_type'],
  }),
  'plan.retire': mutation('plan.retire', {
    summary: 'Retire a plan: it is no longer sold; this is final',
    verb: 'retire',
  }),
  'customer.create': mutation('customer.create', {
    summary: 'Create a customer',
    large: true,
    problems: ['reference_taken', 'customer_unknown', 'customer_not_active'],
  }),
  'customer.list': customers.list,
  'customer.get': customers.get,
  'customer.history': customers.history,
  'customer.update': mutation('customer.update', {
    summary: 'Change a customer',
    method: 'PATCH',
    large: true,
    problems: ['reference_taken', 'customer_unknown', 'customer_not_active'],
  }),
  'customer.merge': mutation('customer.merge', {
    summary: 'Merge a customer into another, which receives all its licenses; this is final',
    verb: 'merge',
    problems: ['customer_unknown', 'customer_not_active', 'merge_cycle'],
  }),
  'customer.erase': mutation('customer.erase', {
    summary: 'Remove the personal data of a customer, here and from its licenses; this is final',
    verb: 'erase',
  }),
};
