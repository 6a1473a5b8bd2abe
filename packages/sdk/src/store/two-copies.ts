/** What every store does alike: two copies of one state, of which the second stands in for a damaged first. */
import { StoreError } from '../errors.ts';
import {
  type ClientState,
  type ClientStore,
  emptyState,
  encodeState,
  type Loaded,
  parseState,
} from './store.ts';

/** Where the two copies lie. */
export interface CopyStorage {
  /** Null where there is no such copy. */
  read(copy: 'first' | 'second'): Promise<string | null>;
  /** Replaces the first and then the second copy, each whole or not at all; durable when it resolves. */
  write(text: string): Promise<void>;
}

export class TwoCopies implements ClientStore {
  readonly #storage: CopyStorage;

  constructor(storage: CopyStorage) {
    this.#storage = storage;
  }

  async load(): Promise<Loaded> {
    const first = await this.#copy('first');
    if (first.state !== null) return { state: first.state, damage: null };
    const second = await this.#copy('second');
    // A second copy without a first is what remains when somebody deletes the first.
    const missing =
      second.state === null ? null : new StoreError('damaged', 'stored license: the first copy is gone');
    return { state: second.state ?? emptyState, damage: first.damage ?? second.damage ?? missing };
  }

  async save(state: ClientState): Promise<void> {
    const text = encodeState(state);
    await unavailableUnless(() => this.#storage.write(text));
  }

  async #copy(copy: 'first' | 'second'): Promise<{ state: ClientState | null; damage: StoreError | null }> {
    const text = await unavailableUnless(() => this.#storage.read(copy));
    if (text === null) return { state: null, damage: null };
    try {
      return { state: parseState(text), damage: null };
    } catch (error) {
      if (error instanceof StoreError && error.code === 'damaged') return { state: null, damage: error };
      throw error;
    }
  }
}

async function unavailableUnless<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StoreError('unavailable', `stored license: ${String(error)}`, { cause: error });
  }
}
