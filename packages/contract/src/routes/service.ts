/** Routes about the service itself: its log, its events, its description and its health. */
import { z } from 'zod';
import type { AccessPage, Liveness, LogEntry, LogStatus, ReadinessReport, Writing } from '../answers.ts';
import type { AccessListQuery, EventHeaders, Nothing } from '../inputs.ts';
import { jsonMediaType, type Operation, type Route } from '../route.ts';
import { accessPage } from '../schemas/access.ts';
import { liveness, logEntry, logStatus, readinessReport, writing } from '../schemas/answers.ts';
import { accessListQuery, eventHeaders, indexParams } from '../schemas/inputs.ts';
import { type Read, read } from './reads.ts';

export interface StreamEvents extends Operation {
  params: Nothing;
  query: Nothing;
  headers: EventHeaders;
  body: null;
  answer: unknown;
}

export interface ServiceRoutes {
  'log.status': Route<Read<LogStatus>>;
  'log.entry': Route<Read<LogEntry, { index: number }>>;
  'event.stream': Route<StreamEvents>;
  'access.list': Route<Read<AccessPage, Nothing, AccessListQuery>>;
  'openapi.get': Route<Read<Record<string, unknown>>>;
  'metrics.get': Route<Read<unknown>>;
  'health.get': Route<Read<Liveness>>;
  'ready.get': Route<Read<ReadinessReport>>;
  'primary.get': Route<Read<Writing>>;
}

export const serviceRoutes: ServiceRoutes = {
  'log.status': read({
    name: 'log.status',
    path: '/v1/log',
    tag: 'log',
    summary: 'Get the state of the log, its quorum, its signer and its namespace',
    schema: logStatus,
    description: 'The state now',
  }),
  'log.entry': read({
    name: 'log.entry',
    path: '/v1/log/entries/:index',
    tag: 'log',
    summary: 'Get an entry of the log, and whether it is published',
    params: indexParams,
    schema: logEntry,
    description: 'The entry, and while it is not published a promise that it will be',
    problems: ['integrity'],
  }),
  'event.stream': read<StreamEvents>({
    name: 'event.stream',
    path: '/v1/events',
    tag: 'service',
    summary: 'Follow what happens as server-sent events',
    headers: eventHeaders,
    schema: null,
    mediaType: 'text/event-stream',
    description: 'A stream that lasts until one side ends it',
  }),
  'access.list': read({
    name: 'access.list',
    path: '/v1/access',
    tag: 'service',
    summary: 'List what was asked of this server, oldest first',
    query: accessListQuery,
    schema: accessPage,
    description: 'One page of records, each held against its leaf; a page may be short and not the last one',
  }),
  'openapi.get': read({
    name: 'openapi.get',
    path: '/v1/openapi.json',
    tag: 'service',
    summary: 'Get this description',
    schema: z.record(z.string(), z.unknown()),
    description: 'An OpenAPI 3.1 document',
  }),
  'metrics.get': read({
    name: 'metrics.get',
    path: '/metrics',
    tag: 'service',
    zones: ['ops'],
    auth: 'none',
    summary: 'Get metrics for Prometheus',
    schema: null,
    mediaType: 'text/plain; version=0.0.4; charset=utf-8',
    description: 'Metrics in the text format of Prometheus',
  }),
  'health.get': read({
    name: 'health.get',
    path: '/healthz',
    tag: 'service',
    zones: ['ops'],
    auth: 'none',
    summary: 'Say that the process is alive',
    schema: liveness,
    description: 'The process is alive',
  }),
  'ready.get': {
    ...read<Read<ReadinessReport>>({
      name: 'ready.get',
      path: '/readyz',
      tag: 'service',
      zones: ['ops'],
      auth: 'none',
      summary: 'Say whether reads and mutations would be served now, and why not',
      schema: readinessReport,
      description: '',
    }),
    answers: {
      200: { description: 'Both would be served', mediaType: jsonMediaType, schema: readinessReport },
      503: { description: 'One of them would not', mediaType: jsonMediaType, schema: readinessReport },
    },
  },
  'primary.get': {
    ...read<Read<Writing>>({
      name: 'primary.get',
      path: '/primary',
      tag: 'service',
      zones: ['ops'],
      auth: 'none',
      summary: 'Say whether this server writes the log, for load balancers in front of several',
      schema: writing,
      description: '',
    }),
    answers: {
      200: { description: 'It writes the log', mediaType: jsonMediaType, schema: writing },
      503: { description: 'Another server does, or none', mediaType: jsonMediaType, schema: writing },
    },
  },
};
