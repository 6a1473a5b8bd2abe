/** What the access log says of one license, as custody reports carry it. */
import { setTimeout as after } from 'node:timers/promises';
import { type CustodyAccess, custodyLimits } from '@tallystick/core';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { AccessClient } from './access-client.ts';

/** Time that is spent on looking through the log, and on waiting for what was recorded last to be published. */
const searchMs = 15_000;
const publicationMs = 5_000;
const retryMs = 200;
const pageLimit = 1000;

export interface AccessSpan {
  from?: string | undefined;
  to?: string | undefined;
}

/**
 * Who read or exported the license, as far as that is published: the newest segments, where there are many. null where
 * nothing of the log is published. Rejects with ServiceProblem where the log cannot be read.
 */
export async function custodyAccess(
  access: AccessClient,
  license: string,
  span: AccessSpan,
): Promise<CustodyAccess | null> {
  try {
    return await gather(access, license, span);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ServiceProblem('access_log_unavailable', why);
  }
}

async function gather(
  access: AccessClient,
  license: string,
  { from = firstInstant, to = lastInstant }: AccessSpan,
): Promise<CustodyAccess | null> {
  const until = performance.now() + publicationMs;
  for (;;) {
    const found = await findLeaves(access, { resource: license, from, to });
    const proof = await access.prove(found.leaves.slice(-custodyLimits.segments));
    const isWhole = proof !== null && !found.isOpen && proof.segments.length === found.leaves.length;
    if (!isWhole && performance.now() < until && found.leaves.length <= custodyLimits.segments) {
      await after(retryMs);
      continue;
    }
    const { droppedBefore } = access;
    const dropped = droppedBefore !== null && from < droppedBefore ? droppedBefore : null;
    return proof && { ...proof, complete: isWhole && found.isWhole, dropped };
  }
}

interface FoundLeaves {
  /** Indexes, ascending. */
  leaves: number[];
  /** Something is in the segment that is not closed yet. */
  isOpen: boolean;
  /** All of the log was looked through. */
  isWhole: boolean;
}

async function findLeaves(
  access: AccessClient,
  query: { resource: string; from: string; to: string },
): Promise<FoundLeaves> {
  const until = performance.now() + searchMs;
  const leaves = new Set<number>();
  let isOpen = false;
  for (let start = 0; ; ) {
    const { records, next } = await access.find(query, { start, limit: pageLimit });
    for (const { leaf } of records) {
      if (leaf === null) isOpen = true;
      else leaves.add(leaf);
    }
    if (next === null || performance.now() > until)
      return { leaves: [...leaves], isOpen, isWhole: next === null };
    start = next;
  }
}

const firstInstant = '2000-01-01T00:00:00.000Z';
const lastInstant = '9999-12-31T23:59:59.999Z';
