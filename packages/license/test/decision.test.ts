import { describe, expect, it } from 'vitest';
import { type Command, decide, type Environment, type View } from '../src/index.ts';
import { soldWorld, type World } from './world.ts';

const issue = { type: 'license.issue', plan: 'pro' } as const;

describe('a decision', () => {
  it('is the same again when a view first says that something is missing', () => {
    const world = soldWorld();
    const command: Command = {
      ...issue,
      customer: 'contoso',
      addons: [{ plan: 'more' }],
      key: 'OLD-KEY-1234',
    };
    const whole = decide(world, command, fixed(world));
    let reads = 0;
    for (let allowed = 0; allowed < 50; allowed += 1) {
      reads = allowed;
      try {
        expect(decide(limited(world, allowed), command, fixed(world))).toEqual(whole);
        break;
      } catch (error) {
        expect(error).toBe(MISS);
      }
    }
    expect(reads).toBeGreaterThan(5);
    expect(reads).toBeLessThan(49);
  });

  it('draws nothing before its last read', () => {
    const world = soldWorld();
    const old = world.license({ ...issue, customer: 'contoso' }).id;
    const commands: Command[] = [
      { ...issue, customer: 'contoso', key: 'OLD-KEY-1234' },
      { ...issue, replaces: old },
      { type: 'license.replace', license: old },
      { type: 'license.rekey', license: old },
      { type: 'customer.create', reference: 'new', parent: 'contoso' },
      { type: 'plan.create', product: 'editor', code: 'new', name: 'New' },
      { type: 'product.create', code: 'new', name: 'New' },
    ];
    for (const command of commands) {
      const order: string[] = [];
      const decision = decide(traced(world, order), command, tracedEnvironment(world, order));
      expect(decision.ok).toBe(true);
      expect(order.lastIndexOf('read')).toBeLessThan(order.indexOf('draw'));
    }
  });

  it('does not change what the view gave', () => {
    const world = soldWorld();
    const id = world.license({ ...issue, customer: 'contoso', addons: [{ plan: 'more' }] }).id;
    deepFreeze(world.subject('license', id));
    for (const plan of world.all('plan')) deepFreeze(plan);
    expect(world.run({ type: 'license.amend', license: id, entitlements: { pdf: null } }).ok).toBe(true);
    expect(world.run({ type: 'license.change_plan', license: id, addons: [] }).ok).toBe(true);
  });
});

const MISS = new Error('not loaded yet');

function fixed(world: World): Environment {
  return {
    ...world.environment(),
    newId: (prefix) => `${prefix}_${'0'.repeat(26)}`,
    newLicenseKey: () => 'FIXED-KEY',
  };
}

/** A view that throws after a number of reads, as one does whose cache misses something. */
function limited(world: World, reads: number): View {
  let left = reads;
  return watched(world, () => {
    left -= 1;
    if (left < 0) throw MISS;
  });
}

function traced(world: World, order: string[]): View {
  return watched(world, () => order.push('read'));
}

function tracedEnvironment(world: World, order: string[]): Environment {
  const environment = world.environment();
  return {
    ...environment,
    newId: (prefix) => {
      order.push('draw');
      return environment.newId(prefix);
    },
    newLicenseKey: () => {
      order.push('draw');
      return environment.newLicenseKey();
    },
  };
}

function watched(world: World, onRead: () => void): View {
  const view: View = world;
  return new Proxy(view, {
    get: (target, name: keyof View) => {
      onRead();
      return target[name].bind(target);
    },
  });
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
}
