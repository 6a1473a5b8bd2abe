/** Writes the projections in a thread of its own: whoever decides reads them meanwhile, as they were before. */
import { Thread } from '../thread/thread.ts';
import type { ProjectedRequest, ProjectionWriter, RevisionRows } from './projections.ts';

export class ThreadedProjectionWriter implements ProjectionWriter, AsyncDisposable {
  readonly #thread: Thread;

  private constructor(thread: Thread) {
    this.#thread = thread;
  }

  /** Makes the file where it is missing. */
  static async open(file: string): Promise<ThreadedProjectionWriter> {
    const script = new URL('./projections.worker.ts', import.meta.url);
    return new ThreadedProjectionWriter(await Thread.start(script, { file }));
  }

  async apply(
    revisions: readonly RevisionRows[],
    requests: readonly ProjectedRequest[],
    size: number,
  ): Promise<void> {
    // As text, because copying one string between threads is cheaper than copying a tree of objects.
    await this.#thread.call('apply', JSON.stringify({ revisions, requests, size }));
  }

  async scrub(): Promise<void> {
    await this.#thread.call('scrub', null);
  }

  async clear(): Promise<void> {
    await this.#thread.call('clear', null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}
