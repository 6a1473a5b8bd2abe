/** One handler per route of the contract: what it asks of the ledger, and nothing else. */
import { hash } from 'node:crypto';
import {
  type Listed,
  openApiDocument,
  type Readiness,
  type RequestOf,
  type RouteName,
  routes,
} from '@tallystick/contract';
import { addCustodyAccess } from '@tallystick/core';
import { lookupOfHash, type PolicySource } from '@tallystick/gate';
import type { Command } from '@tallystick/license';
import { custodyAccess } from '../access/custody-access.ts';
import { accessIdentity, listAccess } from '../access/list-access.ts';
import type { LedgerStatus } from '../ledger-thread/messages.ts';
import type { Seen } from '../ledger-thread/mutations.ts';
import type { ShadowRuns } from '../shadow/shadow-runs.ts';
import { preparedCommand, withLastUse } from './credential-handlers.ts';
import { invitationIn } from './invitation-in.ts';
import { loginHandlers } from './login-handlers.ts';
import type { RequestContext } from './request-context.ts';
import { sessionHandlers } from './session-handlers.ts';

/** A body, or with a status other than 200. */
export type Answer = string | Uint8Array | { status: number; body: string };

export type Handler<N extends RouteName> = (
  request: RequestOf<N>,
  context: RequestContext,
) => Promise<Answer>;

export type Handlers = { readonly [N in Exclude<RouteName, 'event.stream'>]: Handler<N> };

type MutationName = Extract<RouteName, Command['type']>;

interface MutationRequest {
  params: { id?: string };
  query: { dryRun: boolean; wait: 'durable' | 'published'; waitMs: number };
  headers: { 'idempotency-key'?: string; 'tally-reason'?: string };
  body: object;
}

/** The command is the body with its type and, where the path names one, its subject. */
function mutation<N extends MutationName>(name: N): Handler<N> {
  const kind = name.slice(0, name.indexOf('.'));
  return async (request, { ask, caller, gate, shadows }) => {
    const { params, query, headers, body } = request as unknown as MutationRequest;
    const target = params.id === undefined ? {} : { [kind]: params.id };
    const asked = { ...body, ...target, type: name } as unknown as Command;
    const command = preparedCommand(asked, gate.secrets);
    const key = headers['idempotency-key'];
    return ask('mutate', {
      command,
      why: headers['tally-reason'] ?? null,
      request: key === undefined ? null : { key, hash: hash('sha256', askedFor(command, caller), 'base64') },
      ...query,
      ...shadowOf(command, shadows),
    });
  };
}

/** For a policy that is to be published, also where it waits inside a request for approval. */
function shadowOf(command: Command, shadows: ShadowRuns): Seen {
  const asked = command.type === 'approval.request' ? command.command : command;
  if (asked['type'] !== 'policy.publish') return {};
  const { schema, policies } = asked as unknown as PolicySource;
  if (!Array.isArray(schema) || !Array.isArray(policies)) return {};
  const candidate = { schema, policies };
  return { shadowProblem: shadows.problemOf(candidate), shadowedUnder: shadows.underOf(candidate) };
}

/** What is asked for under a key: by somebody else it is something else. The token of a system's folder is nobody's. */
function askedFor(command: Command, caller: RequestContext['caller']): string {
  const text = JSON.stringify(command);
  return caller === null || caller.kind === 'bootstrap' ? text : `${caller.principal}\n${text}`;
}

function get(
  type: Listed,
): (request: { params: { id: string } }, context: RequestContext) => Promise<Answer> {
  return ({ params }, { call }) => call('get', { type, id: params.id });
}

interface ListRequest {
  query: { limit: number; cursor?: string };
}

function list(type: Listed): (request: ListRequest, context: RequestContext) => Promise<Answer> {
  return ({ query }, { call }) => {
    const { limit, cursor, ...filter } = query;
    return call('list', { type, filter, cursor: cursor ?? null, limit });
  };
}

function history(
  type: Listed,
): (request: ListRequest & { params: { id: string } }, context: RequestContext) => Promise<Answer> {
  return ({ params, query }, { call }) => {
    const { limit, cursor } = query;
    return call('history', { type, id: params.id, cursor: cursor ?? null, limit });
  };
}

const openApi = JSON.stringify(openApiDocument());

