import type { Command } from '../src/index.ts';
import type { World } from './world.ts';

/** Brings a world into the situations in which commands are refused. */

/** Issues a license under the plan `pro`, unless told otherwise, and gives its id. */
export function issue(world: World, more: object = {}): string {
  return world.license({ type: 'license.issue', plan: 'pro', ...more }).id;
}

export function customerId(world: World, reference: string): string {
  return world.idByReference(reference)!;
}

export function revoked(world: World): string {
  const license = issue(world);
  world.do({ type: 'license.revoke', license, reason: 'refund' });
  return license;
}

export function suspended(world: World): string {
  const license = issue(world);
  world.do({ type: 'license.suspend', license, reason: 'payment' });
  return license;
}

export function replaced(world: World): string {
  const license = issue(world);
  world.do({ type: 'license.replace', license });
  return license;
}

export function selfReplaced(license: string): Command {
  return { type: 'license.replace', license, by: license };
}

export function circle(world: World): { license: string; by: string } {
  const [license, by] = [issue(world), issue(world)];
  world.do({ type: 'license.replace', license: by, by: license });
  return { license, by };
}

export function merged(world: World): string {
  const id = customerId(world, 'contoso');
  world.do({ type: 'customer.merge', customer: id, into: 'fabrikam' });
  return id;
}

export function erased(world: World): string {
  const id = customerId(world, 'contoso');
  world.do({ type: 'customer.erase', customer: id });
  return id;
}

export function retiredPlan(world: World): string {
  world.do({ type: 'plan.retire', plan: 'forever' });
  return 'forever';
}

export function retiredProduct(world: World): string {
  world.do({ type: 'plan.retire', plan: 'view' });
  world.do({ type: 'product.retire', product: 'viewer' });
  return 'viewer';
}

export function special(world: World, terms: object): string {
  world.do({ type: 'plan.create', product: 'editor', code: 'special', name: 'Special', ...terms });
  return 'special';
}

export function huge(world: World): string {
  return special(world, { entitlements: { projects: { value: Number.MAX_SAFE_INTEGER } } });
}

/** A license with as many entitlements as one may have, of a product that has grown another since. */
export function crowded(world: World): string {
  const codes = Array.from({ length: 200 }, (_, index) => `f${index}`);
  const catalog = Object.fromEntries(codes.map((code) => [code, { type: 'boolean' as const }]));
  world.do({ type: 'product.create', code: 'suite', name: 'Suite', entitlements: catalog });
  const entitlements = Object.fromEntries(codes.map((code) => [code, { value: true }]));
  world.do({ type: 'plan.create', product: 'suite', code: 'all', name: 'All', entitlements });
  const license = issue(world, { plan: 'all' });
  world.do({ type: 'plan.retire', plan: 'all' });
  world.do({ type: 'product.update', product: 'suite', entitlements: { pdf: { type: 'boolean' } } });
  return license;
}

/** A customer with more licenses than one command can touch. */
export function busy(world: World): string {
  for (let count = 0; count < 500; count += 1)
    issue(world, { plan: 'forever', customer: 'contoso', licensee: 'C' });
  return 'contoso';
}

export function locked(world: World, lock: World['lock'], command: Command): Command {
  world.lock = lock;
  return command;
}
