/**
 * Checks everything about a block of entries that can be told without the entries before it: leaf hashes, narrow rows,
 * contents, causes, signatures, documents, and the model's rules for first revisions.
 *
 * The checks are the walk's own. Where one of them finds anything, the whole block is left to the walk.
 */
import {
  causeCommitment,
  causeFacts,
  equalBytes,
  isMapRoot,
  isSignedBy,
  keyIdOf,
  type LogRecord,
  leafHash,
  type PublicKey,
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
  type RecordEntry,
} from '@tallystick/core';
import { requestKeyOf } from '@tallystick/ledger/derive';
import { checkTransition, isRecordType } from '@tallystick/license';
import { checkCommitments, checkSubject, isErased, openContent } from '../content-check.ts';
import { checkNarrowRow } from '../narrow-row.ts';
import { isPerpetualLicense } from '../perpetual-license.ts';
import { emptyCounts } from '../report.ts';
import { type RequestState, requestState } from '../signed-request-check.ts';
import { BlockBuilder } from './block-builder.ts';
import type { BlockFacts, FullSetup } from './facts.ts';
import type { PackedCause, PackedContent, PackedRow, PackedRows } from './packed-rows.ts';
import {
  addRequestRow,
  addRevisionRow,
  type KeyedName,
  mixNameRows,
  mixStateRows,
} from './projected-rows.ts';
import { RowSum } from './row-sum.ts';

/** Types of records that carry their own rules, which the walk alone applies. */
const ruling = /^(?:namespace|brake)\./;

/** The walk counts what it takes in. */
const uncounted = emptyCounts();

/** A cause with what of it was worked out. */
interface KnownCause {
  index: number;
  records: number;
  commitment: Uint8Array;
  /** True where its document counts the same records. */
  counts: boolean;
  request: RequestState;
}

interface Block {
  builder: BlockBuilder;
  causes: Map<number, KnownCause>;
  /** Commands that began in this block. */
  begun: number;
  keyed: KeyedName[];
}

export class BlockScan {
  readonly #rows: PackedRows;
  readonly #full: FullSetup | null;
  readonly #keysById = new Map<string, number[]>();
  readonly #sum: RowSum;

  constructor(rows: PackedRows, full: FullSetup | null) {
    this.#rows = rows;
    this.#full = full;
    this.#sum = new RowSum(full?.sumKey ?? '');
    for (const [at, key] of (full?.keys ?? []).entries()) {
      const id = keyIdOf(key);
      this.#keysById.set(id, [...(this.#keysById.get(id) ?? []), at]);
    }
  }

  /** The facts of the entries with `from` ≤ index < `to`; null where anything about them is unusual. */
  scan(from: number, to: number): BlockFacts | null {
    this.#sum.take();
    const rows = this.#rows.rows(from, to);
    if (rows.length !== to - from) return null;
    const causes = this.#rows.causes(from, to);
    const block: Block = {
      builder: new BlockBuilder(rows.length),
      causes: new Map(causes.map((cause) => [cause.index, knownCause(cause)])),
      begun: 0,
      keyed: [],
    };
    for (const [at, row] of rows.entries()) if (!this.#take(block, at, row)) return null;
    if (block.begun !== causes.length) return null;
    if (this.#full !== null) {
      for (const cause of causes) {
        const key = requestKeyOf(cause);
        if (key !== null) addRequestRow(this.#sum, key, cause.index);
      }
    }
    return block.builder.build(this.#sum.take(), block.keyed);
  }

  /** False where the entry is not all right. */
  #take(block: Block, at: number, row: PackedRow): boolean {
    const { leaf, entry, subject, rev, content } = row;
    if (entry === null || !equalBytes(leafHash(entry), leaf)) return false;
    if (isMapRoot(entry)) {
      block.builder.mapRoot(at, leaf, entry);
      return subject === null && rev === 0 && content === null;
    }
    if (content === null) return false;
    const parsed = parseRecordEntry(entry);
    const { record } = parsed;
    if (checkNarrowRow(row, record) !== null) return false;
    const cause = this.#causeOf(block, row.index, record, content);
    if (cause === null) return false;
    const erased = isErased(content);
    if (!erased && checkCommitments(row.index, record, content, uncounted) !== null) return false;
    const hasCompanion = content.companion !== null;
    block.builder.record(at, leaf, record, cause, { isErased: erased, hasCompanion });
    if (cause.index === row.index && cause.request !== 'none')
      block.builder.request(at, cause.request === 'held');
    return this.#full === null || this.#takeFully(block, at, row, parsed, content, this.#full);
  }

  #takeFully(
    block: Block,
    at: number,
    row: PackedRow,
    parsed: RecordEntry,
    content: PackedContent,
    { genesis, keys }: FullSetup,
  ): boolean {
    const { index } = row;
    const { record } = parsed;
    if (!isRecordType(record.type) || ruling.test(record.type)) return false;
    if (checkSubject(index, record, content, genesis) !== null) return false;
    this.#checkSignatures(block.builder, at, parsed, keys);
    addRevisionRow(this.#sum, content.id, record.rev, index);
    if (content.document === null) return true;
    const opened = openContent(index, record, content);
    if ('message' in opened) return false;
    if (isPerpetualLicense(opened.document, record.at)) block.builder.perpetual(at);
    if (record.rev === 0 && checkTransition(record.type, null, opened.document) !== null) return false;
    mixStateRows(this.#sum, 'add', opened);
    mixNameRows(this.#sum, 'add', opened, (name) => block.keyed.push(name));
    return true;
  }

  /** Notes which of the known keys have signed. Whether one of them was entitled to is for the walk to say. */
  #checkSignatures(
    builder: BlockBuilder,
    at: number,
    { envelope }: RecordEntry,
    keys: readonly PublicKey[],
  ): void {
    const message = preAuthEncoding(payloadTypes.record, envelope.payload);
    for (const { keyid, sig } of envelope.signatures) {
      for (const place of this.#keysById.get(keyid) ?? []) {
        const key = keys[place];
        if (key !== undefined && isSignedBy(key, message, sig) === true) builder.signedBy(at, place);
      }
    }
  }

  /** The cause that a record is filed under and commits to; null where there is none, or it does not fit. */
  #causeOf(block: Block, index: number, record: LogRecord, { cause: at }: PackedContent): KnownCause | null {
    let cause = block.causes.get(at);
    if (cause === undefined) {
      // The command began in an earlier block.
      const [stored] = this.#rows.causes(at, at + 1);
      if (stored === undefined) return null;
      cause = knownCause(stored);
      block.causes.set(at, cause);
    }
    if (at === index) block.begun += 1;
    const isInside = index >= at && index < at + cause.records;
    const isSound = isInside && cause.counts && cause.request !== 'altered';
    return isSound && equalBytes(cause.commitment, record.cause) ? cause : null;
  }
}

function knownCause({ index, records, salt, document, signed }: PackedCause): KnownCause {
  const facts = causeFacts(document);
  const request = requestState(facts, signed);
  const commitment = causeCommitment(salt, document);
  return { index, records, counts: facts.n === records, request, commitment };
}
