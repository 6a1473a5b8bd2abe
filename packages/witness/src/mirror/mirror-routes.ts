/**
 * What a mirror serves, below `/mirror/<hex SHA-256 of the origin>/`:
 *
 *     checkpoint, published                      open
 *     trust/<ns>/keys, /namespace/<rev>, /brake/<rev>    open, as the log's server has them
 *     tile/<L>/<N>[.p/<W>], tile/entries/<N>[.p/<W>]     a reader's token
 *     map/<subject key in hexadecimal>           a reader's token
 *     contents/<N>                               a reader's token: documents of the entries of tile N, sealed
 *     bundle/<ns>/<license id>[/<trust version>] a reader's token
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  decodeHex,
  hashLength,
  hex,
  IntegrityError,
  parseDecimal,
  parseTilePath,
  utf8,
} from '@tallystick/core';
import type { MirrorContents } from '../contents/mirror-contents.ts';
import { type Answer, plain } from '../http/answers.ts';
import type { MirrorLog } from './mirror-log.ts';
import { NotNow } from './not-now.ts';

const octets = 'application/octet-stream';
const json = 'application/json';

/** A log that is mirrored, and its documents where they are. */
export interface MirroredLog {
  mirror: MirrorLog;
  contents: MirrorContents | null;
}

/** Answers requests to read, for the logs that are mirrored. */
export class MirrorRoutes {
  readonly #logs = new Map<string, MirroredLog>();
  readonly #tokenHashes: readonly Uint8Array[];

  /** @param tokenHashes SHA-256 of each token that opens entries, tiles and proofs; 32 bytes each */
  constructor(logs: ReadonlyMap<string, MirroredLog>, tokenHashes: readonly Uint8Array[]) {
    for (const [origin, log] of logs) this.#logs.set(logPathName(origin), log);
    this.#tokenHashes = tokenHashes;
  }

  /** null where the path is not below `/mirror/`. `authorization` is the header of that name. */
  answer(path: string, authorization: string | undefined): Answer | null {
    const [, name, rest] = mirrorPath.exec(path) ?? [];
    if (name === undefined || rest === undefined) return null;
    const log = this.#logs.get(name);
    if (log === undefined) return notFound;
    try {
      return this.#answerOf(log, rest, authorization);
    } catch (error) {
      if (error instanceof IntegrityError) return notFound;
      if (error instanceof NotNow) return plain(503, `${error.message}\n`, { 'retry-after': '1' });
      throw error;
    }
  }

  #answerOf({ mirror: log, contents }: MirroredLog, path: string, authorization: string | undefined): Answer {
    if (path === 'checkpoint') return found(log.checkpoint(), 'text/plain; charset=utf-8');
    if (path === 'published') return found(log.published(), 'text/plain; charset=utf-8');
    if (path.startsWith('trust/')) return trustAnswer(log, path);
    if (!this.#isReader(authorization)) return unauthorized;
    if (path.startsWith('tile/')) return found(log.tile(parseTilePath(path)), octets);
    const tile = /^contents\/([0-9]+)$/.exec(path)?.[1];
    if (tile !== undefined) return found(contents?.sealedTile(parseDecimal(tile)) ?? null, octets);
    if (path.startsWith('bundle/')) return contents?.bundle(path) ?? notFound;
    const key = /^map\/([0-9a-f]+)$/.exec(path)?.[1];
    if (key?.length !== 2 * hashLength) return notFound;
    const proof = log.mapProof(decodeHex(key));
    return found(proof === null ? null : `${JSON.stringify(proof)}\n`, json);
  }

  #isReader(authorization: string | undefined): boolean {
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return false;
    const given = createHash('sha256').update(token).digest();
    // Every one is compared, so that the time tells nothing.
    return this.#tokenHashes.filter((known) => timingSafeEqual(known, given)).length > 0;
  }
}

/** The name of a log in paths: its origin may hold anything. */
export function logPathName(origin: string): string {
  return hex(createHash('sha256').update(utf8(origin)).digest());
}

const mirrorPath = /^\/mirror\/([0-9a-f]{64})\/(.+)$/;
const unauthorized = plain(401, 'this needs the token of a reader\n', { 'www-authenticate': 'Bearer' });
const notFound = plain(404, 'not found\n');

function found(body: string | Uint8Array | null, contentType: string): Answer {
  return body === null ? notFound : { status: 200, contentType, body };
}

function trustAnswer(log: MirrorLog, path: string): Answer {
  const [, ns, what, rev, ...rest] = path.split('/');
  if (ns === undefined || rest.length > 0) return notFound;
  if (what === 'keys' && rev === undefined) return found(log.keys(ns), json);
  if ((what !== 'namespace' && what !== 'brake') || rev === undefined) return notFound;
  return found(log.publicDocument(ns, what, parseDecimal(rev)), json);
}
