import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  deriveGateSecrets,
  newSecretToken,
  secretTokenKind,
  secretTokenKinds,
  secretTokenLookup,
  secretTokenPattern,
} from '../src/index.ts';

const root = createSecretKey(Buffer.alloc(32, 7));
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const kinds = fc.constantFrom(...secretTokenKinds);

test('a token says its kind, and its pattern finds it in the middle of a file', () => {
  fc.assert(
    fc.property(bytes32, kinds, (random, kind) => {
      const token = newSecretToken(kind, () => random);
      expect(secretTokenKind(token)).toBe(kind);
      expect(new RegExp(secretTokenPattern).exec(`export TALLY_KEY="${token}" # ours`)?.[0]).toBe(token);
    }),
  );
});

test('two random values never make one token', () => {
  fc.assert(
    fc.property(bytes32, bytes32, (a, b) => {
      fc.pre(Buffer.compare(a, b) !== 0);
      expect(newSecretToken('api', () => a)).not.toBe(newSecretToken('api', () => b));
    }),
  );
});

test('the published example has the checksum that every scanner must compute', () => {
  const token = newSecretToken('api', () => new Uint8Array(32));
  expect(token).toBe(`tally_api_${'0'.repeat(43)}29Lsdw`);
});

test('one changed character is no token, wherever it is', () => {
  const token = newSecretToken('partner', () => randomBytes(32));
  for (let at = 0; at < token.length; at++) {
    const other = token[at] === 'x' ? 'y' : 'x';
    expect(secretTokenKind(token.slice(0, at) + other + token.slice(at + 1))).toBeNull();
  }
});

test('a token of one kind is none of another: the checksum covers the kind', () => {
  const token = newSecretToken('partner', () => randomBytes(32));
  expect(secretTokenKind(token.replace('partner', 'api'))).toBeNull();
});

test('one token is found under different names for each use and each namespace', () => {
  const token = newSecretToken('api', () => randomBytes(32));
  const [acme, other] = [deriveGateSecrets(root, 'acme'), deriveGateSecrets(root, 'other')];
  const names = [acme.apiKeys, acme.sessions, acme.rows, other.apiKeys, root].map((key) =>
    secretTokenLookup(key, token),
  );
  expect(new Set(names).size).toBe(names.length);
  expect(secretTokenLookup(deriveGateSecrets(root, 'acme').apiKeys, token)).toBe(names[0]);
});

test('what is compared says nothing of the secret: near misses look like strangers', () => {
  const { apiKeys } = deriveGateSecrets(root, 'acme');
  const token = newSecretToken('api', () => randomBytes(32));
  const lookup = secretTokenLookup(apiKeys, token);
  const shared = (text: string): number =>
    Array.from(text).findIndex((character, at) => character !== lookup[at]);
  // A comparison that stops at the first difference would stop just as early for a guess that is nearly right.
  for (let known = 10; known < token.length - 6; known++) {
    const guess = token.slice(0, known) + (token[known] === 'x' ? 'y' : 'x') + token.slice(known + 1);
    expect(shared(secretTokenLookup(apiKeys, guess))).toBeLessThan(8);
  }
});
