/** The name of everything that a policy says: approvals given under one are for that one alone. */
import { base64, domainHash, hashDomain, utf8 } from '@tallystick/core';
import type { PolicyContent } from '@tallystick/license';

const rulesDomain = hashDomain('tallystick/policy-content/v1');

/** H("tallystick/policy-content/v1" || 00 || the members as JSON, in the order of the document), base64. */
export function policyContentHash({ schema, policies, approvals, durable, sessions }: PolicyContent): string {
  return base64(
    domainHash(rulesDomain, utf8(JSON.stringify({ schema, policies, approvals, durable, sessions }))),
  );
}
