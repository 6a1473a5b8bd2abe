import { equalBytes, headValue, SubjectMap, sha256, u64be, utf8, verifyMapProof } from '@tallystick/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogState } from '../src/log-state.ts';

const genesis = new Uint8Array(32);

/** Appends revisions of subjects, and knows what the log then says of each. */
class Model {
  readonly state = new LogState(genesis, 'acme');
  readonly newest = new Map<string, { index: number; rev: number; leaf: Uint8Array }>();
  readonly #map = new SubjectMap();

  change(id: string): void {
    const index = this.state.size;
    const rev = (this.newest.get(id)?.rev ?? -1) + 1;
    const leaf = sha256(u64be(index));
    const subject = this.state.keyOf(id);
    this.state.append({ index, leaf, subject, rev });
    this.newest.set(id, { index, rev, leaf });
    this.#map.set({ key: subject, leaf, index, rev });
  }

  /** As an entry that is no record, such as a map root. */
  anchor(): { size: number; root: Uint8Array } {
    const root = this.state.advanceMap();
    expect(equalBytes(root, this.#map.root())).toBe(true);
    const index = this.state.size;
    this.state.append({ index, leaf: sha256(utf8(`root ${index}`)), subject: null, rev: 0 });
    return { size: index + 1, root };
  }

  check(): void {
    for (const [id, { index, rev, leaf }] of this.newest) {
      expect(this.state.newestOf(id)).toEqual({ index, rev });
      expect(this.state.head(this.state.keyOf(id))).toMatchObject({ index, rev });
      expect(equalBytes(this.state.head(this.state.keyOf(id))?.leaf ?? genesis, leaf)).toBe(true);
    }
  }
}

describe('LogState.advanceMapInParts', () => {
  it('leaves heads, past roots and the next root as they are, whatever is appended beside it', async () => {
    const moments = fc.array(fc.nat({ max: 40 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(moments, fc.nat({ max: 300 }), async (beside, seed) => {
        const model = new Model();
        for (let at = 0; at < 50; at++) model.change(`s${at}`);
        const published = model.anchor();
        const before = new Map(model.newest);
        // More than two parts, and subjects that change more than once.
        for (let at = 0; at < 1300; at++) model.change(`s${(at * (seed + 1)) % 1250}`);
        const advanced = model.state.advanceMapInParts();
        for (const subject of beside) {
          model.change(`s${subject}`);
          model.check();
          await new Promise(setImmediate);
          const past = model.state.map.at(published.size);
          expect(equalBytes(past.root(), published.root)).toBe(true);
          const key = model.state.keyOf(`s${subject}`);
          const { index, leaf } = before.get(`s${subject}`) ?? { index: 0, leaf: genesis };
          verifyMapProof(past.prove(key), key, headValue(index, leaf), published.root);
        }
        await advanced;
        model.check();
        model.anchor();
        model.check();
      }),
      { numRuns: 20 },
    );
  });

  it('is overtaken by what needs the root at once', async () => {
    const model = new Model();
    for (let at = 0; at < 1500; at++) model.change(`s${at}`);
    const advanced = model.state.advanceMapInParts();
    model.change('s3');
    model.anchor();
    model.change('s3');
    await advanced;
    model.check();
    model.anchor();
  });

  it('says while it moves, and stands at what it was brought to', async () => {
    const model = new Model();
    model.change('s0');
    const { size } = model.anchor();
    await model.state.advanceMapInParts();
    expect(model.state.mapMoves).toBeNull();
    for (let at = 1; at < 600; at++) model.change(`s${at}`);
    const to = model.state.size;
    const advanced = model.state.advanceMapInParts();
    expect(model.state.mapSize).toBe(size);
    model.change('s0');
    await model.state.mapMoves;
    expect(model.state.mapMoves).toBeNull();
    expect(model.state.mapSize).toBe(to);
    await advanced;
  });
});

describe('a log that could not publish for long', () => {
  it('still tells the map root that it published, and forgets it once it is told to', () => {
    const { state } = new Model();
    const keys = Array.from({ length: 500 }, (_, at) => state.keyOf(`s${at}`));
    const leaf = sha256(utf8('leaf'));
    const append = (upTo: number): void => {
      for (let index = state.size; index < upTo; index++) {
        const nth = index % keys.length;
        state.append({ index, leaf, subject: keys[nth] ?? leaf, rev: Math.floor(index / keys.length) });
      }
    };
    append(1000);
    const published = state.advanceMap();
    append(210_000);
    state.advanceMap();
    expect(equalBytes(state.map.at(1000).root(), published)).toBe(true);
    state.forgetMapsBefore(1001);
    expect(() => state.map.at(1000)).toThrow(RangeError);
  });

  it('keeps the maps that a report began under, however often it published since', () => {
    const model = new Model();
    for (let at = 0; at < 10; at++) model.change(`s${at}`);
    const begun = model.anchor();
    for (let round = 0; round < 5; round++) {
      model.change('s1');
      model.state.forgetMapsBefore(model.anchor().size);
    }
    expect(equalBytes(model.state.map.at(begun.size).root(), begun.root)).toBe(true);
  });
});
