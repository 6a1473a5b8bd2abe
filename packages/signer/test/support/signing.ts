/** A signer on a fresh mark, and well-formed things to ask it for. */
import { join } from 'node:path';
import {
  type Checkpoint,
  documentCommitment,
  formatCheckpoint,
  formatNote,
  keyUsages,
  type LogRecord,
  LogTree,
  leafHash,
  type NoteSignature,
  parseSignedCheckpoint,
  parseTrustRoot,
  type SignedCheckpoint,
  utf8,
} from '@tallystick/core';
import { Governance } from '../../src/governance.ts';
import { Journal } from '../../src/journal/journal.ts';
import { type KeystoreKey, noLimits } from '../../src/keystore/keystore-key.ts';
import { generateKeySpec, type KeySpec, SigningKey } from '../../src/keystore/signing-key.ts';
import { Mark } from '../../src/mark.ts';
import type { RecordToSign } from '../../src/protocol/requests.ts';
import { Signer } from '../../src/signer.ts';
import { type Clock, WitnessWatch } from '../../src/witness-watch.ts';
import { at, origin, record } from './record.ts';
import { scratchDirectory } from './scratch.ts';
import { listed, namespaceWith, TestTrust } from './trust.ts';

export { at, origin, record } from './record.ts';

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

/** The log's second key. */
export function postQuantumLogKey(): KeySpec {
  return generateKeySpec(['log'], null, noLimits, 'ml-dsa-44');
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
  knowKeys(mark, keys);
  const journal = Journal.open(journalFile, mark, now);
  const signer = signerOn(mark, keys, { clock: { now, monotonic: now }, journal });
  return { signer, mark, journal, keys, markFile, journalFile };
}

/** A checkpoint with the signatures that a signer answered with, as clients read it. */
export function signedCheckpoint(
  checkpoint: Checkpoint,
  signatures: readonly NoteSignature[],
): SignedCheckpoint {
  return parseSignedCheckpoint(
    utf8(formatNote({ text: formatCheckpoint(checkpoint), signatures: [...signatures] })),
  );
}

/** Lets the signer of a mark know a namespace that lists those of the keys that are of `acme`. */
export function knowKeys(mark: Mark, keys: readonly KeystoreKey[]): void {
  const listing = keys.flatMap(({ ns, publicKey, usages: all }) => {
    const usages = keyUsages.filter((usage) => (all as readonly string[]).includes(usage));
    return ns === 'acme' && usages.length > 0 ? listed(publicKey, { usages, from: 0 }) : [];
  });
  mark.saveDocument('acme', 'namespace', utf8(JSON.stringify(namespaceWith(listing))));
}

/** A signer that goes on where one before it stopped. */
export function signerOn(
  mark: Mark,
  keys: readonly KeystoreKey[],
  {
    clock = stoppedClock,
    trust = usualTrust,
    report = () => {},
    journal = anyJournal(mark),
    onReturned = () => {},
    isShared = false,
  }: SignerContext = {},
): Signer {
  const governance = new Governance(mark, [parseTrustRoot(trust.root)]);
  const witnesses = new WitnessWatch(() => governance.versions, mark, clock, report);
  return new Signer(keys, { mark, governance, witnesses, journal }, () => clock.now(), {
    onReturned,
    isShared,
  });
}

export interface SignerContext {
  clock?: Clock;
  trust?: TestTrust;
  report?: (message: string) => void;
  onReturned?: (keyids: readonly string[]) => void;
  isShared?: boolean;
  /** Left out by those who ask for nothing of it. */
  journal?: Journal;
}

function anyJournal(mark: Mark): Journal {
  return Journal.open(join(scratchDirectory(), 'journal'), mark, () => Date.parse(at));
}

const usualTrust = new TestTrust();
const stoppedClock: Clock = { now: () => Date.parse(at), monotonic: () => 0 };

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
