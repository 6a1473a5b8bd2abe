/**
 * Cedar, with the ways closed in which it would fail open: a schema is always there and requests are validated
 * against it, policies are validated strictly, and whatever is not a clean allowance is a denial.
 */
import {
  type AuthorizationAnswer,
  type DetailedError,
  preparsePolicySet,
  preparseSchema,
  type StatefulAuthorizationCall,
  schemaToJson,
  statefulIsAuthorized,
  type ValidationError,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import { messageOf, utf8 } from '@tallystick/core';
import type { Decision, Lack } from './decision.ts';
import { defaultPolicyDocument } from './defaults/document.ts';
import { defaultRoles, internalRoles } from './defaults/roles.ts';
import { canonicalInput, type DecisionInput, inputHash, readCanonicalInput } from './input.ts';
import { Memo } from './memo.ts';
import { checkSource, PolicyError, type PolicySource, policySetHash, schemaHash } from './policy-source.ts';

const REMEMBERED_MAX = 4096;

/** Entities that stand for a class: a decision is about a kind of resource, so that it can be remembered. */
const RESOURCE_ID = 'this';

/**
 * A policy set under a schema. Both are parsed once, in the thread that makes the engine; each thread makes its own.
 *
 * Nothing that it answers depends on anything but the source and the input, so an engine is replaced
 * when policies change, and nothing that it remembered outlives it.
 */
export class PolicyEngine {
  /** base64 hash of the policy set */
  readonly policy: string;
  /** base64 hash of the schema */
  readonly schema: string;
  /** Roles that the schema knows, sorted. */
  readonly roles: readonly string[];
  readonly #memo = new Memo<Decision>(REMEMBERED_MAX);

  /** Throws PolicyError for anything but a policy set that is valid under its schema and says nothing in vain. */
  constructor(source: PolicySource) {
    checkSource(source);
    this.policy = policySetHash(source);
    this.schema = schemaHash(source);
    this.roles = rolesOfPrepared(source, this.policy, this.schema);
  }

  /** Never throws, and allows nothing that is not a complete and valid input. */
  decide(input: DecisionInput): Decision {
    return this.#decide(input, true);
  }

  /** The same answer, made anew. */
  decideAnew(input: DecisionInput): Decision {
    return this.#decide(input, false);
  }

  /** Whether an input is allowed, without a search for what would help: for asking about very many. */
  allows(input: DecisionInput): boolean {
    const canonical = encode(input);
    if (canonical === null) return false;
    const read = readCanonicalInput(canonical);
    return typeof read !== 'string' && this.#ask(read).allowed;
  }

  #decide(input: DecisionInput, mayRemember: boolean): Decision {
    const canonical = encode(input);
    if (canonical === null) return this.#denial('', ['the input is not complete']);
    const known = mayRemember ? this.#memo.get(canonical) : undefined;
    if (known !== undefined) return known;
    const decision = this.#evaluate(canonical);
    // What went wrong is an alarm each time, and not worth remembering.
    if (mayRemember && decision.errors.length === 0) this.#memo.set(canonical, decision);
    return decision;
  }

  #evaluate(canonical: string): Decision {
    const input = readCanonicalInput(canonical);
    if (typeof input === 'string') return this.#denial(canonical, [input]);
    const { allowed, reasons, errors } = this.#ask(input);
    const lacks = allowed || errors.length > 0 ? null : this.#findLack(input);
    return this.#decision(canonical, { allowed, reasons, errors, lacks });
  }

  /** What alone would help; else, where all that is missing would, what of the fewest to begin with. */
  #findLack(input: DecisionInput): Lack | null {
    const missing = lacks.filter((lack) => !hasAlready[lack](input));
    const helps = (added: readonly Lack[]): boolean =>
      this.#ask(added.reduce((so, lack) => withAdded[lack](so), input)).allowed;
    const alone = missing.find((lack) => helps([lack]));
    if (alone !== undefined) return alone;
    if (missing.length < 2 || !helps(missing)) return null;
    return pairsOf(missing).find(helps)?.[0] ?? missing[0] ?? null;
  }

  #ask(input: DecisionInput): Verdict {
    try {
      return readAnswer(statefulIsAuthorized(callOf(input, this.policy, this.schema)));
    } catch (error) {
      return { allowed: false, reasons: [], errors: [messageOf(error)] };
    }
  }

  #denial(canonical: string, errors: string[]): Decision {
    return this.#decision(canonical, { allowed: false, reasons: [], errors, lacks: null });
  }

  #decision(
    canonical: string,
    { allowed, reasons, errors, lacks }: Pick<Decision, 'allowed' | 'reasons' | 'errors' | 'lacks'>,
  ): Decision {
    const { policy, schema } = this;
    Object.freeze(reasons);
    Object.freeze(errors);
    return Object.freeze({ allowed, reasons, errors, policy, schema, entities: inputHash(canonical), lacks });
  }
}

