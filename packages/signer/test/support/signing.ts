/** A signer on a fresh mark, and well-formed things to ask it for. */
import { join } from 'node:path';
import {
  type Checkpoint,
  documentCommitment,
  type LogRecord,
  LogTree,
  leafHash,
  utf8,
} from '@tallystick/core';
import { Governance } from '../../src/governance.ts';
import { Journal } from '../../src/journal/journal.ts';
import { type KeystoreKey, noLimits } from '../../src/keystore/keystore-key.ts';
import { generateKeySpec, type KeySpec, SigningKey } from '../../src/keystore/signing-key.ts';
import { Mark } from '../../src/mark.ts';
import type { RecordToSign } from '../../src/protocol/requests.ts';
import { Signer } from '../../src/signer.ts';
import { scratchDirectory } from './scratch.ts';

export const origin = 'tally.example/log';
export const at = '2026-03-01T12:00:00.000Z';

export type Limits = Partial<KeySpec['limits']>;

/** The keys of a namespace `acme`: one for licenses, with limits, and the usual others. */
export function keySpecs(limits: Limits = {}): KeySpec[] {
  return [
    generateKeySpec(['log'], null),
    generateKeySpec(['license'], 'acme', { ...noLimits, ...limits }),
    generateKeySpec(['product', 'plan', 'customer'], 'acme'),
    generateKeySpec(['brake'], 'acme'),
    generateKeySpec(['lease'], 'acme'),
  ];
}

export function signerWith(
  specs: readonly KeySpec[] = keySpecs(),
  now: () => number = () => Date.parse(at),
): SignerParts<SigningKey> {
  return signerOf(
    specs.map((spec) => new SigningKey(spec)),
    now,
  );
}

export interface SignerParts<Key> {
  signer: Signer;
  mark: Mark;
  journal: Journal;
  keys: Key[];
  markFile: string;
  journalFile: string;
}

/** As `signerWith`, with keys wherever they are. */
export function signerOf<Key extends KeystoreKey>(
  keys: Key[],
  now: () => number = () => Date.parse(at),
): SignerParts<Key> {
  const directory = scratchDirectory();
  const [markFile, journalFile] = [join(directory, 'mark.db'), join(directory, 'journal')];
  Mark.create(markFile, origin);
  const mark = Mark.open(markFile, origin);
  const journal = Journal.open(journalFile, mark, now);
  const governance = new Governance(mark, new Map());
  const signer = new Signer(keys, { mark, governance, journal }, now);
  return { signer, mark, journal, keys, markFile, journalFile };
}

/** A well-formed record; 32-byte values are arbitrary. */
export function record(type: string, changes: Partial<LogRecord> = {}): LogRecord {
  const bytes = (value: number): Uint8Array => new Uint8Array(32).fill(value);
  const base = {
    ns: 'acme',
    type,
    subject: bytes(1),
    rev: 0,
    prev: null,
    doc: bytes(2),
    cause: bytes(3),
    at,
  };
  return { ...base, ...changes };
}

/** What the limits of a license key look at. */
export interface LicenseTerms {
  until: string | null;
  grace: string;
  fallback: string | null;
  maxAge: string;
  model: string;
  seats: number | null;
  over: number;
}

const modestTerms: LicenseTerms = {
  until: '2026-03-31T12:00:00.000Z',
  grace: 'P0D',
  fallback: null,
  maxAge: 'P7D',
  model: 'device',
  seats: 5,
  over: 0,
};

/** A license record with the document that it commits to. */
export function licenseToSign(
  terms: Partial<LicenseTerms> = {},
  changes: Partial<LogRecord> = {},
): RecordToSign {
  const { until, grace, fallback, maxAge, model, seats, over } = { ...modestTerms, ...terms };
  const document = utf8(
    JSON.stringify({
      v: 1,
      type: 'license',
      ns: 'acme',
      term: { from: at, until, grace },
      updates: { until: null, fallback, maxMajor: null },
      seats: { model, max: seats, over },
      offline: { maxAge, grace: 'P0D', clock: 'tolerant' },
    }),
  );
  const salt = new Uint8Array(32).fill(9);
  const doc = documentCommitment(salt, document);
  return { record: record('license.issued', { doc, ...changes }), content: { salt, document } };
}

/** A log of `size` entries whose leaves depend on `history`, as the checkpoints and proofs of its growth. */
export class GrowingLog {
  readonly #tree = new LogTree();

  constructor(size: number, history = 'one') {
    for (let index = 0; index < size; index++) this.#tree.append(leafHash(utf8(`${history} ${index}`)));
  }

  checkpoint(size: number): Checkpoint {
    return { origin, size, root: this.#tree.root(size) };
  }

  proof(from: number, to: number): Uint8Array[] {
    return this.#tree.consistencyProof(from, to);
  }
}
