/**
 * What goes from one thread to another. Everything of one turn of the event loop leaves together, because a message costs
 * more than what is in it; and no more than so much at once, so that the other thread begins while this one goes on.
 */
const perMessageMax = 32;

export class Outbox<T> {
  readonly #send: (items: T[]) => void;
  #items: T[] = [];

  constructor(send: (items: T[]) => void) {
    this.#send = send;
  }

  add(item: T): void {
    if (this.#items.length === 0) setImmediate(() => this.#flush());
    this.#items.push(item);
    if (this.#items.length === perMessageMax) this.#flush();
  }

  #flush(): void {
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#send(items);
  }
}
