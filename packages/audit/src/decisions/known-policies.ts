import { defaultPolicyDocument, type PolicySource, policySetHash, schemaHash } from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';

/**
 * The policy sets that decisions may name: those of the log, the one that comes with this version, and those that
 * somebody hands over because they came with another version. Each is parsed when it is first asked for.
 */
export class KnownPolicies {
  readonly #sources = new Map<string, PolicySource>();
  readonly #engines = new Map<string, PolicyEngine>();
  /** Names of the sets that are in force where a log has none. */
  readonly #defaults = new Set<string>();

  constructor(defaults: readonly PolicySource[]) {
    for (const source of [defaultPolicyDocument(), ...defaults]) this.#defaults.add(this.add(source));
  }

  /** Returns the name of a set. */
  add(source: PolicySource): string {
    const name = nameOf({ policy: policySetHash(source), schema: schemaHash(source) });
    if (!this.#sources.has(name)) this.#sources.set(name, source);
    return name;
  }

  isDefault(name: string): boolean {
    return this.#defaults.has(name);
  }

  /** null for a set that is not known. Throws PolicyError for one that cannot be evaluated. */
  engine(name: string): PolicyEngine | null {
    const known = this.#engines.get(name);
    if (known !== undefined) return known;
    const source = this.#sources.get(name);
    if (source === undefined) return null;
    const engine = new PolicyEngine(source);
    this.#engines.set(name, engine);
    return engine;
  }
}

export function nameOf({ policy, schema }: { policy: string; schema: string }): string {
  return `${policy} ${schema}`;
}
