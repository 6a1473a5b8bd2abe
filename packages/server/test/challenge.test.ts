import { defaultPolicyDocument } from '@tallystick/gate';
import type { PolicyDocument } from '@tallystick/license';
import { expect, it } from 'vitest';
import { challengeOf } from '../src/http/challenge.ts';

it('asks for proof of presence that is as fresh as the policy in force wants it', () => {
  const content = defaultPolicyDocument();
  const policy = { ...content, sessions: { ...content.sessions, stepUp: 'PT1M' } } as PolicyDocument;
  const challenge = (max: number): string =>
    `Bearer error="insufficient_user_authentication", max_age=${max}`;
  expect(challengeOf('insufficient_user_authentication', { policy })).toBe(challenge(60));
  expect(challengeOf('insufficient_user_authentication', { policy: null })).toBe(challenge(300));
  expect(challengeOf('unauthorized', { policy })).toBe('Bearer');
});