const reads = {
  'log.checkpoint': (_, { call }) => call('checkpoint', null),
  'log.access': (_, { access }) => accessIdentity(access),
  'log.tile': async ({ params }, { call }) => {
    return Buffer.from(await call('tile', { path: params['*'] }), 'base64');
  },
  'log.contents': async ({ params, query }, { call, caller, contents }) => {
    const { from } = params;
    const to = Math.min(query.to, from + contents.entriesMax);
    const asked = JSON.parse(await call('leaves', { from, to })) as { size: number; leaves: string };
    return contents.sealed(caller?.principal ?? '', { from, ...asked });
  },
  'trust.get': ({ params }, { call }) =>
    /^\d/.test(params.key)
      ? call('trustRoot', { version: Number(params.key) })
      : call('currentTrust', { ns: params.key }),
  'trust.keys': ({ params }, { call }) => call('trustKeys', { ns: params.ns }),
  'trust.namespace': ({ params }, { call }) => call('publicDocument', { ...params, id: 'namespace' }),
  'trust.brake': ({ params }, { call }) => call('publicDocument', { ...params, id: 'brake' }),
  'trust.publish': ({ body, query, headers }, { call }) =>
    call('publishTrust', { ...body, ...query, why: headers['tally-reason'] ?? null }),
  'namespace.revise': ({ body, query, headers }, { ask }) =>
    ask('reviseNamespace', {
      command: { type: 'namespace.update' },
      ...body,
      ...query,
      why: headers['tally-reason'] ?? null,
    }),
  'recovery.describe': (_, { call }) => call('recoveryDraft', null),
  'recovery.submit': ({ body, query }, { call, gate }) =>
    call('recover', {
      ...body,
      ...query,
      lookup: lookupOfHash(gate.secrets.apiKeys, invitationIn(body)),
    }),
  'license.bundle': ({ params, query }, { call }) =>
    call('bundle', { id: params.id, trustVersion: query.trustVersion }),
  'license.custody': async ({ params, query }, { call, access }) => {
    const { reads: showsReads, ...request } = query;
    const text = await call('custody', { id: params.id, ...request });
    const shown = showsReads && access !== null ? await custodyAccess(access, params.id, request) : null;
    return shown === null ? text : addCustodyAccess(text, shown);
  },
  'bundle.fetch': ({ body }, { call }) => call('bundleOfKey', { ...body }),
  'log.entry': ({ params }, { call }) => call('logEntry', { index: params.index }),
  'log.status': async (_, { call, access, gate }) => {
    const now = JSON.parse(await call('status', null)) as LedgerStatus;
    const { mutations, quorum, follows: _follows, ...status } = now;
    const instant = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
    const members = quorum.map(({ lastSeenAt, ...member }) => ({
      ...member,
      lastSeenAt: instant(lastSeenAt),
    }));
    const { networks, trustedProxies, trustDomains } = gate.edge;
    const edge = { networks: Object.keys(networks), trustedProxies: trustedProxies.length, trustDomains };
    return JSON.stringify({ ...status, quorum: members, mutations: changesOf(mutations, access), edge });
  },
  'access.list': async ({ query }, { call, access }) => {
    await call('describe', null);
    return listAccess(query, access);
  },
  'policy.get': (_, { call }) => call('policyInForce', null),
  'policy.shadow': async ({ body }, { call, shadows }) => {
    await call('policyInForce', null);
    const { from = null, to = null, ...candidate } = body;
    return JSON.stringify(await shadows.ask(candidate, { from, to }));
  },
  'policy.history': ({ query }, { call }) => {
    const { limit, cursor } = query;
    return call('policyHistory', { cursor: cursor ?? null, limit });
  },
  'openapi.get': async (_, { call }) => {
    await call('describe', null);
    return openApi;
  },
  'metrics.get': (_, { metrics }) => metrics.text(),
  'health.get': async () => JSON.stringify({ alive: true }),
  'ready.get': async (_, { status, access }) => {
    const { mutations } = status;
    const changes = changesOf(mutations, access);
    const isBroken = mutations?.problem === 'integrity';
    const body = JSON.stringify({
      reads: isBroken ? readinessOf(mutations) : readinessOf(null),
      mutations: changes,
    });
    return { status: changes.ready ? 200 : 503, body };
  },
  'primary.get': async (_, { status }) => {
    const { writes } = status;
    return { status: writes ? 200 : 503, body: JSON.stringify({ writes }) };
  },
} satisfies Partial<Handlers>;

/** What is not recorded is not changed. */
function changesOf(problem: LedgerStatus['mutations'], access: RequestContext['access']): Readiness {
  const { reasons } = readinessOf(problem);
  const blocked = access?.blocked ?? null;
  const all =
    blocked === null ? reasons : [...reasons, { code: 'access_log_unavailable' as const, detail: blocked }];
  return { ready: all.length === 0, reasons: all };
}

/** Ready, or why not, as the problem that a request would meet. */
function readinessOf(problem: LedgerStatus['mutations']): Readiness {
  if (problem === null) return { ready: true, reasons: [] };
  const code = problem.problem === 'stopping' ? 'overloaded' : problem.problem;
  return { ready: false, reasons: [{ code, detail: problem.message }] };
}

function subjectReads<T extends Listed>(
  type: T,
): {
  [N in `${T}.get` | `${T}.list` | `${T}.history`]: never;
} {
  return {
    [`${type}.get`]: get(type),
    [`${type}.list`]: list(type),
    [`${type}.history`]: history(type),
  } as never;
}

function mutationHandlers(): { [N in MutationName]: Handler<N> } {
  const names = Object.keys(routes).filter((name) => routes[name as RouteName].mutation) as MutationName[];
  return Object.fromEntries(names.map((name) => [name, mutation(name)])) as never;
}

export const handlers: Handlers = {
  ...reads,
  ...sessionHandlers,
  ...loginHandlers,
  ...subjectReads('product'),
  ...subjectReads('plan'),
  ...subjectReads('customer'),
  ...subjectReads('license'),
  ...subjectReads('principal'),
  ...subjectReads('credential'),
  ...withLastUse(subjectReads('credential')),
  ...subjectReads('approval'),
  ...mutationHandlers(),
};
