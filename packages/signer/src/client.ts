/** The server's end of the signer's socket. Reconnects by itself; requests in flight fail then. */
import { connect, type Socket } from 'node:net';
import {
  asArray,
  asObject,
  asString,
  type BrakeDocument,
  base64,
  type Checkpoint,
  decodeBase64,
  type EnvelopeSignature,
  type JsonObject,
  type JsonValue,
  type NoteSignature,
  type PromiseStatement,
  type PublicKey,
  parseBrake,
  utf8,
} from '@tallystick/core';
import { SignerRefused, SignerUnavailable } from './client-errors.ts';
import { proveUser } from './peer/prove-user.ts';
import { encodeFrame, type Frame, FrameReader } from './protocol/frames.ts';
import {
  type Abandoned,
  type BatchToSign,
  batchRequest,
  parseCheckpoint,
  unavailableReason,
} from './protocol/requests.ts';
import type { SignedBatch } from './signer.ts';

export interface SignerHello {
  origin: string;
  mark: Checkpoint;
  keys: (PublicKey & { usages: string[]; ns: string | null })[];
  /** Public halves of keys that were destroyed. */
  destroyed: (PublicKey & { usages: string[]; ns: string | null })[];
  /** The brakes that bind it, by namespace. */
  brakes: BrakeDocument[];
  /** The newest checkpoint of the access log that it signed; null where it signs none. */
  access: Checkpoint | null;
}

interface Waiting {
  resolve(frame: Frame): void;
  reject(error: Error): void;
}

/** A signature takes the signer microseconds, and a mark on a slow disk a second. */
const answerMsMax = 10_000;

export class SignerClient {
  readonly #path: string;
  #socket: Promise<Socket> | null = null;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;

  /** @param path the signer's socket */
  constructor(path: string) {
    this.#path = path;
  }

  /** Who the signer is, and the newest checkpoint it signed. */
  async hello(): Promise<SignerHello> {
    const { header } = await this.#ask({ op: 'hello' });
    const json = asObject(header as JsonValue, 'hello');
    const origin = asString(json.origin, 'origin');
    const keysIn = (name: 'keys' | 'destroyed'): SignerHello['keys'] =>
      asArray(json[name], name, 256).map((key) => parseKey(asObject(key, 'key')));
    return {
      origin,
      mark: parseCheckpoint(json.mark),
      access: (json.access ?? null) === null ? null : parseCheckpoint(json.access),
      brakes: asArray(json.brakes, 'brakes', 64).map((brake) => parseBrake(utf8(asString(brake, 'brake')))),
      keys: keysIn('keys'),
      destroyed: keysIn('destroyed'),
    };
  }

  /** Size of the newest checkpoint that it signed. */
  async markSize(): Promise<number> {
    return (await this.hello()).mark.size;
  }

  /** The entries of a batch, in order, and the promise over them. */
  async signBatch(batch: BatchToSign): Promise<SignedBatch> {
    const { header, attachments } = batchRequest(batch);
    const answer = await this.#ask(header, attachments);
    const { lengths } = answer.header as { lengths: number[] };
    let at = 0;
    const entries = lengths.map((length) => {
      at += length;
      return answer.attachments.subarray(at - length, at);
    });
    return { entries, promise: answer.attachments.subarray(at) };
  }

  /** Says that the log ends at an index, and what was signed for it and above is not used. */
  async abandon({ index, cause }: Abandoned): Promise<void> {
    await this.#ask({ op: 'abandon', index, cause });
  }

  /** Hands over a record of the namespace or its brake, so that it governs what is signed from now on. */
  async adopt(entry: Uint8Array, document: Uint8Array): Promise<void> {
    await this.#ask({ op: 'adopt', entryLength: entry.length }, [entry, document]);
  }

  /** How its clock and the cosigners' differ too much, or that it was not held against theirs yet; null where all is well. */
  async clockProblem(): Promise<string | null> {
    const { header } = await this.#ask({ op: 'clock' });
    const { problem } = asObject(header as JsonValue, 'clock');
    return problem === null ? null : asString(problem, 'problem');
  }

  /** Shows it a published checkpoint, with the signatures of the log and its cosigners, just made or not. */
  async witnessed(note: string, isFresh: boolean): Promise<void> {
    await this.#ask({ op: 'witnessed', isFresh }, [utf8(note)]);
  }

  /**
   * Shows it a checkpoint that another signer of this log signed, with the proof that leads there from its mark: it goes on
   * from there.
   */
  async follow(note: string, proof: readonly Uint8Array[]): Promise<void> {
    await this.#ask({ op: 'follow', proof: proof.map(base64) }, [utf8(note)]);
  }

