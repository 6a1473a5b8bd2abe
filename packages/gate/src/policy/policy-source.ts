/** Policies and schema as text: their shape, their limits and their names. */
import { base64, domainHash, hashDomain, isProfileText, utf8 } from '@tallystick/core';

/** The members of a policy document that Cedar reads. */
export interface PolicySource {
  /** Lines of the schema, in Cedar's own syntax. */
  schema: readonly string[];
  /** One Cedar policy each, in lines. */
  policies: readonly { readonly id: string; readonly lines: readonly string[] }[];
}

/** Policies that cannot be used, and where. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  /** Id of the policy; null where it is the schema, or the set as a whole. */
  readonly policy: string | null;
  /** Line in the policy or in the schema, from 1; null where it is none in particular. */
  readonly line: number | null;

  constructor(message: string, policy: string | null = null, line: number | null = null) {
    super(message);
    this.policy = policy;
    this.line = line;
  }
}

const POLICIES_MAX = 512;
const LINES_MAX = 4096;
const LINE_LENGTH_MAX = 1024;
const idRule = /^[a-z][a-z0-9-]{0,63}$/;

/** Characters that turn text around or do not show: what a reviewer reads must be what is evaluated. */
const invisible = /[\p{Cf}\p{Zl}\p{Zp}]/u;

const policyDomain = hashDomain('tallystick/policy-set/v1');
const schemaDomain = hashDomain('tallystick/policy-schema/v1');

/** base64; the order of policies means nothing to Cedar, and so nothing here. */
export function policySetHash({ policies }: PolicySource): string {
  const sorted = policies
    .map(({ id, lines }) => ({ id, lines: [...lines] }))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
  return base64(domainHash(policyDomain, utf8(JSON.stringify(sorted))));
}

/** base64 */
export function schemaHash({ schema }: PolicySource): string {
  return base64(domainHash(schemaDomain, utf8(JSON.stringify(schema))));
}

/** Throws PolicyError where text is too long or hides something, or two policies have one id. */
export function checkSource({ schema, policies }: PolicySource): void {
  checkLines(schema, null);
  if (policies.length > POLICIES_MAX) throw new PolicyError(`more than ${POLICIES_MAX} policies`);
  const seen = new Set<string>();
  for (const { id, lines } of policies) {
    if (!idRule.test(id))
      throw new PolicyError(`${JSON.stringify(id)} is no id of a policy: ${idRule.source}`);
    if (seen.has(id)) throw new PolicyError('another policy has this id', id);
    seen.add(id);
    checkLines(lines, id);
  }
}

function checkLines(lines: readonly string[], policy: string | null): void {
  if (lines.length > LINES_MAX) throw new PolicyError(`more than ${LINES_MAX} lines`, policy);
  for (const [at, line] of lines.entries()) {
    if (line.length > LINE_LENGTH_MAX)
      throw new PolicyError(`more than ${LINE_LENGTH_MAX} characters in a line`, policy, at + 1);
    if (!isProfileText(line) || invisible.test(line))
      throw new PolicyError('a character that does not show, or text that is not NFC', policy, at + 1);
  }
}
