/** Where a page of a list ends, as callers hand it back. */
import { ServiceProblem } from './service-problem.ts';

export function encodeCursor(position: string): string {
  return Buffer.from(position).toString('base64url');
}

/** The position that a list goes on from; the newest where there is no cursor. */
export function decodeCursor(cursor: string | null): string {
  if (cursor === null) return '\u{10ffff}';
  const position = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!/^[0-9a-z_]{1,64}$/.test(position))
    throw new ServiceProblem('malformed_request', 'the cursor is not one of ours', 'query.cursor');
  return position;
}