  /** Hands over every version of the trust root from 1 up, as envelopes, so that the newest governs from now on. */
  async adoptTrustRoot(envelopes: readonly Uint8Array[]): Promise<void> {
    await this.#ask({ op: 'trust', lengths: envelopes.map(({ length }) => length) }, [...envelopes]);
  }

  /** What it says of its keys, named by key id, or of all where none is named: the envelope of an attestation. */
  async attest(keyids: readonly string[]): Promise<Uint8Array> {
    return (await this.#ask({ op: 'attest', keyids })).attachments;
  }

  /** The log's signature on a promise. */
  async signPromise(statement: PromiseStatement): Promise<EnvelopeSignature> {
    const frame = await this.#ask({
      op: 'promise',
      statement: { ...statement, root: base64(statement.root) },
    });
    return { keyid: (frame.header as { keyid: string }).keyid, sig: frame.attachments };
  }

  /** The log's lines on a checkpoint, one of each of its keys; `proof` leads from the signer's mark to it. */
  async signCheckpoint(checkpoint: Checkpoint, proof: readonly Uint8Array[]): Promise<NoteSignature[]> {
    const { origin, size, root } = checkpoint;
    const request = {
      op: 'checkpoint',
      checkpoint: { origin, size, root: base64(root) },
      proof: proof.map(base64),
    };
    const frame = await this.#ask(request);
    const { lines } = frame.header as { lines: { keyId: string; length: number }[] };
    let at = 0;
    return lines.map(({ keyId, length }) => {
      at += length;
      return {
        name: origin,
        id: decodeBase64(keyId, 4),
        signature: frame.attachments.subarray(at - length, at),
      };
    });
  }

  async #ask(
    request: { op: string; [name: string]: unknown },
    attachments: Uint8Array[] = [],
  ): Promise<Frame> {
    const socket = await this.#connected();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // A signer that hangs is as good as none: the connection is given up, and with it what waits on it.
      const timer = setTimeout(() => socket.destroy(new Error('the signer does not answer')), answerMsMax);
      const settled = <T>(settle: (value: T) => void): ((value: T) => void) => {
        return (value) => {
          clearTimeout(timer);
          settle(value);
        };
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      socket.write(encodeFrame({ id, ...request }, attachments));
    });
  }

  #connected(): Promise<Socket> {
    if (this.#socket === null) {
      const connecting = this.#connect(() => {
        if (this.#socket === connecting) this.#socket = null;
      });
      this.#socket = connecting;
    }
    return this.#socket;
  }

  /** Resolves when the signer serves this user. `forget` is called when the connection is lost, before anybody hears of it. */
  #connect(forget: () => void): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#path);
      const timer = setTimeout(() => socket.destroy(new Error('the signer does not answer')), answerMsMax);
      const lost = (error?: Error): void => {
        clearTimeout(timer);
        forget();
        const isSaid = error instanceof SignerUnavailable;
        const unavailable = isSaid
          ? error
          : new SignerUnavailable('the signer is not reachable', { cause: error });
        reject(unavailable);
        const waiting = [...this.#waiting.values()];
        this.#waiting.clear();
        for (const each of waiting) each.reject(unavailable);
      };
      let cause: Error | undefined;
      socket.on('error', (error) => {
        cause = error;
      });
      // The last event of every connection, and so heard once, whatever ended it.
      socket.once('close', () => lost(cause));
      const served = (): void => {
        clearTimeout(timer);
        this.#listen(socket);
        resolve(socket);
      };
      proveUser(socket, this.#path).then(served, (error: unknown) => socket.destroy(asError(error)));
    });
  }

  #listen(socket: Socket): void {
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) this.#settle(frame);
      } catch (error) {
        socket.destroy(asError(error));
      }
    });
  }

  #settle(frame: Frame): void {
    const header = frame.header as { id: number; error?: { reason: string; message: string } };
    const waiting = this.#waiting.get(header.id);
    this.#waiting.delete(header.id);
    if (header.error === undefined) waiting?.resolve(frame);
    else waiting?.reject(refusal(header.error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const socket = await this.#socket?.catch(() => null);
    socket?.destroy();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** A signer without its log key is as good as none, and comes back as one does. */
function refusal({ reason, message }: { reason: string; message: string }): Error {
  return reason === unavailableReason ? new SignerUnavailable(message) : new SignerRefused(reason, message);
}

function parseKey(json: JsonObject): SignerHello['keys'][number] {
  return {
    alg: asString(json.alg, 'alg') as PublicKey['alg'],
    key: decodeBase64(asString(json.key, 'key')),
    usages: asArray(json.usages, 'usages', 16).map((usage) => asString(usage, 'usage')),
    ns: json.ns === null ? null : asString(json.ns, 'ns'),
  };
}
