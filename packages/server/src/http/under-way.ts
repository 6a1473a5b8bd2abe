/** The requests of a listener that are being answered: a server that stops answers them first. */
import type { RequestListener } from 'node:http';

export class UnderWay {
  #count = 0;
  #isStopping = false;
  #tellNone: () => void = () => {};

  /** True once the listener is to end: what comes then is told to come back. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  watch(handle: RequestListener): RequestListener {
    return (request, response) => {
      this.#count += 1;
      // Also where the peer went away before it had its answer.
      response.once('close', () => {
        this.#count -= 1;
        if (this.#count === 0) this.#tellNone();
      });
      handle(request, response);
    };
  }

  /** Resolves when nothing is under way any more, or after so many milliseconds: some ask slowly, or wait for long. */
  async finish(msMax: number): Promise<void> {
    this.#isStopping = true;
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, msMax);
      this.#tellNone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
