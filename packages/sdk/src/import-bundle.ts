/**
 * Which license file is in force. A file displaces another only when it is proven and newer, whatever it says:
 * a bad file never displaces a good one, and proven bad news always does.
 */
import { decodeUtf8 } from '@tallystick/core';
import type { FailureCode } from '@tallystick/license';
import type { StoreError } from './errors.ts';
import type { ClientState, ClientStore } from './store/store.ts';
import { type Verification, type VerifyOptions, verify } from './verify.ts';

/** What the verification of stored files needs; the memory comes from the store. */
export type StandingOptions = Omit<VerifyOptions, 'remembered'>;

/**
 * Accepted: `FIRST` (there was no proven file), `NEWER` (of the same license), `REPLACED` (another license).
 * Refused: `UNCHANGED` (as new as the file in force), `OLDER`, `OTHER_LICENSE` (it is proven and not valid, and
 * the one in force is valid), and the code of the verdict for a file that is not proven, that was never issued
 * or that is for another product.
 */
export type ImportCode =
  | 'FIRST'
  | 'NEWER'
  | 'REPLACED'
  | 'UNCHANGED'
  | 'OLDER'
  | 'OTHER_LICENSE'
  | FailureCode;

export interface Standing {
  /** Of the file in force; null where there is none. */
  inForce: Verification | null;
  /** What the store found damaged, and has recovered from as far as it could. */
  damage: StoreError | null;
}

export interface ImportOutcome extends Standing {
  accepted: boolean;
  code: ImportCode;
  candidate: Verification;
}

/** Judges the file in force anew. Throws StoreError where the store cannot be read, and what `verify` throws. */
export async function current(store: ClientStore, options: StandingOptions): Promise<Standing> {
  const { state, damage } = await store.load();
  return { inForce: await verifyState(state, options), damage };
}

/**
 * Takes a new license file into the store if it deserves it. What it proves is remembered either way. Throws
 * StoreError where the store cannot be read or written, with the old or the new file in force; and what `verify`
 * throws.
 */
export async function importBundle(
  store: ClientStore,
  candidateFile: string | Uint8Array,
  options: StandingOptions,
): Promise<ImportOutcome> {
  const { state, damage } = await store.load();
  const before = await verifyState(state, options);
  const candidate = await verify(candidateFile, {
    ...options,
    remembered: before?.remembered ?? state.memory,
  });
  const code = importCode(before, candidate);
  const accepted = isAccepting(code);
  const next: ClientState = {
    bundle: accepted ? textOf(candidateFile) : state.bundle,
    memory: candidate.remembered,
  };
  if (accepted || damage !== null || next.memory?.toText() !== state.memory?.toText()) await store.save(next);
  return {
    accepted,
    code,
    candidate,
    inForce: accepted ? candidate : await verifyState(next, options),
    damage,
  };
}

async function verifyState(
  { bundle, memory }: ClientState,
  options: StandingOptions,
): Promise<Verification | null> {
  return bundle === null ? null : verify(bundle, { ...options, remembered: memory });
}

function importCode(before: Verification | null, candidate: Verification): ImportCode {
  if (candidate.proven === null) return candidate.verdict.code as FailureCode;
  if (before?.proven?.licenseId === candidate.proven.licenseId) return compareRevisions(before, candidate);
  const { code } = candidate.verdict;
  if (code === 'PRODUCT_MISMATCH' || code === 'NEVER_ISSUED') return code;
  if (before === null || before.proven === null) return 'FIRST';
  return candidate.verdict.valid || !before.verdict.valid ? 'REPLACED' : 'OTHER_LICENSE';
}

/** Two proven files of one license: the later entry of the log counts, then the later proof. */
function compareRevisions(before: Verification, candidate: Verification): ImportCode {
  const later =
    Math.sign(headIndex(candidate) - headIndex(before)) || Math.sign(asOf(candidate) - asOf(before));
  if (later === 0) return 'UNCHANGED';
  return later > 0 ? 'NEWER' : 'OLDER';
}

/** A verified file is of the largest index ever seen of its license: an older one would be SUPERSEDED. */
function headIndex({ proven, remembered }: Verification): number {
  return (proven && remembered?.headIndex(proven.licenseId)) ?? -1;
}

function asOf({ proven }: Verification): number {
  return proven?.asOf ?? 0;
}

function isAccepting(code: ImportCode): boolean {
  return code === 'FIRST' || code === 'NEWER' || code === 'REPLACED';
}

/** Only proven bytes come here, and those are UTF-8. */
function textOf(file: string | Uint8Array): string {
  return typeof file === 'string' ? file : decodeUtf8(file);
}
