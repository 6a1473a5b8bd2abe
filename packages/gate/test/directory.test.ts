/** Who may use the system is what the newest revisions say, in whatever order they are heard of. */
import type { CredentialDocument, PrincipalDocument, TallyDocument } from '@tallystick/license';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Directory, defaultPolicyDocument, isUsable } from '../src/index.ts';

const at = '2026-11-26T10:15:30.000Z';
const head: { v: 1; ns: string; crit: string[] } = { v: 1, ns: 'acme', crit: [] };
const person = (id: string, rev: number, changes: Partial<PrincipalDocument> = {}): PrincipalDocument => ({
  ...head,
  type: 'principal',
  id,
  rev,
  kind: 'person',
  name: id,
  email: null,
  state: 'active',
  roles: [{ role: 'administrator', products: null, until: null }],
  metadata: {},
  ...changes,
});
const passkey = (id: string, rev: number, changes: Partial<CredentialDocument> = {}): CredentialDocument => ({
  ...head,
  type: 'credential',
  id,
  rev,
  principal: 'prn_a',
  kind: 'passkey',
  name: id,
  state: 'active',
  notAfter: null,
  scope: { actions: null, products: null, networks: null },
  lookup: `lookup-of-${id}`,
  material: {},
  replaces: null,
  ...changes,
});
const filled = (...documents: TallyDocument[]): Directory => {
  const directory = new Directory();
  for (const document of documents) directory.apply(document);
  return directory;
};

describe('a directory', () => {
  it('is the same whatever order documents come in, and however often', () => {
    const documents: TallyDocument[] = [
      person('prn_a', 0),
      person('prn_a', 1, { state: 'disabled' }),
      passkey('crd_1', 0),
      passkey('crd_1', 1, { state: 'revoked' }),
      passkey('crd_2', 0),
    ];
    fc.assert(
      fc.property(
        fc.shuffledSubarray(documents, { minLength: 5 }),
        fc.array(fc.constantFrom(...documents)),
        (order, again) => {
          const directory = filled(...order, ...again);
          expect(directory.principal('prn_a')?.state).toBe('disabled');
          expect(directory.credential('crd_1')?.state).toBe('revoked');
          expect(directory.credentialBy('passkey', 'lookup-of-crd_1')).toBeUndefined();
          expect(directory.credentialBy('passkey', 'lookup-of-crd_2')?.id).toBe('crd_2');
          expect(directory.credentialsOf('prn_a').map(({ id }) => id)).toEqual(['crd_1', 'crd_2']);
        },
      ),
    );
  });

  it('finds a credential by its kind and name together', () => {
    const directory = filled(passkey('crd_1', 0, { lookup: 'x' }));
    expect(directory.credentialBy('api_key', 'x')).toBeUndefined();
    expect(directory.credentialBy('passkey', 'x')?.id).toBe('crd_1');
  });

  it('lets the name of a revoked credential go to another one, and keeps it there', () => {
    const directory = filled(
      passkey('crd_1', 0, { lookup: 'x' }),
      passkey('crd_1', 1, { lookup: 'x', state: 'revoked' }),
      passkey('crd_2', 0, { lookup: 'x' }),
    );
    expect(directory.credentialBy('passkey', 'x')?.id).toBe('crd_2');
  });
});

describe('a system', () => {
  const policy: TallyDocument = {
    ...head,
    type: 'policy',
    id: 'policies',
    rev: 0,
    ...defaultPolicyDocument(),
  };

  it('is unclaimed until somebody can let others in for good', () => {
    expect(filled().isUnclaimed(at)).toBe(true);
    expect(filled(person('prn_a', 0)).isUnclaimed(at)).toBe(true);
    expect(filled(person('prn_a', 0), passkey('crd_1', 0)).isUnclaimed(at)).toBe(false);
  });

  it.each([
    ['is disabled', person('prn_a', 0, { state: 'disabled' }), passkey('crd_1', 0)],
    ['is a service', person('prn_a', 0, { kind: 'service' }), passkey('crd_1', 0)],
    [
      'has another role',
      person('prn_a', 0, { roles: [{ role: 'issuer', products: null, until: null }] }),
      passkey('crd_1', 0),
    ],
    [
      'is administrator for a time',
      person('prn_a', 0, {
        roles: [{ role: 'administrator', products: null, until: '2027-01-01T00:00:00.000Z' }],
      }),
      passkey('crd_1', 0),
    ],
    ['has a way in that has ended', person('prn_a', 0), passkey('crd_1', 0, { notAfter: at })],
    ['was only invited', person('prn_a', 0), passkey('crd_1', 0, { kind: 'invitation' })],
    ['has only half of a way in', person('prn_a', 0), passkey('crd_1', 0, { kind: 'totp' })],
  ])('is nobody’s while who it has %s', (_, who, credential) => {
    expect(filled(who, credential).isUnclaimed(at)).toBe(true);
  });

  it('that has a policy stays claimed, whoever is hidden from its lists', () => {
    expect(filled(policy).isUnclaimed(at)).toBe(false);
  });

  it('that could not be read whole is not taken for unclaimed', () => {
    const directory = filled();
    directory.seal();
    expect(directory.isUnclaimed(at)).toBe(false);
    directory.seal(false);
    expect(directory.isUnclaimed(at)).toBe(true);
  });
});

describe('a credential', () => {
  it.each([
    [{}, true],
    [{ notAfter: '2026-11-26T10:15:30.001Z' }, true],
    [{ notAfter: at }, false],
    [{ state: 'revoked' }, false],
  ] as const)('with %j is good: %s', (changes, isGood) => {
    expect(isUsable(passkey('crd_1', 0, changes), at)).toBe(isGood);
  });
});
