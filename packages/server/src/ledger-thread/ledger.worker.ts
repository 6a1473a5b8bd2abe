/**
 * The ledger's thread: SQLite, sequencing, hashing and proving, off the event loop that serves HTTP.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type Asked, bareResource, type ResourceType } from '@tallystick/gate';
import { LedgerError, StoreFenced, StoreUnavailable } from '@tallystick/ledger';
import { SignerRefused, SignerUnavailable } from '@tallystick/signer/client';
import type { Gatekeeper } from './gate/gatekeeper.ts';
import type { Judgment } from './gate/judgment.ts';
import type {
  Call,
  FromLedger,
  ProblemMessage,
  Reply,
  ServiceMethod,
  ToLedger,
  WorkerData,
} from './messages.ts';
import { statusOfMutation } from './mutations.ts';
import { openHost } from './open-host.ts';
import { Outbox } from './outbox.ts';
import type { LedgerService } from './service.ts';
import { ServiceProblem } from './service-problem.ts';
import { StoreTrouble, troubleOf } from './watched-store.ts';

const port = parentPort;
if (port === null) throw new Error('the ledger runs as a worker');

const post = (message: FromLedger): void => port.postMessage(message);

const outbox = new Outbox<Reply>((replies) => post({ replies }));

function problemOf(error: unknown): ProblemMessage {
  if (error instanceof ServiceProblem) {
    const { code, detail, path, details } = error;
    return { code, detail, path, details };
  }
  if (error instanceof SignerUnavailable) return { code: 'signer_unavailable' };
  if (error instanceof LedgerError) {
    const cause: unknown = error.cause;
    if (cause instanceof SignerUnavailable) return { code: 'signer_unavailable' };
    if (cause instanceof SignerRefused) {
      const code = cause.reason === 'clock' ? 'clock_differs' : 'signer_refused';
      return { code, detail: cause.message };
    }
    // A store that cannot say how a write ended stops the log with that.
    const hasStopped = cause instanceof StoreUnavailable || cause instanceof StoreFenced;
    if (hasStopped || (cause instanceof StoreTrouble && cause.isOutcomeUnknown))
      return { code: 'outcome_unknown', detail: cause.message };
    if (error.problem === 'stopping') return { code: 'overloaded', detail: error.message };
    return { code: error.problem, detail: error.message };
  }
  if (error instanceof StoreUnavailable) return { code: 'store_unavailable' };
  return { code: 'internal' };
}

const host = await openHost(workerData as WorkerData, post).catch((error: unknown) => {
  post({ failed: troubleOf(error)?.message ?? (error instanceof Error ? error.message : String(error)) });
  return null;
});

/** What is asked that is about no subject, by the part of the system that it is about. */
const about: Partial<Record<ServiceMethod, ResourceType>> = {
  checkpoint: 'Log',
  tile: 'Log',
  leaves: 'Log',
  logEntry: 'Log',
  eventsBetween: 'Log',
  status: 'Log',
  describe: 'Log',
  currentTrust: 'Namespace',
  publicDocument: 'Namespace',
  trustKeys: 'Namespace',
  trustRoot: 'Namespace',
  policyInForce: 'Policy',
  policyHistory: 'Policy',
};

/** What was signed elsewhere, and is put into the log as it is. */
const submits: ReadonlySet<ServiceMethod> = new Set<ServiceMethod>(['publishTrust', 'reviseNamespace']);

async function answer(service: LedgerService, call: Call, gatekeeper: Gatekeeper): Promise<void> {
  const { id, method, input } = call;
  const judgment = gatekeeper.open(call.asked === null ? null : (JSON.parse(call.asked) as Asked));
  try {
    const asked: unknown = JSON.parse(input);
    if (submits.has(method))
      judgment.submit(bareResource('Namespace'), (asked as { why: string | null }).why);
    const type = about[method];
    // Without anybody asking, only what everybody may know is asked for.
    if (judgment.asked !== null && type !== undefined) judgment.read(bareResource(type));
    if (host?.isCurrent === false && method !== 'status') throw new ServiceProblem('store_unavailable');
    if (method === 'mutate' || method === 'reviseNamespace') {
      const { command } = asked as { command: { type: string } };
      const result = await service[method](asked as never, judgment);
      const verdict = checked(judgment, method).takeVerdict();
      outbox.add({
        id,
        status: statusOfMutation(command.type, result),
        body: JSON.stringify(result),
        verdict,
      });
      return;
    }
    const ask = service[method] as (input: unknown, judgment: Judgment) => Promise<unknown>;
    const result = await ask.call(service, asked, judgment);
    const verdict = checked(judgment, method).takeVerdict();
    outbox.add({
      id,
      status: 200,
      body: typeof result === 'string' ? result : JSON.stringify(result),
      verdict,
    });
  } catch (error) {
    const problem = problemOf(error);
    if (problem.code === 'integrity' || problem.code === 'internal') host?.alarm(error);
    outbox.add({ id, problem, verdict: judgment.takeVerdict() });
  }
}

/** Whatever was found out is not told unless somebody judged that it may be. */
function checked(judgment: Judgment, method: ServiceMethod): Judgment {
  if (judgment.asked === null || judgment.isMade) return judgment;
  throw new Error(`nobody judged ${method}`);
}

port.on('message', (message: ToLedger) => {
  if ('calls' in message) {
    if (host !== null) for (const call of message.calls) void answer(host.service, call, host.gatekeeper);
    return;
  }
  if ('listening' in message) {
    host?.listen(message.listening);
    return;
  }
  void host?.[Symbol.asyncDispose]().then(() => {
    post({ stopped: true });
    port.close();
  });
});

if (host !== null) post({ ready: host.status() });
