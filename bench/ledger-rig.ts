/**
 * The ledger without HTTP: a SQLite store on the disk under test, a real signer process, and cosigners in this
 * process that check growth and sign.
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatTrustRootFile, formatVerifierKey, parseTrustRoot } from '@tallystick/core';
import {
  Ledger,
  ledgerTimes,
  Projections,
  SqliteStore,
  type SubmitResult,
  ThreadedProjectionWriter,
  ThreadedStore,
} from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import {
  bootstrapIdentity,
  createIdentity,
  generateIdentityKeys,
  type Identity,
  keysInMemory,
  newLicenseKey,
  newSubjectId,
  onlineKeys,
} from '@tallystick/server';
import {
  type CellFiles,
  createMark,
  createSealedKeystore,
  type KeySpec,
  signerLaunch,
} from '@tallystick/signer';
import { SignerClient } from '@tallystick/signer/client';
import { LocalCosigners } from '@tallystick/testkit';
import { type ServerProcess, startLaunch } from './processes.ts';

const origin = 'bench.example/log';

/** A ledger with what it stands on. */
interface Opened {
  ledger: Ledger;
  store: ThreadedStore;
  projections: Projections;
  projectionWriter: ThreadedProjectionWriter;
}

interface RigFiles {
  store: string;
  projections: string;
  signerConfig: string;
  signer: CellFiles;
}

export class LedgerRig implements AsyncDisposable {
  readonly #files: RigFiles;
  readonly #identity: Identity;
  readonly #cosigners: LocalCosigners;
  readonly #process: ServerProcess;
  readonly #signer: SignerClient;
  #opened: Opened;

  private constructor(parts: {
    files: RigFiles;
    identity: Identity;
    cosigners: LocalCosigners;
    process: ServerProcess;
    signer: SignerClient;
    opened: Opened;
  }) {
    this.#files = parts.files;
    this.#identity = parts.identity;
    this.#cosigners = parts.cosigners;
    this.#process = parts.process;
    this.#signer = parts.signer;
    this.#opened = parts.opened;
  }

  static async start(directory: string): Promise<LedgerRig> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const cosigners = new LocalCosigners(() => Date.now());
    // As the cosigners of the rig, and as its figures were before there were others.
    const specs = generateIdentityKeys('acme', ['ed25519']);
    const content = {
      ns: 'acme',
      name: 'Acme',
      mode: 'test',
      support: { name: null, email: null, url: null },
      origin,
      quorum: cosigners.quorum,
      now: Date.now(),
      trustYears: 5,
      offlineMax: 'P90D',
    } as const;
    const identity = await createIdentity(content, keysInMemory(specs));
    const files = writeFiles(directory, onlineKeys(specs), identity.trustRoot);
    const store = SqliteStore.create(files.store);
    const documents = await bootstrapIdentity(store, identity, {
      random: randomBytes,
      now: Date.now(),
      who: { kind: 'bench', id: 'bench' },
    });
    await store[Symbol.asyncDispose]();
    await createMark(files.signer.mark, parseTrustRoot(identity.trustRoot), documents);
    const process = await startLaunch(signerLaunch(files.signerConfig, files.signer), 'the signer');
    const signer = new SignerClient(files.signer.socket);
    const opened = await open(files, identity, cosigners, signer);
    const rig = new LedgerRig({ files, identity, cosigners, process, signer, opened });
    await rig.#sell();
    return rig;
  }

  get ledger(): Ledger {
    return this.#opened.ledger;
  }

  /** The key that signs its checkpoints, as text. */
  get vkey(): string {
    const [vkey] = parseTrustRoot(this.#identity.trustRoot).log.vkeys;
    if (vkey === undefined) throw new Error('a log without a key');
    return formatVerifierKey(vkey);
  }

  /** Issues licenses, `inFlight` at a time; resolves when all are durable. */
  async issue(count: number, inFlight = 256): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await this.run({ type: 'license.issue', plan: 'pro' });
      }
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
  }

  async run(command: Command): Promise<Extract<SubmitResult, { changes: unknown }>> {
    const cause = { who: { kind: 'bench', id: 'bench' }, why: null };
    const result = await this.ledger.submit({ command, cause, request: null, dryRun: false });
    if ('refused' in result) throw new Error(result.refused.message);
    return result;
  }

  /** Closes the ledger and opens it on what is on the disk; returns milliseconds until it takes changes. */
  async restart(): Promise<number> {
    await this.#close();
    const started = performance.now();
    this.#opened = await open(this.#files, this.#identity, this.#cosigners, this.#signer);
    await this.ready();
    return performance.now() - started;
  }

  async ready(): Promise<void> {
    await this.ledger.whenPublished(this.ledger.size, 60_000);
    while (this.ledger.mutations !== null) await new Promise(setImmediate);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#signer[Symbol.asyncDispose]();
    await this.#process.stop();
  }

  async #close(): Promise<void> {
    const { ledger, store, projections, projectionWriter } = this.#opened;
    await ledger[Symbol.asyncDispose]();
    projections[Symbol.dispose]();
    await projectionWriter[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  }

  async #sell(): Promise<void> {
    await this.ready();
    await this.run({
      type: 'product.create',
      code: 'pro',
      name: 'Pro',
      entitlements: { pdf: { type: 'boolean' } },
    });
    const entitlements = { pdf: { value: true } };
    await this.run({
      type: 'plan.create',
      product: 'pro',
      code: 'pro',
      name: 'Pro',
      term: { length: 'P1Y' },
      entitlements,
    });
  }
}

