/** What is made of a request before, or without, knowing whose it is. */
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { HttpMessage } from '../src/http-signature/index.ts';
import { newWorld, removeWorlds, requestOf, type World } from './support/people.ts';
import { body, newSigningKey, signed } from './support/request.ts';

afterAll(removeWorlds);

const key = newSigningKey();
let world: World;
let apiKey: string;

beforeEach(() => {
  world = newWorld();
  world.people.addPrincipal('prn_service', 'service');
  apiKey = world.people.addApiKey('crd_key', 'prn_service');
  world.people.addSigningKey('crd_signing', 'prn_service', key);
});

const signedNow = (by = key): HttpMessage =>
  signed(by, {}, body, { nowMs: world.clock.ms, nonce: crypto.randomUUID() });

describe('an allowance', () => {
  const of = (given: Parameters<typeof requestOf>[0]): string | null =>
    world.authenticator.allowanceOf(requestOf(given));

  test('is of the credential that is shown, if there is such a one', () => {
    expect(of({ headers: { authorization: `Bearer ${apiKey}` } })).toBe('crd_key');
    expect(of({ headers: { authorization: 'Bearer bootstrap-token' } })).toBe('bootstrap');
    const stranger = newWorld().people.addApiKey('crd_x', 'prn_x');
    expect(of({ headers: { authorization: `Bearer ${stranger}` } })).toBeNull();
    expect(of({})).toBeNull();
  });

  test('of a signature that is not checked yet is of its sender alone', () => {
    expect(of({ message: signedNow() })).toBe('crd_signing 192.0.2.7');
    expect(of({ message: signedNow(), socketAddress: '203.0.113.9' })).toBe('crd_signing 203.0.113.9');
    expect(of({ message: signedNow(newSigningKey()) })).toBeNull();
  });
});

test('whatever a stranger sends is answered, and never by name', async () => {
  const names = [
    'authorization',
    'cookie',
    'signature',
    'signature-input',
    'content-digest',
    'x-forwarded-for',
  ];
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'Bearer ',
      'tally_api_',
      '__Host-tally-session=',
      ';tag="tallystick"',
      'sig=(',
      ')',
      ':AA==:',
    ),
  );
  const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const headers = fc.dictionary(fc.constantFrom(...names, 'tally-device', 'tally-purpose', 'host'), text);
  await fc.assert(
    fc.asyncProperty(
      headers,
      fc.constantFrom('192.0.2.7', '10.0.0.1', 'nowhere', ''),
      async (sent, socketAddress) => {
        const answer = await world.authenticator.authenticate(requestOf({ headers: sent, socketAddress }));
        expect(answer.ok ? answer.caller : null).toBeNull();
        world.authenticator.allowanceOf(requestOf({ headers: sent, socketAddress }));
      },
    ),
    { numRuns: 300 },
  );
});
