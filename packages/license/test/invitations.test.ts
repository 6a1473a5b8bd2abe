import { beforeEach, describe, expect, it } from 'vitest';
import { actAs, person } from './gate-situations.ts';
import { World } from './world.ts';

let world: World;
let ada: string;
let grace: string;
let invitation: string;

beforeEach(() => {
  world = new World();
  [ada, grace] = [person(world, 'Ada'), person(world, 'Grace')];
  const invited = {
    type: 'credential.create',
    principal: ada,
    kind: 'invitation',
    name: 'Invitation',
  } as const;
  invitation = world.make({ ...invited, lookup: 'hmac', notAfter: '2026-03-02T12:00:00.000Z' });
  actAs(world, ada, { actor: { principal: ada, credential: invitation, session: null } });
});

const passkey = (principal: string, lookup: string) =>
  ({ type: 'credential.create', principal, kind: 'passkey', name: 'Passkey', lookup }) as const;

describe('an invitation', () => {
  it('ends with the credential that it makes, in one step, and makes no second one', () => {
    const changes = world.do(passkey(ada, 'one'));
    expect(changes.map(({ type, document: { id } }) => [type, id === invitation])).toEqual([
      ['credential.created', false],
      ['credential.revoked', true],
    ]);
    expect(world.refused(passkey(ada, 'two')).code).toBe('state_forbids');
  });

  it('makes nothing for somebody else, and nothing but what lets a person in', () => {
    expect(world.refused(passkey(grace, 'one')).code).toBe('state_forbids');
    for (const kind of ['api_key', 'oidc', 'http_signature', 'invitation', 'totp'] as const) {
      const { code } = world.refused({ ...passkey(ada, 'one'), kind });
      expect([kind, code]).toEqual([kind, 'state_forbids']);
    }
    expect(world.subject('credential', invitation)?.document.state).toBe('active');
  });

  it('takes the place of a password that was lost', () => {
    const password = { ...passkey(ada, ada), kind: 'password' } as const;
    world.gate = null;
    const lost = world.make(password);
    actAs(world, ada, { actor: { principal: ada, credential: invitation, session: null } });
    expect(world.refused(password).code).toBe('credential_taken');
    const changes = world.do({ ...password, replaces: lost });
    expect(changes.map(({ type }) => type).toSorted()).toEqual([
      'credential.created',
      'credential.revoked',
      'credential.revoked',
    ]);
  });
});