type Verdict = Pick<Decision, 'allowed' | 'reasons' | 'errors'>;

function encode(input: DecisionInput): string | null {
  try {
    return canonicalInput(input);
  } catch {
    return null;
  }
}

/** In the order in which they are asked for: what costs the caller least comes first among several. */
const lacks: readonly Lack[] = ['reason', 'step_up', 'signature'];

const hasAlready: Record<Lack, (input: DecisionInput) => boolean> = {
  reason: ({ context }) => context.reason,
  step_up: ({ context, principal }) => context.stepUp || principal.kind !== 'person',
  signature: ({ context }) => context.signed,
};

const withAdded: Record<Lack, (input: DecisionInput) => DecisionInput> = {
  reason: (input) => ({ ...input, context: { ...input.context, reason: true } }),
  step_up: (input) => ({ ...input, context: { ...input.context, stepUp: true, strength: 3 } }),
  signature: (input) => ({
    ...input,
    context: { ...input.context, signed: true, strength: Math.max(input.context.strength, 2) },
  }),
};

function pairsOf(items: readonly Lack[]): (readonly [Lack, Lack])[] {
  return items.flatMap((item, at) => items.slice(at + 1).map((other) => [item, other] as const));
}

/** Cedar has no null: what is not there is left out, and the schema makes policies ask with `has`. */
function present(
  members: Record<string, string | number | boolean | null>,
): Record<string, string | number | boolean> {
  const entries = Object.entries(members).filter(([, value]) => value !== null);
  return Object.fromEntries(entries) as Record<string, string | number | boolean>;
}

const entity = (type: string, id: string) => ({ type, id });

/** Every entity that a policy may follow from here is in the call, so that nothing is missing when it does. */
function callOf(input: DecisionInput, policy: string, schema: string): StatefulAuthorizationCall {
  const { type, product, state, purpose, own } = input.resource;
  const { zone, lock, device, networks, rolesChanged, stepUp, signed, reason, approved, strength } =
    input.context;
  const { weekday, hour, epoch, extendsDays, termDays, seats } = input.context;
  const principal = entity('Caller', input.principal.id);
  const resource = entity(type, RESOURCE_ID);
  return {
    principal,
    action: entity('Action', input.action),
    resource,
    context: {
      ...present({ purpose: input.context.purpose, extendsDays, termDays, seats }),
      stepUp,
      signed,
      reason,
      approved,
      strength,
      weekday,
      hour,
      epoch,
      networks,
      rolesChanged,
      device: { ...device },
      zone: { __entity: entity('Zone', zone) },
      lock: { __entity: entity('Lock', lock) },
    },
    entities: [
      {
        uid: principal,
        attrs: { kind: { __entity: entity('Kind', input.principal.kind) } },
        parents: input.principal.roles.map((role) => entity('Role', role)),
      },
      { uid: resource, attrs: { ...present({ product, state, purpose }), own }, parents: [] },
    ],
    preparsedPolicySetId: policy,
    preparsedSchemaName: schema,
    validateRequest: true,
  };
}

