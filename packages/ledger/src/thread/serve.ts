/** The other end of a `Thread`: carries out its calls. */
import { parentPort } from 'node:worker_threads';
import type { Call, Reply } from './thread.ts';

/** By method; `close` is the last that is called. */
export interface Service {
  [method: string]: (input: never) => unknown;
  close: () => unknown;
}

/** Opens a service and answers calls until the thread is ended. A failure to open is told to who started it. */
export function serve(open: () => Service): void {
  const port = parentPort;
  if (port === null) throw new Error('this file runs in a thread');
  const post = (reply: Reply): void => port.postMessage(reply);
  const answer = async (id: number, work: () => unknown): Promise<boolean> => {
    try {
      post({ id, output: await work() });
      return true;
    } catch (error) {
      const thrown: Error & { errcode?: number } = error instanceof Error ? error : new Error(String(error));
      const { name, message, errcode } = thrown;
      post({ id, error: { name, message, errcode } });
      return false;
    }
  };
  // Without its port the thread has nothing left to wait for, and ends. To end it from outside, in the middle of
  // what SQLite does, can crash the process.
  const end = (): void => port.close();
  let service: Service | null = null;
  void answer(0, () => {
    service = open();
    return null;
  }).then((isOpen) => (isOpen ? undefined : end()));
  port.on('message', ({ id, method, input }: Call) => {
    void answer(id, () => {
      const carryOut = service?.[method];
      if (carryOut === undefined) throw new Error(`there is no method ${method}`);
      return carryOut(input as never);
    }).then(() => (method === 'close' ? end() : undefined));
  });
}
