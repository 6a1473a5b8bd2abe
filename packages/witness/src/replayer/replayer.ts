/**
 * The replayer: a cosigner whose additional statement is "I replayed every entry; every map root, trust hash, chain,
 * time and record signature is right". It is a mirror, too: it keeps every entry, durably before it cosigns, and hands
 * them out to those with a token.
 */
import type { VerifierKey } from '@tallystick/core';
import {
  type ContentOptions,
  MirrorContents,
  type MirrorContentsParts,
} from '../contents/mirror-contents.ts';
import {
  type Clock,
  type Cosigner,
  type LogStatus,
  routeCheckpoint,
  routeMonitor,
  WatchedLog,
} from '../cosigner.ts';
import { plain } from '../http/answers.ts';
import type { CosignerKeys } from '../keys.ts';
import { Filling } from '../mirror/backfill.ts';
import { EntryKeeper, type FetchEntries } from '../mirror/entry-keeper.ts';
import { EntryStore } from '../mirror/entry-store.ts';
import { Follower } from '../mirror/follower.ts';
import { Lag } from '../mirror/lag.ts';
import { MirrorLog } from '../mirror/mirror-log.ts';
import { type MirroredLog, MirrorRoutes } from '../mirror/mirror-routes.ts';
import { PublishedWatch } from '../mirror/published-watch.ts';
import { linesAbout, metricsOf } from '../mirror/telling.ts';
import { StateFile } from '../state/state-file.ts';
import { ClientTlsAgent, type ClientTlsPaths } from '../tls-files.ts';
import { fetchEntries } from './entry-tiles.ts';
import type { HttpSource } from './http-source.ts';
import { HttpTrustSource } from './http-trust-source.ts';
import { ReplayJudge } from './replay-judge.ts';
import { SignaturePool } from './signature-pool.ts';
import type { Violation } from './violation.ts';

export interface ReplayerLog {
  origin: string;
  /** The log's verifier keys; all of them must have signed a checkpoint. */
  vkeys: readonly VerifierKey[];
  /** Entries are at `<logUrl>/tile/entries/…`. */
  logUrl: string;
  /** Documents are at `<trustUrl>/<ns>/namespace/<rev>` and `/brake/<rev>`, keys at `<trustUrl>/<ns>/keys`. */
  trustUrl: string;
  /** Bearer token for the entries. */
  token?: string | undefined;
  /** How to go there, where it is https. */
  tls?: ClientTlsPaths;
  /** H(payload of trust root version 1): 32 bytes. */
  genesis: Uint8Array;
  /** How its documents are got; left out where they are not. */
  contents?: ContentOptions;
  /** Looks by itself at what the log has published, for a log that does not ask for cosignatures. Default false. */
  follow?: boolean;
}

export interface ReplayerOptions {
  keys: CosignerKeys;
  /** Made by `initState`. */
  stateFile: string;
  logs: readonly ReplayerLog[];
  now: Clock;
  /** Threads that check signatures; 0 checks on the calling thread. Default 2. */
  workers?: number;
  /** Limit for one request to a log's server. Default 10 s. */
  fetchTimeoutMs?: number;
  /** Told of every violation with the origin of the log that broke a rule. */
  report?: (origin: string, violation: Violation) => void;
  /** SHA-256 of each token that opens tiles, entries and proofs. Default none: they are closed then. */
  tokenHashes?: readonly Uint8Array[];
  /** Gets lines for the operator: a mirror that is behind, or cannot get on. */
  tell?: (line: Record<string, unknown>) => void;
}

/** How often it is looked whether a mirror is behind. */
const lookMs = 10_000;

/**
 * Opens the state, rebuilds tree and map, and begins to answer. Throws ConfigError where the state is missing,
 * foreign, in use or damaged.
 */
export function createReplayer(options: ReplayerOptions): Cosigner {
  const { keys } = options;
  const file = StateFile.open(options.stateFile, { kind: 'replayer', name: keys[0].name });
  const stopping = new AbortController();
  const pool = new SignaturePool(options.workers ?? 2);
  try {
    const logs = new Map(
      options.logs.map((log) => [log.origin, watch(log, options, { file, pool, signal: stopping.signal })]),
    );
    const watched = new Map([...logs].map(([origin, log]) => [origin, log.watched]));
    const routes = new MirrorRoutes(logs, options.tokenHashes ?? []);
    const status = (): LogStatus[] => [...logs.values()].map((log) => log.status());
    const looking = tellOfDelays(status, options.tell);
    return {
      kind: 'replayer',
      keys,
      addCheckpoint: (body) => routeCheckpoint(watched, body),
      newestNote: (originHash) => routeMonitor(watched, originHash),
      status,
      counts: () => [...watched.values()].map((log) => log.counts()),
      read: (path, authorization) =>
        path === '/metrics' ? plain(200, metricsOf(status())) : routes.answer(path, authorization),
      async [Symbol.asyncDispose](): Promise<void> {
        clearInterval(looking);
        stopping.abort(new Error('the replayer stops'));
        await pool[Symbol.asyncDispose]();
        await Promise.all([...logs.values()].map((log) => log.close()));
        file[Symbol.dispose]();
      },
    };
  } catch (error) {
    stopping.abort();
    void pool[Symbol.asyncDispose]();
    file[Symbol.dispose]();
    throw error;
  }
}

