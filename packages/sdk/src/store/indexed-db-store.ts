import { type CopyStorage, TwoCopies } from './two-copies.ts';

const table = 'license';

/**
 * For browsers, in pages and workers alike. IndexedDB rather than localStorage: a transaction writes all or
 * nothing, `strict` means on the disk when it ends, and it does not stop the page.
 */
export class IndexedDbStore extends TwoCopies {
  /** @param name of the database, one for each product of a vendor on the same origin */
  constructor(name: string) {
    super(new IndexedDbCopies(name));
  }
}

class IndexedDbCopies implements CopyStorage {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async read(copy: 'first' | 'second'): Promise<string | null> {
    using database = await openDatabase(this.#name);
    const found: unknown = await settled(database.value.transaction(table).objectStore(table).get(copy));
    // A row of another kind is damage, and no text of a state.
    return found === undefined ? null : typeof found === 'string' ? found : '';
  }

  async write(text: string): Promise<void> {
    using database = await openDatabase(this.#name);
    const transaction = database.value.transaction(table, 'readwrite', { durability: 'strict' });
    const rows = transaction.objectStore(table);
    rows.put(text, 'first');
    rows.put(text, 'second');
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
    });
  }
}

/** A connection for one operation: an open one would hold up another tab that upgrades or deletes the database. */
async function openDatabase(name: string): Promise<{ value: IDBDatabase } & Disposable> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(table);
  const value = await settled(request);
  return { value, [Symbol.dispose]: () => value.close() };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the database failed'));
  });
}
