/** Opens the ledger on its store, signer and cosigners, and tells the HTTP side what happens. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type EventData, type EventType, encodeEvent, notes, type ProblemCode } from '@tallystick/contract';
import { base64, effectiveLock, effectiveMinEpoch, formatInstant, subjectTypeOf } from '@tallystick/core';
import {
  Ledger,
  LedgerError,
  type LedgerEvent,
  ledgerTimes,
  Projections,
  SqliteStore,
} from '@tallystick/ledger';
import { SignerClient } from '@tallystick/signer';
import type { ServerConfig } from '../config.ts';
import { newLicenseKey, newSubjectId } from '../identifiers.ts';
import { Quorum } from '../quorum/quorum.ts';
import { readTrustRootFile } from '../trust-root-file.ts';
import type { FromLedger, LedgerStatus } from './messages.ts';
import { LedgerService } from './service.ts';

export interface LedgerHost extends AsyncDisposable {
  service: LedgerService;
  status(): LedgerStatus;
  /** Whether anybody follows events: nobody pays for telling what nobody hears. */
  listen(isListening: boolean): void;
  /** Reports something that people must look at. */
  alarm(error: unknown): void;
}

const statusIntervalMs = 250;
/** A live event stream is for people and hooks, not for replication: above this only counts are told. */
const durableEventsMax = 200;

export async function openLedgerHost(
  config: ServerConfig,
  post: (message: FromLedger) => void,
): Promise<LedgerHost> {
  const [trust] = (await readTrustRootFile(config.trustRoot)).slice(-1);
  if (trust === undefined) throw new Error(`${config.trustRoot} holds no trust root`);
  const signer = new SignerClient(config.signerSocket);
  const hello = await signer.hello();
  if (hello.origin !== trust.log.origin) throw new Error('the signer holds the key of another log');
  const quorum = new Quorum({
    policy: trust.quorum,
    urls: config.cosigners,
    timeoutMs: config.cosignerTimeoutMs,
    now: () => Date.now(),
  });
  const keys = hello.keys.filter((key) => key.ns === config.ns).map(({ alg, key }) => ({ alg, key }));
  const secret = createSecretKey(Buffer.from(readFileSync(config.licenseKeySecret, 'utf8').trim(), 'base64'));
  const times = { ...ledgerTimes, ...config.times };
  const store = SqliteStore.open(config.store, { synchronous: config.synchronous });
  const projections = new Projections(config.projections);
  let isConnected = true;
  let lastCheckpointAt: string | null = null;
  const sendEvent = <T extends EventType>(type: T, data: EventData[T]): void =>
    post({ events: [{ type, data: encodeEvent(type, data) }] });
  const alarm = (code: ProblemCode, detail: string): void => {
    process.stderr.write(`${JSON.stringify({ alarm: code, detail, at: formatInstant(Date.now()) })}\n`);
    sendEvent('alarm', { at: formatInstant(Date.now()), code, detail });
  };
  let wasInTrouble = false;
  let isListening = false;
  const onEvent = (event: LedgerEvent): void => {
    switch (event.type) {
      case 'durable':
        isConnected = true;
        if (!isListening) break;
        for (const { change, index, at } of event.changes.slice(0, durableEventsMax)) {
          const subject = { type: subjectTypeOf(change.type), id: change.subject.id };
          sendEvent('entry.durable', {
            index,
            type: change.type,
            subject,
            rev: change.rev,
            at,
          } as EventData['entry.durable']);
        }
        break;
      case 'published': {
        const { size, root, asOf } = event.published;
        lastCheckpointAt = formatInstant(Date.now());
        const checkpoint = {
          size,
          root: base64(root),
          asOf: formatInstant(asOf * 1000),
          at: lastCheckpointAt,
        };
        sendEvent('checkpoint.published', checkpoint);
        break;
      }
      case 'trouble': {
        const members = quorum.status.map(member) as EventData['quorum.lost']['members'];
        if (event.error !== null) isConnected = event.error.name !== 'SignerUnavailable';
        if (event.error !== null && !wasInTrouble)
          sendEvent('quorum.lost', { at: formatInstant(Date.now()), members });
        if (event.error === null) sendEvent('quorum.restored', { at: formatInstant(Date.now()), members });
        if (event.error instanceof LedgerError && event.error.problem === 'log_behind')
          alarm('log_behind', event.error.message);
        wasInTrouble = event.error !== null;
        break;
      }
      case 'halted':
        alarm(event.error.problem === 'stopping' ? 'internal' : event.error.problem, event.error.message);
        break;
      case 'alarm':
        alarm('signer_unavailable', event.error.message);
        break;
    }
  };
  const ledger = await Ledger.open({
    store,
    projections,
    signer,
    cosigners: quorum,
    mark: hello.mark,
    trust,
    ns: config.ns,
    keys,
    indexKey: (key) => createHmac('sha256', secret).update(key).digest('base64url'),
    newId: newSubjectId,
    newLicenseKey: () => newLicenseKey(randomBytes),
    random: randomBytes,
    now: () => Date.now(),
    times,
    onEvent,
    onProgress: (progress) => post({ progress }),
  });
  const status = (): LedgerStatus => {
    const { published, pending, namespace, brake, mutations } = ledger;
    const mark = hello.mark.size > (published?.size ?? 0) ? hello.mark : (published ?? hello.mark);
    const oldestAt = pending.oldestAt;
    return {
      origin: trust.log.origin,
      size: ledger.size,
      published: published && {
        size: published.size,
        root: base64(published.root),
        asOf: formatInstant(published.asOf * 1000),
        at: lastCheckpointAt ?? formatInstant(published.asOf * 1000),
      },
      pending: {
        count: pending.count,
        oldestAt: oldestAt && formatInstant(oldestAt),
        publishBy: oldestAt && formatInstant(oldestAt + times.promiseMs),
      } as LedgerStatus['pending'],
      quorum: quorum.status,
      signer: { connected: isConnected, mark: { size: mark.size, root: base64(mark.root) } },
      namespace: {
        ns: namespace.ns,
        mode: namespace.mode,
        epoch: namespace.epoch,
        lock: effectiveLock(namespace, brake),
        minEpoch: effectiveMinEpoch(namespace, brake),
      },
      mutations: mutations && { problem: mutations.problem, message: mutations.message },
      queued: 0,
    };
  };
  const timer = setInterval(() => post({ status: status() }), statusIntervalMs);
  return {
    service: new LedgerService(ledger, keys, (code) => ({ code, detail: notes[code] })),
    status,
    listen: (on) => {
      isListening = on;
    },
    alarm: (error) => alarm(error instanceof LedgerError ? 'integrity' : 'internal', String(error)),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await ledger[Symbol.asyncDispose]();
      quorum.close();
      await signer[Symbol.asyncDispose]();
      projections[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function member({ name, group, url, state, lastSeenAt, lastError }: Quorum['status'][number]): object {
  return { name, group, url, state, lastSeenAt: lastSeenAt && formatInstant(lastSeenAt), lastError };
}
