/** A cosigner of which each answer is written by the test: what a stranger on the network may send. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  base64,
  cosignedMessage,
  encodeTimestampedSignature,
  formatCheckpoint,
  formatNote,
  formatSignatureLine,
  LogTree,
  leafHash,
  makeVerifierKey,
  noteSignatureType,
  parseSignedCheckpoint,
  u64be,
  utf8,
  type VerifierKey,
} from '@tallystick/core';

export interface Asked {
  /** The size that the log believes this cosigner to have seen. */
  old: number;
  proof: string[];
  note: string;
  headers: IncomingMessage['headers'];
}

export type Script = (asked: Asked, response: ServerResponse, nth: number) => unknown;

export class FakeCosigner {
  readonly name: string;
  readonly vkey: VerifierKey;
  readonly asked: Asked[] = [];
  script: Script = (asked, response) => response.end(this.line(asked.note));
  readonly #key: ReturnType<typeof generateKeyPairSync>['privateKey'];
  readonly #server: Server;

  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    this.name = name;
    this.vkey = makeVerifierKey(name, noteSignatureType.ed25519Cosignature, new Uint8Array(raw));
    this.#key = privateKey;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A good cosignature on a note, of a time in seconds. */
  line(note: string, seconds: number = Math.floor(Date.now() / 1000)): string {
    const checkpoint = parseSignedCheckpoint(utf8(note));
    const message = cosignedMessage(this.vkey, checkpoint.note.text, checkpoint, u64be(seconds));
    const signature = encodeTimestampedSignature(seconds, sign(null, message, this.#key));
    return formatSignatureLine({ name: this.name, id: this.vkey.id, signature });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const [head = '', ...rest] = body.split('\n\n');
    const [old = '', ...proof] = head.split('\n');
    const asked = { old: Number(old.slice(4)), proof, note: rest.join('\n\n'), headers: request.headers };
    this.asked.push(asked);
    await this.script(asked, response, this.asked.length);
  }
}

/** A log whose checkpoints carry a signature that cosigners here do not look at. */
export class PlainLog {
  readonly #tree = new LogTree();

  constructor(size: number) {
    for (let index = 0; index < size; index++) this.#tree.append(leafHash(utf8(String(index))));
  }

  note(size: number): string {
    const checkpoint = { origin: 'tally.example/log', size, root: this.#tree.root(size) };
    const line = { name: 'tally.example/log', id: new Uint8Array(4), signature: new Uint8Array(64) };
    return formatNote({ text: formatCheckpoint(checkpoint), signatures: [line] });
  }

  proofTo(size: number): (oldSize: number) => Uint8Array[] {
    return (oldSize) => this.#tree.consistencyProof(oldSize, size);
  }

  proofText(from: number, to: number): string[] {
    return this.#tree.consistencyProof(from, to).map(base64);
  }
}
