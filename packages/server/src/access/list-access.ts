/** Answers `access.list` and `log.access`. */
import type { AccessIdentity, AccessItem, AccessListQuery, AccessPage } from '@tallystick/contract';
import { base64 } from '@tallystick/core';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { AccessClient } from './access-client.ts';

/** JSON of one page. Rejects with ServiceProblem. */
export async function listAccess(query: AccessListQuery, access: AccessClient | null): Promise<string> {
  if (access === null)
    throw new ServiceProblem('access_log_unavailable', 'this server keeps no access log: configure one');
  const { from, to, principal, resource, request, limit, cursor = '0' } = query;
  if (!/^\d{1,15}$/.test(cursor))
    throw new ServiceProblem(
      'malformed_request',
      'must be a cursor that an earlier page returned',
      'query.cursor',
    );
  const wanted = {
    from,
    to,
    ...(principal !== undefined && { principal }),
    ...(resource !== undefined && { resource }),
    ...(request !== undefined && { requestId: request }),
  };
  const { records, next } = await available(access.find(wanted, { start: Number(cursor), limit }));
  const items = records.map(
    ({ n, leaf, record }): AccessItem => ({
      n,
      leaf,
      record: {
        ...record,
        decision: record.decision && { ...record.decision, reasons: [...record.decision.reasons] },
      },
    }),
  );
  const nextCursor = next === null ? null : String(next);
  const page: AccessPage = { items, nextCursor, droppedBefore: access.droppedBefore };
  return JSON.stringify(page);
}

/** JSON that says whose the access log is. Rejects with ServiceProblem. */
export async function accessIdentity(access: AccessClient | null): Promise<string> {
  if (access === null) throw new ServiceProblem('not_found', 'this server keeps no access log');
  const identity = await available(access.identity());
  return JSON.stringify({ origin: access.origin, identity: base64(identity) } satisfies AccessIdentity);
}

async function available<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new ServiceProblem(
      'access_log_unavailable',
      error instanceof Error ? error.message : String(error),
    );
  }
}
