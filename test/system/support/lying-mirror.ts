/** Mirrors that lie: each hands out something else than the mirror whose answers it has. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cosigner } from '@tallystick/witness';

type Answer = ReturnType<NonNullable<Cosigner['read']>>;

export interface Lie {
  what: string;
  code: string;
  /** What is answered at a path instead of the truth. */
  tell: (path: string, answer: Answer, size: string) => Answer | Promise<Answer>;
}

const replaced = (answer: Answer, from: string | RegExp, to: string): Answer =>
  answer && { ...answer, body: String(answer.body).replace(from, to) };

export const lies: Lie[] = [
  {
    what: 'an entry of its own',
    code: 'mirror_wrong',
    tell: (path, answer) => {
      if (!path.includes('/tile/entries/') || answer === null) return answer;
      const body = Uint8Array.from(answer.body as Uint8Array);
      body[body.length - 40] = (body[body.length - 40] ?? 0) ^ 1;
      return { ...answer, body };
    },
  },
  {
    what: 'fewer entries than it says',
    code: 'mirror_wrong',
    tell: (path, answer) =>
      path.includes('/tile/entries/') && answer !== null
        ? { ...answer, body: (answer.body as Uint8Array).slice(0, 400) }
        : answer,
  },
  {
    what: 'hashes of another tree',
    code: 'mirror_wrong',
    tell: (path, answer) =>
      path.includes('/tile/0/') && answer !== null
        ? { ...answer, body: new Uint8Array((answer.body as Uint8Array).length).fill(7) }
        : answer,
  },
  {
    what: 'another size',
    code: 'mirror_wrong',
    tell: (path, answer, size) =>
      path.endsWith('/checkpoint') ? replaced(answer, `\n${size}\n`, `\n${Number(size) - 1}\n`) : answer,
  },
  {
    what: 'the checkpoint of another log',
    code: 'mirror_wrong',
    tell: (path, answer) =>
      path.endsWith('/checkpoint') ? replaced(answer, /^.*\n/, 'log.example/other\n') : answer,
  },
  {
    what: 'a checkpoint that no replayer cosigned',
    code: 'mirror_wrong',
    tell: (path, answer) => {
      if (path.endsWith('/published')) return null;
      return path.endsWith('/checkpoint') ? replaced(answer, /^— \S*replayer.*\n/gm, '') : answer;
    },
  },
  {
    what: 'nothing of this log',
    code: 'mirror_empty',
    tell: (path, answer) =>
      path.endsWith('/checkpoint') && answer !== null ? { ...answer, status: 404 } : answer,
  },
];

/** Runs `use` with the address of a mirror that answers as `mirror` does, of `size` entries, and lies. */
export async function withLiar<T>(
  { cosigner, size }: { cosigner: Cosigner; size: number },
  { tell }: Lie,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const answer = cosigner.read?.(path, request.headers.authorization) ?? null;
    void Promise.resolve(tell(path, answer, String(size))).then((told) => {
      response.writeHead(told?.status ?? 404).end(told?.body);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
