/**
 * One cosigner as the log sees it: C2SP tlog-witness over HTTP.
 *
 * Its answers are a stranger's: sizes, times and signatures are bounded and checked before they count.
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import {
  base64,
  checkCosignature,
  type NoteSignature,
  parseDecimal,
  parseSignatureLine,
  parseSignedCheckpoint,
  utf8,
  type VerifierKey,
} from '@tallystick/core';
import { ClientTlsAgent, type ClientTlsPaths } from '@tallystick/witness/tls';

export type CosignerState = 'ok' | 'behind' | 'unreachable' | 'refusing' | 'unknown';

/** A cosigner has seen a larger log than this one: ours was rolled back. */
export class CosignerAhead extends Error {
  override readonly name = 'CosignerAhead';
  readonly size: number;

  constructor(name: string, size: number) {
    super(`${name} has seen ${size} entries`);
    this.size = size;
  }
}

export interface CosignerStatus {
  name: string;
  url: string;
  state: CosignerState;
  /** Milliseconds; null before the first good answer. */
  lastSeenAt: number | null;
  lastError: string | null;
}

interface Answer {
  status: number;
  contentType: string;
  body: string;
}

const answerLengthMax = 64 * 1024;

export class CosignerClient {
  readonly name: string;
  readonly #vkeys: readonly VerifierKey[];
  readonly #url: URL;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #agent: HttpAgent;
  /** The size that it cosigned last, as far as we know. */
  #size = 0;
  #status: Pick<CosignerStatus, 'state' | 'lastSeenAt' | 'lastError'> = {
    state: 'unknown',
    lastSeenAt: null,
    lastError: null,
  };

  /**
   * @param vkeys all keys that it signs with, at that one address
   * @param now milliseconds
   * @param tls for https: whom to believe, and what to show
   */
  constructor(
    name: string,
    vkeys: readonly VerifierKey[],
    url: string,
    timeoutMs: number,
    now: () => number,
    tls: ClientTlsPaths = {},
  ) {
    this.name = name;
    this.#vkeys = vkeys;
    this.#url = new URL(`${url.replace(/\/$/, '')}/add-checkpoint`);
    this.#timeoutMs = timeoutMs;
    this.#now = now;
    const options = { keepAlive: true, maxSockets: 2 };
    this.#agent = this.#url.protocol === 'https:' ? new ClientTlsAgent(tls, options) : new HttpAgent(options);
  }

  get status(): CosignerStatus {
    return { name: this.name, url: this.#url.origin, ...this.#status };
  }

  /**
   * Its cosignatures on a checkpoint, of each of its keys. `note` carries the log's signatures only, because some witnesses
   * refuse bodies over 10 KiB. Throws CosignerAhead, or Error saying what went wrong.
   */
  async cosign(
    note: string,
    size: number,
    proofFrom: (oldSize: number) => Uint8Array[],
  ): Promise<NoteSignature[]> {
    try {
      const lines = await this.#submit(note, size, proofFrom);
      this.#size = size;
      this.#status = { state: 'ok', lastSeenAt: this.#now(), lastError: null };
      return lines;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const state =
        error instanceof CosignerAhead ? 'behind' : error instanceof Refused ? 'refusing' : 'unreachable';
      this.#status = { ...this.#status, state, lastError: message };
      throw error;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #submit(
    note: string,
    size: number,
    proofFrom: (oldSize: number) => Uint8Array[],
  ): Promise<NoteSignature[]> {
    if (this.#size > size) this.#size = 0;
    for (let tries = 0; tries < 3; tries++) {
      const proof = proofFrom(this.#size).map((hash) => `${base64(hash)}\n`);
      const answer = await this.#post(`old ${this.#size}\n${proof.join('')}\n${note}`);
      if (answer.status === 200) return this.#checked(answer.body, note);
      // Older witnesses answer 409 without a body where the size is the same and the root is not.
      if (answer.status === 409 && answer.contentType.startsWith('text/x.tlog.size')) {
        const theirs = this.#understood(() => parseDecimal(answer.body.trimEnd()));
        if (theirs > size) throw new CosignerAhead(this.name, theirs);
        this.#size = theirs;
        continue;
      }
      throw new Refused(`${this.name} answered ${answer.status}: ${answer.body.slice(0, 200).trim()}`);
    }
    throw new Refused(`${this.name} keeps naming other sizes`);
  }

  /** Only lines of its own keys are taken, and all of them must be there and verify. */
  async #checked(body: string, note: string): Promise<NoteSignature[]> {
    const lines = this.#understood(() =>
      body
        .split('\n')
        .filter((line) => line !== '')
        .slice(0, 16)
        .map(parseSignatureLine),
    );
    const own = lines.filter((line) =>
      this.#vkeys.some(({ name, id }) => line.name === name && base64(line.id) === base64(id)),
    );
    const checkpoint = parseSignedCheckpoint(utf8(note));
    checkpoint.note.signatures.push(...own);
    for (const vkey of this.#vkeys) {
      const check = await checkCosignature(checkpoint, vkey);
      // Time 0 makes no statement about time, and so none that a quorum could count.
      if (check.is !== 'valid' || check.seconds === 0)
        throw new Refused(`${this.name} answered without a valid cosignature by its ${vkey.alg} key`);
    }
    return own;
  }

  /** What a cosigner answers is a stranger's: nonsense is a refusal, not a failure of the line. */
  #understood<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new Refused(`${this.name} answers what nobody understands: ${message}`);
    }
  }

  #post(body: string, isRetry = false): Promise<Answer> {
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(
        this.#url,
        {
          method: 'POST',
          agent: this.#agent,
          signal: AbortSignal.timeout(this.#timeoutMs),
          headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
            if (text.length > answerLengthMax)
              request.destroy(new Refused(`${this.name} answers without end`));
          });
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              contentType: response.headers['content-type'] ?? '',
              body: text,
            }),
          );
        },
      );
      request.on('error', (error) => {
        if (error instanceof Refused) reject(error);
        // A kept connection may have gone stale; that says nothing about the cosigner.
        else if (request.reusedSocket && !isRetry) resolve(this.#post(body, true));
        else reject(new Error(`${this.name} is not reachable: ${error.message}`, { cause: error }));
      });
      request.end(body);
    });
  }
}

/** It answered, and did not cosign. */
class Refused extends Error {
  override readonly name = 'Refused';
}
