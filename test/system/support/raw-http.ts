/** Requests exactly as written: no path is tidied up, no header is added that was not asked for. */
import { type Agent, request } from 'node:http';
import { connect } from 'node:net';

export interface RawRequest {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export function rawRequest(
  url: string,
  { method = 'GET', path, headers = {}, body }: RawRequest,
  agent?: Agent,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        headers: { ...length, ...headers },
        ...(agent === undefined ? {} : { agent }),
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(parts).toString('utf8'),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Writes bytes to a new connection and reads until the server ends it or is silent for `quietMs`. */
export function rawBytes(url: string, bytes: string | Uint8Array, quietMs = 2000): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = '';
    const finish = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(quietMs, finish);
    socket.on('data', (part: Buffer) => {
      text += part.toString('utf8');
    });
    socket.on('close', () => resolve(text));
    // The other end may stop reading a request that it has already answered.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      text === '' && error.code !== 'EPIPE' && error.code !== 'ECONNRESET' ? reject(error) : finish(),
    );
  });
}
