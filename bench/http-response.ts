/** A complete response, as far as a load generator cares. */
export interface HttpResponse {
  readonly status: number;
  /** The body as Latin-1 text; kept only for statuses outside 2xx, otherwise empty. */
  readonly body: string;
  /** Whether the server said that it closes the connection. */
  readonly close: boolean;
}

const HEAD_END = '\r\n\r\n';
const HEAD_BYTES_MAX = 65_536;
const NOTHING: Buffer = Buffer.alloc(0);

/** The offset just after a chunked body that starts at `start`, or -1 while it is incomplete. */
function chunkedEnd(bytes: Buffer, start: number): number {
  let position = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', position, 'latin1');
    if (lineEnd === -1) return -1;
    const size = Number.parseInt(bytes.toString('latin1', position, lineEnd), 16);
    if (!Number.isInteger(size) || size < 0) throw new Error('malformed chunk size');
    position = lineEnd + 2 + size + 2;
    if (position > bytes.length) return -1;
    // Trailers are not expected from a server that we start ourselves.
    if (size === 0) return position;
  }
}

function bodyEnd(head: string, bytes: Buffer, start: number, status: number): number {
  if (status === 204 || status === 304) return start;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length !== null) {
    const end = start + Number(length[1]);
    return end <= bytes.length ? end : -1;
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return chunkedEnd(bytes, start);
  throw new Error('the response has neither a content length nor chunks');
}

/**
 * Reads HTTP/1.1 responses (RFC 9112) from one connection on which at most one request is outstanding. It does
 * no more than counting needs, because its work takes processor time from the server under test.
 */
export class ResponseReader {
  #pending: Buffer = NOTHING;

  /** Takes bytes as they arrive; returns the response once it is complete. Throws on what is not HTTP/1.1. */
  push(chunk: Buffer): HttpResponse | undefined {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = bytes;
    const headEnd = bytes.indexOf(HEAD_END, 0, 'latin1');
    if (headEnd === -1) {
      if (bytes.length > HEAD_BYTES_MAX) throw new Error('the response head is too long');
      return undefined;
    }
    const head = bytes.toString('latin1', 0, headEnd);
    if (!head.startsWith('HTTP/1.1 ')) throw new Error('not an HTTP/1.1 response');
    const status = Number(head.slice(9, 12));
    const start = headEnd + HEAD_END.length;
    const end = bodyEnd(head, bytes, start, status);
    if (end === -1) return undefined;
    if (end !== bytes.length) throw new Error('bytes after the response that nobody asked for');
    this.#pending = NOTHING;
    const failed = status < 200 || status > 299;
    const close = /\r\nconnection: *close/i.test(head);
    return { status, body: failed ? bytes.toString('latin1', start, end) : '', close };
  }
}
