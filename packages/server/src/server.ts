/** The server: three listeners in front of one ledger. */

import type { AddressInfo } from 'node:net';
import { zones } from '@tallystick/contract';
import { base64 } from '@tallystick/core';
import { Directory, defaultPolicyDocument } from '@tallystick/gate';
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import type { AccessClient } from './access/access-client.ts';
import { startAccessLog } from './access/start-access-log.ts';
import type { ServerConfig } from './config.ts';
import { ContentExport } from './contents/content-export.ts';
import { Gate } from './gate.ts';
import { EventStreams } from './http/event-streams.ts';
import { createListener } from './http/listener.ts';
import { followTls } from './http/listener-tls.ts';
import { LedgerClient } from './ledger-thread/ledger-client.ts';
import { openLogin } from './login/open-login.ts';
import { Metrics } from './metrics.ts';
import { ShadowRuns } from './shadow/shadow-runs.ts';
import { readTrustRootFile } from './trust-root-file.ts';

export interface RunningServer extends AsyncDisposable {
  /** Addresses by zone. */
  urls: { public: string; admin: string; ops: string };
}

export interface ServerEvents {
  onProgress: (progress: { step: string; done: number }) => void;
  /** The ledger ended by itself: the process should too. */
  onDeath: (error: Error) => void;
}

export interface ServerOptions {
  /** Judges nobody, for measuring what that costs: no configuration leads here. */
  isGateOpen?: boolean;
}

async function openGate(config: ServerConfig, directory: Directory, logger: Logger): Promise<Gate> {
  const [first] = await readTrustRootFile(config.trustRoot);
  if (first === undefined) throw new Error(`${config.trustRoot} holds no trust root`);
  const gate = new Gate(config, base64(first.genesis), directory, (error) =>
    logger.error({ error }, 'sessions cannot be written'),
  );
  const { rejected } = gate.sessions;
  if (rejected > 0)
    logger.error({ rejected }, 'the file of sessions had rows that this server did not write');
  return gate;
}

/** Starts everything, the ledger first; rejects with a sentence for the operator. */
export async function startServer(
  config: ServerConfig,
  on: ServerEvents,
  { isGateOpen = false }: ServerOptions = {},
): Promise<RunningServer> {
  const logger = pino({ level: 'warn' }, pino.destination(2));
  const streams = new EventStreams();
  const directory = new Directory();
  let ledger: LedgerClient | null = null;
  let gate: Gate | null = null;
  let access: AccessClient | null = null;
  const metrics = new Metrics(() => ledger?.status ?? null);
  // Either may be there first: what the log says, or the access log.
  const dropRecords = (): void => {
    const { accessDroppedBefore: before } = directory.policy ?? {};
    if (before !== undefined) access?.drop(before);
  };
  ledger = await LedgerClient.start(
    { config, isGateOpen },
    {
      onEvent: (event) => {
        if (event.type === 'alarm')
          metrics.alarm((JSON.parse(event.data.slice(event.data.indexOf('{'))) as { code: string }).code);
        streams.send(event);
      },
      onAccess: (documents) => {
        for (const document of documents) directory.apply(document);
        dropRecords();
        gate?.follow(documents);
        streams.endStale();
      },
      onInput: (entities, input) => access?.learn(entities, input),
      onProgress: on.onProgress,
      onDeath: on.onDeath,
    },
  );
  streams.attach(ledger);
  access = await startAccessLog(config, { metrics, streams, directory, onDeath: on.onDeath });
  dropRecords();
  const opened = await openGate(config, directory, logger);
  gate = opened;
  const urls: Record<string, string> = {};
  const contents = new ContentExport(config, { metrics, streams });
  const login = await openLogin(config, opened, { ledger, access }, () => urls['admin'] ?? '');
  const shadows = new ShadowRuns(config, access, () => opened.directory.policy ?? defaultPolicyDocument());
  const parts = { config, ledger, metrics, streams, access, gate: opened, login, contents, shadows, logger };
  const apps = await Promise.all(zones.map((zone) => createListener(zone, parts)));
  const following = await listen(apps, config, urls, logger);
  return {
    urls: urls as RunningServer['urls'],
    async [Symbol.asyncDispose]() {
      following.dispose();
      streams.close();
      await closeInOrder(apps);
      await shadows[Symbol.asyncDispose]();
      await access?.[Symbol.asyncDispose]();
      await contents[Symbol.asyncDispose]();
      await ledger.stop();
      opened.close();
      login[Symbol.dispose]();
    },
  };
}

/** Changes that wait for their checkpoint still need the public listener: replayers read the log there. */
async function closeInOrder(apps: readonly FastifyInstance[]): Promise<void> {
  await apps[zones.indexOf('admin')]?.close();
  await Promise.all(apps.map((app) => app.close()));
}

/** Opens the listeners, in the order of the zones, and fills their addresses in. Returns what follows their files. */
async function listen(
  apps: readonly FastifyInstance[],
  { listeners }: ServerConfig,
  urls: Record<string, string>,
  logger: Logger,
): Promise<DisposableStack> {
  const following = new DisposableStack();
  for (const [at, zone] of zones.entries()) {
    const app = apps[at];
    if (app === undefined) continue;
    const { host, port, tls } = listeners[zone];
    await app.listen({ host, port, backlog: 4096 });
    urls[zone] = urlOf(tls !== undefined, host, (app.server.address() as AddressInfo).port);
    if (tls === undefined) continue;
    following.use(
      followTls(app.server, tls, (outcome) => logger.warn({ zone, ...outcome }, 'TLS files changed')),
    );
  }
  return following;
}

function urlOf(isSecure: boolean, host: string, port: number): string {
  return `${isSecure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
