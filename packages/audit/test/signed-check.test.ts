/** What a log says of what was signed elsewhere and approved, held against what it has. */
import { base64, leafHash, utf8 } from '@tallystick/core';
import type { ApprovalDocument } from '@tallystick/license';
import { expect, test } from 'vitest';
import { SignedCheck } from '../src/decisions/signed-check.ts';

const bytes = (text: string): string => base64(utf8(text));
const leaf = (text: string): Uint8Array => leafHash(utf8(text));
const revision = {
  entry: bytes('revision'),
  document: bytes('document'),
  cause: { salt: bytes('salt'), document: bytes('cause') },
};
const executed = (command: object, state = 'executed') =>
  ({ type: 'approval', state, command }) as unknown as ApprovalDocument;
const both = { type: 'trust.publish', envelopes: [bytes('root')], namespace: revision };
const missing = { index: 7, message: expect.stringContaining('that is not behind it') as string };

function check(command: object, entries: readonly (string | null)[], state?: string): unknown[] {
  const signed = new SignedCheck([]);
  signed.executed(7, [executed(command, state)]);
  const found = entries.map((entry, nth) => signed.next(8 + nth, entry === null ? null : leaf(entry)));
  return [...found, signed.end()].filter((each) => each !== null);
}

test.each<[string, object, string[]]>([
  ['a revision', { type: 'namespace.revise', ...revision }, ['revision', 'other']],
  ['a trust root with a revision', both, ['root', 'revision']],
  ['what is no matter of this', { type: 'license.revoke' }, ['other']],
])('%s that is right behind its request is as it has to be', (_, command, entries) => {
  expect(check(command, entries)).toEqual([]);
});

test.each<[string, string[]]>([
  ['nothing', []],
  ['a part of it', ['root']],
  ['something else', ['other', 'root', 'revision']],
  ['something in between', ['root', 'other', 'revision']],
])('a request with %s behind it is found', (_, entries) => {
  expect(check(both, entries)).toEqual([missing]);
});

test('a request that was not carried out approves nothing', () => {
  const signed = new SignedCheck([]);
  signed.executed(7, [executed(both, 'approved')]);
  signed.next(8, leaf('root'));
  expect(signed.isApproved(8)).toBe(false);
});
