/** Roles of the schema that comes with Tallystick. */

/** What a principal can be given. */
export const defaultRoles = [
  'viewer',
  'support',
  'issuer',
  'product-owner',
  'key-custodian',
  'auditor',
  'incident-responder',
  'administrator',
  'content-mirror',
] as const;

/** What the two tokens of a system's folder have, and nobody can be given. */
export const internalRoles = ['bootstrap', 'mirror'] as const;