function tellOfDelays(status: () => LogStatus[], tell: ReplayerOptions['tell'] = () => {}): NodeJS.Timeout {
  const before = new Set<string>();
  const look = (): void => {
    for (const line of linesAbout(status(), before)) tell(line);
  };
  look();
  return setInterval(look, lookMs).unref();
}

interface Shared {
  file: StateFile;
  pool: SignaturePool;
  signal: AbortSignal;
}

/** One log: its checkpoints, what is mirrored of it, and how far that is. */
interface ReplayedLog extends MirroredLog {
  watched: WatchedLog;
  status(): LogStatus;
  close(): Promise<void>;
}

function watch(log: ReplayerLog, options: ReplayerOptions, { file, pool, signal }: Shared): ReplayedLog {
  const { origin, vkeys, genesis, token } = log;
  const agent = log.tls && new ClientTlsAgent(log.tls);
  const { now } = options;
  const timeoutMs = options.fetchTimeoutMs ?? 10_000;
  const source = { baseUrl: log.logUrl, token, agent, timeoutMs, signal };
  const fetch: FetchEntries = (from, to) => fetchEntries(source, from, to);
  const id = file.logId(origin);
  const store = new EntryStore(file, id);
  const lag = new Lag(now);
  const judge = new ReplayJudge({
    origin,
    genesis,
    keeper: new EntryKeeper(store, fetch),
    signal,
    // Documents and keys are public: the token is not for them.
    trustSource: new HttpTrustSource({ baseUrl: log.trustUrl, agent, timeoutMs, signal }),
    pool,
    file,
    now,
    report: (violation) => options.report?.(origin, violation),
    offered: (size, cosigned) => lag.offer(size, cosigned),
    ...(log.contents && { mapsFrom: () => published.size }),
  });
  const published: PublishedWatch = new PublishedWatch({
    file,
    log: id,
    origin,
    vkeys,
    source,
    trust: () => judge.trust,
    root: (size) => judge.tree.root(size),
    entry: (index) => mirror.entries(index, index + 1)[0] as Uint8Array,
    onPublished: (size) => judge.forgetMapsBefore(size),
  });
  judge.load();
  const watched = new WatchedLog({ origin, vkeys, judge }, file, options.keys, now);
  const cosignedSize = (): number => watched.status().size;
  const filling = new Filling({
    store,
    fetch,
    tree: () => judge.tree,
    cosignedSize,
    signal,
    report: (message) => options.tell?.({ event: 'mirror-gap', origin, message }),
  });
  filling.start();
  const mirror = new MirrorLog({ file, log: id, judge, store, published, onLost: () => filling.start() });
  const follower = log.follow === true ? follow(watched, source, options.tell) : null;
  const tell = (line: Record<string, unknown>): void => options.tell?.({ ...line, origin });
  const contents = contentsOf(log, { genesis, mirror, source, cosignedSize, now, tell });
  return {
    watched,
    mirror,
    contents,
    status: () => {
      const status = watched.status();
      const held = Math.min(store.held, status.size);
      const documents = contents === null ? {} : { contents: contents.status() };
      return { ...status, mirror: { held, ...lag.status(status.size), ...documents } };
    },
    close: async () => {
      await Promise.all([watched.close(), filling.end(), published.end(), follower?.end()]);
      await contents?.[Symbol.asyncDispose]();
    },
  };
}

function follow(watched: WatchedLog, source: HttpSource, tell: ReplayerOptions['tell']): Follower {
  const { origin } = watched.status();
  return new Follower({
    source,
    follow: (checkpoint) => watched.follow(checkpoint),
    report: (message) => tell?.({ event: 'mirror-stopped', origin, message }),
  });
}

/** null where documents are not followed. */
function contentsOf(
  { contents }: ReplayerLog,
  { source, ...parts }: Omit<MirrorContentsParts, 'options'>,
): MirrorContents | null {
  if (contents === undefined) return null;
  return new MirrorContents({ ...parts, options: contents, source: { ...source, token: contents.token } });
}
