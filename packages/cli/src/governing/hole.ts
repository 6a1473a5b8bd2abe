/** Licenses that a key speaks for which is trusted no more: found, put before people, and signed anew. */

import type { LicenseItem, Page } from '@tallystick/contract';
import { decodeBase64, parseRecordEntry } from '@tallystick/core';
import type { Session } from '../session.ts';
import { keyIdOfFingerprint } from './revision.ts';

/** A license whose newest record fell into the hole. */
export interface Affected {
  id: string;
  rev: number;
  index: number;
  at: string;
  licensee: string | null;
  plan: string;
  state: string;
}

const pageMax = 200;

/** Licenses whose newest record `keyId` signed at log index `from` or later, newest first. */
export async function* affectedBy(
  session: Session,
  { key, from }: { key: string; from: number },
): AsyncGenerator<Affected> {
  for await (const item of licensesSince(session, from)) {
    const signers = await signersOf(session, item.index);
    if (!signers.includes(keyIdOfFingerprint(key))) continue;
    const { id, licensee, plan, status } = item.document;
    const { rev, index, at } = item;
    yield { id, rev, index, at, licensee, plan: plan.code, state: status.state };
  }
}

async function* licensesSince(session: Session, from: number): AsyncGenerator<LicenseItem> {
  let cursor: string | null = null;
  do {
    const page: Page<LicenseItem> = await licensePage(session, cursor);
    yield* page.items.filter(({ index }) => index >= from);
    cursor = page.nextCursor;
  } while (cursor !== null);
}

async function licensePage(session: Session, cursor: string | null): Promise<Page<LicenseItem>> {
  const query = { limit: pageMax, ...(cursor === null ? {} : { cursor }) };
  return (await session.admin().call('license.list', { query })).value;
}

async function signersOf(session: Session, index: number): Promise<string[]> {
  const { value } = await session.admin().call('log.entry', { params: { index } });
  return parseRecordEntry(decodeBase64(value.entry)).envelope.signatures.map(({ keyid }) => keyid);
}