function writeFiles(directory: string, keys: readonly KeySpec[], trustRoot: Uint8Array): RigFiles {
  const at = (name: string): string => join(directory, name);
  const passphrase = randomBytes(24).toString('base64url');
  createSealedKeystore(at('online.sealed'), passphrase, keys);
  writeFileSync(at('passphrase'), passphrase, { mode: 0o600 });
  const signer = {
    socket: at('s.sock'),
    keystore: at('online.sealed'),
    passphraseFile: at('passphrase'),
    mark: at('mark.db'),
    journal: at('journal'),
    origin,
    trustRoot: at('trust-root.json'),
  };
  writeFileSync(signer.trustRoot, formatTrustRootFile([trustRoot]));
  writeFileSync(at('signer.json'), JSON.stringify(signer), { mode: 0o600 });
  return {
    store: at('ledger.db'),
    projections: at('projections.db'),
    signerConfig: at('signer.json'),
    signer,
  };
}

async function open(
  files: RigFiles,
  identity: Identity,
  cosigners: LocalCosigners,
  signer: SignerClient,
): Promise<Opened> {
  const hello = await signer.hello();
  const store = await ThreadedStore.open(files.store);
  const projectionWriter = await ThreadedProjectionWriter.open(files.projections);
  const projections = new Projections(files.projections, { readOnly: true });
  const secret = createSecretKey(randomBytes(32));
  const ledger = await Ledger.open({
    store,
    projections,
    projectionWriter,
    signer,
    cosigners,
    mark: hello.mark,
    signedBrake: async () => hello.brakes[0] ?? null,
    trust: [parseTrustRoot(identity.trustRoot)],
    saveTrust: async () => {},
    ns: 'acme',
    keys: { all: hello.keys.map(({ alg, key }) => ({ alg, key })) },
    indexKey: (key) => createHmac('sha256', secret).update(key).digest('base64url'),
    newId: newSubjectId,
    newLicenseKey,
    random: randomBytes,
    now: () => Date.now(),
    times: ledgerTimes,
    onEvent: (event) => {
      if (event.type === 'halted' || event.type === 'alarm') throw event.error;
    },
  });
  return { ledger, store, projections, projectionWriter };
}
