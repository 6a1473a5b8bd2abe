/** Decisions per second of the default policies: made anew, remembered, and as a shop asks for them. */
import {
  type Decision,
  type DecisionInput,
  defaultPolicyDocument,
  type PolicySource,
} from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import type { Bench, BenchContext } from '../bench.ts';
import { formatRate, type Rate, rateOf } from '../rate.ts';
import { formatNumber, interleave, markdownTable, median } from '../report.ts';

/** A shop that sells under one plan; `nth` makes requests that differ in a number. */
function sale(nth: number): DecisionInput {
  return {
    principal: { id: 'prn_01jdb4q8z0e5r9w3x7c2v6b1n4', kind: 'service', roles: ['issuer'] },
    action: 'license.issue',
    resource: { type: 'License', product: 'editor', state: 'active', purpose: 'production', own: false },
    context: {
      zone: 'admin',
      strength: 2,
      stepUp: false,
      signed: true,
      reason: true,
      approved: false,
      purpose: null,
      networks: ['shop'],
      device: { managed: false, encrypted: false, attested: false },
      weekday: 4,
      hour: 10,
      lock: 'open',
      epoch: 1,
      extendsDays: null,
      termDays: 366,
      seats: nth,
      rolesChanged: [],
    },
  };
}

/** Denied for want of a signature: what it lacks is found by asking again. */
function unsigned(nth: number): DecisionInput {
  const input = sale(nth);
  return { ...input, context: { ...input.context, signed: false, termDays: -1 } };
}

/** As many different sales as there are sizes of orders. */
const ORDER_SIZES = 20;

interface Variant {
  name: string;
  decide: (engine: PolicyEngine, nth: number) => Decision;
  allowed: boolean;
}

const variants: readonly Variant[] = [
  { name: 'allowed, made anew', decide: (engine, nth) => engine.decideAnew(sale(nth)), allowed: true },
  { name: 'denied, made anew', decide: (engine, nth) => engine.decideAnew(unsigned(nth)), allowed: false },
  {
    name: `allowed, ${ORDER_SIZES} different ones in turn`,
    decide: (engine, nth) => engine.decide(sale(nth % ORDER_SIZES)),
    allowed: true,
  },
];

function measure({ decide, allowed }: Variant, engine: PolicyEngine, seconds: number): Promise<Rate> {
  const until = performance.now() + seconds * 1000;
  return rateOf(async () => {
    let count = 0;
    for (; performance.now() < until; count++) {
      if (decide(engine, count % 1000).allowed !== allowed) throw new Error('another verdict');
    }
    return count;
  });
}

/** The default policies, with a comment that makes them others. */
function policiesNumbered(nth: number): PolicySource {
  const { schema, policies } = defaultPolicyDocument();
  return { schema, policies: policies.map(({ id, lines }) => ({ id, lines: [`// ${nth}`, ...lines] })) };
}

async function run({ rounds, seconds }: BenchContext): Promise<string[]> {
  const document = defaultPolicyDocument();
  const loads: number[] = [];
  const works = Object.fromEntries(
    variants.map((variant) => [
      variant.name,
      () => {
        // One that this process has not seen: what it knows, or comes with the software, is not validated again.
        const source = policiesNumbered(loads.length);
        const started = performance.now();
        const engine = new PolicyEngine(source);
        loads.push(performance.now() - started);
        return measure(variant, engine, seconds);
      },
    ]),
  );
  const results = await interleave(rounds, works);
  return [
    `Decisions of ${document.policies.length} policies (${document.schema.length} lines of schema) in one thread; medians of ` +
      `${rounds} rounds of ${seconds} s, in brackets the processor time of each. Those that are made anew validate the ` +
      'request against the schema; a denial also looks for what the caller could add.',
    markdownTable(
      ['decision', 'decisions/s'],
      variants.map(({ name }) => [name, formatRate(results[name] ?? [])]),
    ),
    `Parsing and validating the policies, at each publication, and at a start where they are not the ones that come with the software: ${formatNumber(median(loads))} ms.`,
  ];
}

export const bench: Bench = { name: 'decisions', title: 'Decisions on requests', run };
