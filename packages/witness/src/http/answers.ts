/** What goes back over HTTP, apart from signature lines. */
import { type Refusal, SizeConflict } from '../errors.ts';
import { Violation } from '../replayer/violation.ts';

export interface Answer {
  status: number;
  contentType: string;
  body: string | Uint8Array;
  headers?: Record<string, string>;
}

const text = 'text/plain; charset=utf-8';

export function plain(status: number, body: string, headers: Record<string, string> = {}): Answer {
  return { status, contentType: text, body, headers };
}

/**
 * A 409 carries a size and nothing else, in the type that tlog-witness gives it. A broken rule is told as JSON, for
 * the people who run the log.
 */
export function answerRefusal(refusal: Refusal): Answer {
  if (refusal instanceof SizeConflict) {
    return { status: 409, contentType: 'text/x.tlog.size', body: `${refusal.size}\n` };
  }
  if (refusal instanceof Violation) {
    const { rule, index, detail } = refusal;
    const body = `${JSON.stringify({ rule, index, message: detail })}\n`;
    return { status: 422, contentType: 'application/json', body };
  }
  const retry = refusal.status === 429 || refusal.status === 503;
  return plain(refusal.status, `${refusal.message}\n`, retry ? { 'retry-after': '1' } : {});
}
