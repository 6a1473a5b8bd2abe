/** The end of a login in the browser: a listener on this machine that hears one answer (RFC 8252, section 7.3). */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CliError, interrupted } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';

export interface Loopback extends Disposable {
  redirectUri: string;
  /** The answer to the request with this state; others are not heard. Throws CliError after five minutes. */
  answer(state: string, signal: AbortSignal): Promise<URLSearchParams>;
}

const waitMs = 5 * 60_000;
const page = (text: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>tally</title><p>${text}</p></html>\n`;

/** @param port 0 for any */
export async function listenOnLoopback(port: number): Promise<Loopback> {
  let hear: (url: URL, response: ServerResponse) => void = (_, response) => response.writeHead(404).end();
  const server = createServer((request, response) => hear(new URL(request.url ?? '/', origin()), response));
  const origin = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    redirectUri: `${origin()}/callback`,
    answer: (state, signal) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(tooLate()), waitMs);
        const abandon = (): void => {
          clearTimeout(timer);
          reject(interrupted());
        };
        signal.addEventListener('abort', abandon, { once: true });
        hear = ({ pathname, searchParams }, response) => {
          const isOurs = pathname === '/callback' && searchParams.get('state') === state;
          const headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };
          response.writeHead(isOurs ? 200 : 404, headers);
          response.end(page(isOurs ? 'Go on in the terminal; this page can be closed.' : 'Nothing is here.'));
          if (!isOurs) return;
          clearTimeout(timer);
          signal.removeEventListener('abort', abandon);
          resolve(searchParams);
        };
      }),
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function tooLate(): CliError {
  return new CliError({
    exitCode: exitCodes.refused,
    code: 'login_timeout',
    what: 'Nobody logged in within five minutes.',
    todo: 'Run tally login again.',
  });
}
