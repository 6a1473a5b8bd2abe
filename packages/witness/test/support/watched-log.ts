/** A log that lies in every way that a monitor should notice, with real witnesses: what it signs is its own doing. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  decodeUtf8,
  encodeEntryBundle,
  encodePromise,
  formatTrustRootFile,
  hex,
  type KeptPromise,
  leafHash,
  parseTilePath,
  payloadTypes,
  publicKeyJson,
  sha256,
  type TrustRoot,
  tileWidth,
  utf8,
  verifyTrustChain,
} from '@tallystick/core';
import {
  type Cosigner,
  type CosignerKey,
  createMonitorKey,
  createWitness,
  initState,
  keyFromSeed,
  monitorLayout,
} from '../../src/index.ts';
import { sealEnvelope } from './signing-key.ts';
import { requestBody, TestLog, type TrustOptions, testNamespace, testNow } from './test-log.ts';

type Pushed = Parameters<TestLog['push']>;

const mirrorToken = 'mirror-token-of-the-test';
const cosigners = ['w1', 'w2', 'r1'] as const;
export type CosignerName = (typeof cosigners)[number];

/** One cosigner: a real witness, and the place where it hands out the newest checkpoint that it cosigned. */
class ServedWitness {
  readonly name: string;
  readonly #key: CosignerKey;
  readonly #folder: string;
  readonly #log: TestLog;
  readonly #now: () => number;
  #witness: Cosigner;
  #states = 0;
  /** What its monitoring address answers; null before the first. */
  note: string | null = null;

  constructor(name: string, folder: string, log: TestLog, now: () => number) {
    this.name = name;
    this.#key = keyFromSeed(name, randomBytes(32));
    this.#folder = folder;
    this.#log = log;
    this.#now = now;
    this.#witness = this.#open();
  }

  get vkey(): string {
    return this.#key.vkeyText;
  }

