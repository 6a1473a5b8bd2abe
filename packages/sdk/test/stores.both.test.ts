import { expect, it } from 'vitest';
import { encodeState, InMemoryStore, parseState } from '../src/index.ts';
import { describeStore } from './support/store-contract.ts';

let store = new InMemoryStore();
describeStore('in memory', async (fresh) => {
  if (fresh) store = new InMemoryStore();
  return store;
});

it('a stored state with any character changed is damaged, never another state', () => {
  const text = encodeState({ bundle: '{"v":1}', memory: null });
  for (let at = 0; at < text.length; at++) {
    const changed = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
    for (const each of [changed, text.slice(0, at), text.slice(0, at) + text.slice(at + 1)]) {
      expect(() => parseState(each), each).toThrow(expect.objectContaining({ code: 'damaged' }));
    }
  }
});
