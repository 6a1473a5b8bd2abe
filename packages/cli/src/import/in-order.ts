/** Works on many items at once, and hands over the results in the order of the items. */

interface Slot<R> {
  result: { value: R } | null;
}

export interface InOrderOptions {
  /** How many items are worked on at the same time. */
  concurrency: number;
  /** No item is begun when aborted; those in work are finished. */
  signal: AbortSignal;
}

/** How far work may run ahead of the oldest item that is not done, as a multiple of the concurrency. */
const WINDOW = 8;

/**
 * Reads from `source` only as fast as the work goes. `commit` is called for one result at a time. When `work`
 * throws, nothing more is begun; what was begun is finished, what comes before the failure is committed, and
 * then the failure is thrown.
 */
export async function mapInOrder<T, R>(
  source: AsyncIterable<T>,
  options: InOrderOptions,
  work: (item: T) => Promise<R>,
  commit: (result: R) => Promise<void>,
): Promise<void> {
  const slots: Slot<R>[] = [];
  let failure: { error: unknown } | null = null;
  let running = 0;
  let change = Promise.withResolvers<void>();

  const start = (item: T): void => {
    const slot: Slot<R> = { result: null };
    slots.push(slot);
    running += 1;
    work(item)
      .then(
        (value) => {
          slot.result = { value };
        },
        (error: unknown) => {
          failure ??= { error };
        },
      )
      .finally(() => {
        running -= 1;
        change.resolve();
      });
  };
  const settle = async (isEnough: () => boolean): Promise<void> => {
    await drain(slots, commit);
    while (!isEnough()) {
      await change.promise;
      change = Promise.withResolvers<void>();
      await drain(slots, commit);
    }
  };

  const hasRoom = (): boolean => running < options.concurrency && slots.length < options.concurrency * WINDOW;
  try {
    for await (const item of source) {
      await settle(() => hasRoom() || failure !== null);
      if (failure !== null || options.signal.aborted) break;
      start(item);
    }
  } catch (error) {
    failure ??= { error };
  }
  await settle(() => running === 0);
  throwIf(failure);
}

async function drain<R>(slots: Slot<R>[], commit: (result: R) => Promise<void>): Promise<void> {
  for (let head = slots[0]?.result ?? null; head !== null; head = slots[0]?.result ?? null) {
    slots.shift();
    await commit(head.value);
  }
}

function throwIf(failure: { error: unknown } | null): void {
  if (failure !== null) throw failure.error;
}
