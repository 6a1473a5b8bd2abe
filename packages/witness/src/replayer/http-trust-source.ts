/** The public documents and keys of namespaces, as the log's server hands them out. */
import type { PublicKey } from '@tallystick/core';
import { messageOf } from '../errors.ts';
import { fetchBytes, type HttpSource } from './http-source.ts';
import { type PublicDocumentType, parseKeys, type TrustSource } from './trust-source.ts';
import { Unavailable } from './violation.ts';

const documentLengthMax = 256 * 1024;
const keysLengthMax = 1024 * 1024;

export class HttpTrustSource implements TrustSource {
  readonly #source: HttpSource;

  constructor(source: HttpSource) {
    this.#source = source;
  }

  publicDocument(ns: string, type: PublicDocumentType, rev: number): Promise<Uint8Array | null> {
    return fetchBytes(this.#source, `${ns}/${type}/${rev}`, documentLengthMax);
  }

  async keys(ns: string): Promise<PublicKey[]> {
    const bytes = await fetchBytes(this.#source, `${ns}/keys`, keysLengthMax);
    if (bytes === null) throw new Unavailable(`the keys of ${ns} are not served`);
    try {
      return parseKeys(bytes);
    } catch (error) {
      // Keys are not committed to by the log: a bad answer proves nothing against it.
      throw new Unavailable(`the keys of ${ns}: ${messageOf(error)}`, { cause: error });
    }
  }
}