function readAnswer(answer: AuthorizationAnswer): Verdict {
  const warnings = answer.warnings.map(({ message }) => message);
  if (answer.type === 'failure') {
    const errors = [...answer.errors.map(({ message }) => message), ...warnings];
    return { allowed: false, reasons: [], errors: errors.length > 0 ? errors : ['Cedar failed'] };
  }
  const { decision, diagnostics } = answer.response;
  const errors = [
    ...diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`),
    ...warnings,
  ];
  const reasons = [...diagnostics.reason].sort();
  return { allowed: decision === 'allow' && errors.length === 0 && reasons.length > 0, reasons, errors };
}

function textsOf({ policies }: PolicySource): Record<string, string> {
  return Object.fromEntries(policies.map(({ id, lines }) => [id, lines.join('\n')]));
}

/** Returns the roles of a schema that is valid and has no warnings. */
function readSchema({ schema }: PolicySource): readonly string[] {
  const text = schema.join('\n');
  const answer = guarded(() => schemaToJson(text));
  const problem = answer.type === 'failure' ? answer.errors[0] : answer.warnings[0];
  if (answer.type === 'failure' || problem !== undefined) throw located(problem, text, null);
  const role = answer.json['']?.entityTypes['Role'];
  if (role === undefined || !('enum' in role))
    throw new PolicyError('the schema has no enumeration of roles: entity Role enum ["…"];');
  return [...role.enum].sort();
}

/** Warnings count as errors: they tell of policies that never apply, and of text that reads as other text. */
function checkPolicies(source: PolicySource): void {
  const texts = textsOf(source);
  const answer = guarded(() =>
    validate({
      schema: source.schema.join('\n'),
      policies: { staticPolicies: texts },
      validationSettings: { mode: 'strict' },
    }),
  );
  if (answer.type === 'failure') {
    const [error] = [...answer.errors, ...answer.warnings];
    const id = /with id `([^`]*)`/.exec(error?.message ?? '')?.[1] ?? null;
    throw located(error, id === null ? '' : (texts[id] ?? ''), id);
  }
  const found: ValidationError[] = [...answer.validationErrors, ...answer.validationWarnings];
  const first = found[0];
  if (first !== undefined) throw located(first.error, texts[first.policyId] ?? '', first.policyId);
  const [other] = answer.otherWarnings;
  if (other !== undefined) throw located(other, '', null);
}

/** Roles of what this thread has prepared, by both hashes: Cedar keeps it for as long as the thread lives. */
const preparedSets = new Map<string, readonly string[]>();

const ownRoles: readonly string[] = [...defaultRoles, ...internalRoles].sort();

/** Whether it is the set that comes with the software, whoever hands it over. */
function isOwn(policy: string, schema: string): boolean {
  const own = defaultPolicyDocument();
  return policy === policySetHash(own) && schema === schemaHash(own);
}

/** Returns the roles of a set that is valid under its schema and says nothing in vain; throws PolicyError for any other. */
export function checkPolicySet(source: PolicySource): readonly string[] {
  const roles = readSchema(source);
  checkPolicies(source);
  return roles;
}

/** Checks and prepares a set once in a thread. Returns its roles. */
function rolesOfPrepared(source: PolicySource, policy: string, schema: string): readonly string[] {
  const name = `${policy} ${schema}`;
  const known = preparedSets.get(name);
  if (known !== undefined) return known;
  // What comes with the software was checked before it did: that takes a start a quarter of a second.
  const roles = isOwn(policy, schema) ? ownRoles : checkPolicySet(source);
  prepare(source, policy, schema);
  preparedSets.set(name, roles);
  return roles;
}

/** A name is the hash of what it stands for, so that nothing that another engine prepared can stand in for it. */
function prepare(source: PolicySource, policy: string, schema: string): void {
  for (const answer of [
    guarded(() => preparseSchema(schema, source.schema.join('\n'))),
    guarded(() => preparsePolicySet(policy, { staticPolicies: textsOf(source) })),
  ]) {
    if (answer.type === 'failure') throw located(answer.errors[0], '', null);
  }
}

/** Cedar throws where it was called wrongly, or ran out of its stack. */
function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new PolicyError(messageOf(error));
  }
}

function located(error: DetailedError | undefined, text: string, policy: string | null): PolicyError {
  const message = [error?.message ?? 'Cedar refuses it', error?.help].filter(Boolean).join('; ');
  const start = error?.sourceLocations?.[0]?.start;
  return new PolicyError(message, policy, start === undefined ? null : lineAt(text, start));
}

/** Cedar counts bytes of UTF-8. */
function lineAt(text: string, offset: number): number {
  return (
    utf8(text)
      .subarray(0, offset)
      .filter((byte) => byte === 10).length + 1
  );
}
