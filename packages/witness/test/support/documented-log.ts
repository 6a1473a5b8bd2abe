/** A test log whose records have documents, companions and causes, and what a log's server hands out of them. */
import { randomBytes } from 'node:crypto';
import {
  base64,
  causeCommitment,
  companionCommitment,
  documentCommitment,
  type LogRecord,
  type Opening,
  signedRequestCommitment,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import {
  type Content,
  type ContentPublicKey,
  type PlainPart,
  type StoredCauseBytes,
  sealBatch,
} from '../../src/index.ts';
import { licenseId, listedKey, TestLog, testNamespace } from './test-log.ts';

/** One record of a command. */
export interface Change {
  id: string;
  type: string;
  /** The personal text of its document. */
  text: string;
}

export class DocumentedLog extends TestLog {
  readonly contents: Map<number, Content | null> = new Map();
  readonly causes: Map<number, StoredCauseBytes | null> = new Map();
  /** By the log index of the command. */
  readonly requests: Map<number, Opening> = new Map();

  /** A log that ends in a map root, with licenses from number 0 on. */
  static withLicenses(count: number): DocumentedLog {
    const log = new DocumentedLog().bootstrap();
    for (let n = 0; n < count; n++) log.issue(n);
    log.pushMapRoot();
    return log;
  }

  override bootstrap(): this {
    this.pushTrust();
    const { license, brake, plan } = this.keys;
    const keys = [
      listedKey(license, ['license', 'customer'], 1),
      listedKey(brake, ['brake'], 1),
      listedKey(plan, ['plan'], 1),
    ];
    for (const id of ['namespace', 'brake'] as const) {
      const cause = this.#nextCause(`${id}.created`);
      if (id === 'namespace') this.pushNamespace({ keys }, undefined, { cause });
      else this.pushBrake({}, undefined, { cause });
      const document = this.documents.get(`${id}/0`) as Uint8Array;
      const none = { companionSalt: null, companion: null };
      this.contents.set(this.size - 1, { id, salt: zeroSalt, document, ...none });
    }
    return this;
  }

  /** A command: its records stand together under one cause. Returns the index of the first. */
  command(...changes: Change[]): number {
    return this.#command(changes, null);
  }

  /** A command that was signed for, in these words. */
  signed(request: string, ...changes: Change[]): number {
    const opening = { salt: new Uint8Array(randomBytes(32)), bytes: utf8(request) };
    this.requests.set(this.size, opening);
    return this.#command(changes, base64(signedRequestCommitment(opening.salt, opening.bytes)));
  }

  #command(changes: readonly Change[], signed: string | null): number {
    const first = this.size;
    const cause = this.#nextCause(changes[0]?.type ?? '', signed);
    for (const change of changes) this.#pushChange(change, cause);
    return first;
  }

  /** A license of its own command. */
  issue(n: number, text = `Licensee ${n}`): number {
    return this.command({ id: licenseId(n), type: 'license.issued', text });
  }

  /** What the server has of a range, as it hands it out. */
  parts(from: number, to: number): PlainPart[] {
    const parts: PlainPart[] = [];
    for (let index = from; index < to; index++) {
      const content = this.contents.get(index);
      if (content !== undefined) parts.push({ index, content });
      const cause = this.causes.get(index);
      if (cause !== undefined) parts.push({ index, cause });
      const request = this.requests.get(index);
      if (request !== undefined) parts.push({ index, request });
    }
    return parts;
  }

  sealed(
    to: ContentPublicKey,
    range: { from: number; to: number },
    parts: PlainPart[] = this.parts(range.from, range.to),
    genesis: Uint8Array = this.genesis,
  ): Uint8Array {
    return sealBatch(parts, { ...range, size: this.size }, to, genesis);
  }

  /** What an erasure leaves of the revisions before it, at the primary. */
  shred(...indexes: number[]): void {
    for (const index of indexes) {
      this.contents.set(index, null);
      this.requests.delete(index);
    }
  }

  #pushChange({ id, type, text }: Change, cause: Uint8Array): void {
    const rev = (this.map.head(this.subject(id))?.rev ?? -1) + 1;
    const isLicense = type.startsWith('license.');
    const companion = isLicense ? utf8(`{"key":"TALLY-${id.slice(-5)}"}`) : null;
    const companionSalt = companion && new Uint8Array(randomBytes(32));
    const committed =
      companion && companionSalt ? base64(companionCommitment(companionSalt, companion)) : null;
    const document = utf8(isLicense ? licenseText(id, rev, text, committed) : customerText(id, rev, text));
    const salt = new Uint8Array(randomBytes(32));
    const overrides: Partial<LogRecord> = { doc: documentCommitment(salt, document), cause };
    const index = this.pushLicense(id, type, overrides);
    this.contents.set(index, { id, salt, document, companionSalt, companion });
  }

  #nextCause(command: string, signed: string | null = null): Uint8Array {
    const salt = new Uint8Array(randomBytes(32));
    const said = signed === null ? { v: 1 } : { v: 3, signed };
    const document = utf8(JSON.stringify({ ...said, command, why: 'a test' }));
    this.causes.set(this.size, { salt, document });
    return causeCommitment(salt, document);
  }
}

export function customerId(n: number): string {
  return licenseId(n).replace('lic_', 'cus_');
}

function customerText(id: string, rev: number, text: string): string {
  return JSON.stringify({ v: 1, type: 'customer', ns: testNamespace, id, rev, crit: [], name: text });
}

function licenseText(id: string, rev: number, licensee: string, committed: string | null): string {
  const status = { state: 'active', reason: null, message: null, since: null, successor: null };
  const head = { v: 1, type: 'license', ns: testNamespace, id, rev, crit: [] };
  return JSON.stringify({
    ...head,
    product: { id: 'prd_1', code: 'pro' },
    licensee,
    status,
    offline: { maxAge: 'P30D', grace: 'P7D', clock: 'tolerant' },
    epoch: 0,
    private: committed,
  });
}