  /** Has it cosign the first `size` entries of a history. */
  async cosign(log: TestLog, size: number): Promise<void> {
    const old = this.#witness.status()[0]?.size ?? 0;
    const proof = log.tree.consistencyProof(old, size);
    const note = log.checkpoint(size);
    this.note = note + (await this.#witness.addCheckpoint(requestBody(old, proof, note)));
  }

  /** Its operator gives it a new memory, against all advice. */
  async forget(): Promise<void> {
    await this.close();
    this.#witness = this.#open();
  }

  async close(): Promise<void> {
    await this.#witness[Symbol.asyncDispose]();
  }

  #open(): Cosigner {
    const { origin, vkey } = this.#log;
    this.#states += 1;
    const id = hex(sha256(utf8(this.name))).slice(0, 8);
    const stateFile = join(this.#folder, `${id}-${this.#states}.db`);
    initState({ stateFile, kind: 'witness', name: this.name, origins: [origin] });
    return createWitness({ keys: [this.#key], stateFile, logs: [{ origin, vkeys: [vkey] }], now: this.#now });
  }
}

/** One history of the log. All of them are signed by the same keys. */
export class History extends TestLog {
  readonly #pushed: Pushed[] = [];
  /** The policy that version 1 of the trust root has. */
  quorum = '';

  override push(...pushed: Pushed): number {
    this.#pushed.push(pushed);
    return super.push(...pushed);
  }

  override trustPayload(options: TrustOptions): Uint8Array {
    const body = JSON.parse(decodeUtf8(super.trustPayload(options))) as object;
    return utf8(JSON.stringify({ ...body, quorum: this.quorum }));
  }

  /** Another history that begins with the first `size` entries of this one. */
  fork(size: number): History {
    const fork = new History(this.origin);
    const { keys, vkey, publicKeys, quorum } = this;
    Object.assign(fork, { keys, vkey, publicKeys, quorum, trustHashes: [...this.trustHashes] });
    Object.assign(fork, { documents: new Map(this.documents) });
    for (const pushed of this.#pushed.slice(0, size)) fork.push(...pushed);
    // Its clock goes on from where this one's stands.
    for (let at = 0; at < 2 * this.size + 10; at++) fork.nextAt();
    return fork;
  }

  promise(index: number, leaf: Uint8Array, publishBy: string): KeptPromise {
    const payload = encodePromise({ origin: this.origin, index, count: 1, root: leaf, publishBy });
    const envelope = Buffer.from(sealEnvelope(payload, payloadTypes.promise, [this.keys.log])).toString(
      'base64',
    );
    return { envelope, index, leaf: Buffer.from(leaf).toString('base64'), path: [] };
  }
}

export class WatchedWorld {
  readonly folder: string;
  readonly history: History;
  readonly witnesses: Record<CosignerName, ServedWitness>;
  /** The history whose tiles, entries and documents are served. */
  served: History;
  /** What `/log/checkpoint` answers. */
  shown: string | null = null;
  /** Envelopes of trust roots that are served, by version. */
  readonly trustRoots: Map<number, Uint8Array> = new Map();
  /** Nobody answers. */
  isDown = false;
  /** What opens the tiles. */
  token: string = mirrorToken;
  /** Seconds. */
  now: number = testNow;
  readonly #server: Server;

  private constructor(folder: string, origin: string, members: readonly CosignerName[]) {
    this.folder = folder;
    this.history = new History(origin);
    this.served = this.history;
    const witness = (name: CosignerName): ServedWitness =>
      new ServedWitness(`witness.example/${name}`, folder, this.history, () => this.now);
    this.witnesses = { w1: witness('w1'), w2: witness('w2'), r1: witness('r1') };
    this.history.quorum = this.quorumOf(members);
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** With entries up to a first map root, and a monitor's folder that is configured for it. */
  static async start(
    parent: string,
    origin = 'log.example/test',
    members: readonly CosignerName[] = cosigners,
  ): Promise<WatchedWorld> {
    const world = new WatchedWorld(mkdtempSync(join(parent, 'world-')), origin, members);
    world.history.bootstrap().pushMapRoot();
    world.#server.listen(0, '127.0.0.1');
    await once(world.#server, 'listening');
    world.#configure(members);
    return world;
  }

  /** The policy of these: one of the witnesses, and the replayer. `base` is where they are, for the policy to say. */
  quorumOf(members: readonly CosignerName[], base?: string): string {
    const lines = members.map((name) =>
      ['witness', name, this.witnesses[name].vkey, ...(base === undefined ? [] : [`${base}/${name}`])].join(
        ' ',
      ),
    );
    const witnesses = members.filter((name) => name !== 'r1').join(' ');
    return `${lines.join('\n')}\ngroup witnesses 1 ${witnesses}\ngroup replayers 1 r1\ngroup quorum all witnesses replayers\nquorum quorum\n`;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of the monitor. */
  get monitorFolder(): string {
    return join(this.folder, 'monitor');
  }

  get trust(): Promise<TrustRoot[]> {
    return verifyTrustChain([this.history.entries[0]!]);
  }

  /** Has cosigners cosign the first `size` entries, all of them where none are named, and shows the result. */
  async publish(
    log: History = this.served,
    size: number = log.size,
    names: readonly CosignerName[] = cosigners,
  ): Promise<void> {
    for (const name of names) await this.witnesses[name].cosign(log, size);
    this.shown = this.noteOf(log, size, names);
  }

  /** The checkpoint with the lines that these cosigners made last. */
  noteOf(log: History, size: number, names: readonly CosignerName[]): string {
    const lines = names.map((name) => this.witnesses[name].note?.trimEnd().split('\n').at(-1));
    return `${log.checkpoint(size)}${lines.join('\n')}\n`;
  }

  #configure(members: readonly CosignerName[]): void {
    const layout = monitorLayout(this.monitorFolder);
    createFolder(this.monitorFolder);
    createMonitorKey(layout.key);
    writeFileSync(
      join(this.monitorFolder, 'trust-root.json'),
      formatTrustRootFile([this.history.entries[0]!]),
    );
    writeFileSync(join(this.monitorFolder, 'mirror.token'), mirrorToken);
    const log = {
      trustRoot: 'trust-root.json',
      logUrl: `${this.url}/log`,
      trustUrl: `${this.url}/trust`,
      tokenFile: 'mirror.token',
      witnesses: members.map((name) => ({ name: this.witnesses[name].name, url: `${this.url}/${name}` })),
    };
    writeFileSync(layout.config, JSON.stringify({ logs: [log] }));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.isDown) {
      request.socket.destroy();
      return;
    }
    const path = request.url ?? '';
    const isOpen = !path.startsWith('/log/tile/') || request.headers.authorization === `Bearer ${this.token}`;
    const bytes = isOpen ? this.#find(path) : null;
    response.writeHead(bytes !== null ? 200 : isOpen ? 404 : 401).end(bytes);
  }

  #find(path: string): Uint8Array | string | null {
    const { served } = this;
    for (const name of cosigners)
      if (path === `/${name}/${hex(sha256(utf8(served.origin)))}/checkpoint`)
        return this.witnesses[name].note;
    if (path === '/log/checkpoint') return this.shown;
    if (path === `/trust/${testNamespace}/keys`)
      return JSON.stringify({ keys: served.publicKeys.map(publicKeyJson) });
    const version = /^\/trust\/(\d+)$/.exec(path)?.[1];
    if (version !== undefined) return this.trustRoots.get(Number(version)) ?? null;
    const document = path.split(`/trust/${testNamespace}/`)[1];
    if (document !== undefined) return served.documents.get(document) ?? null;
    const { level, index, width } = parseTilePath(path.slice('/log/'.length));
    if (index * tileWidth + width > served.size) return null;
    const entries = served.entries.slice(index * tileWidth, index * tileWidth + width);
    return level === 'entries' ? encodeEntryBundle(entries) : Buffer.concat(entries.map(leafHash));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of cosigners) await this.witnesses[name].close();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function createFolder(path: string): void {
  mkdirSync(join(path, 'promises'), { recursive: true });
}
