/** Routes that let anybody check the log: the log itself, and what clients pin. */

import { z } from 'zod';
import type { AccessIdentity, CurrentTrust, EnvelopeJson, KeyList } from '../answers.ts';
import type { BrakeDocument, NamespaceDocument } from '../documents.ts';
import type { ContentsQuery, Nothing } from '../inputs.ts';
import type { Route, RouteAuth, Tag, Zone } from '../route.ts';
import { documents } from '../schemas/documents.ts';
import {
  contentsParams,
  contentsQuery,
  namespaceParams,
  revisionParams,
  tileParams,
  trustKeyParams,
} from '../schemas/inputs.ts';
import { described } from '../schemas/shape.ts';
import { accessIdentity, currentTrust, envelope, keyList } from '../schemas/trust.ts';
import { type Read, read } from './reads.ts';

interface RevisionParams {
  ns: string;
  rev: number;
}

export interface PublicRoutes {
  'log.checkpoint': Route<Read<unknown>>;
  'log.tile': Route<Read<unknown, { '*': string }, Nothing>>;
  'log.contents': Route<Read<unknown, { from: number }, ContentsQuery>>;
  'log.access': Route<Read<AccessIdentity>>;
  'trust.get': Route<Read<EnvelopeJson | CurrentTrust, { key: string }>>;
  'trust.keys': Route<Read<KeyList, { ns: string }>>;
  'trust.namespace': Route<Read<NamespaceDocument, RevisionParams>>;
  'trust.brake': Route<Read<BrakeDocument, RevisionParams>>;
}

/** The same handlers serve clients and administrators. */
const everywhere: { zones: readonly Zone[]; auth: RouteAuth } = { zones: ['public', 'admin'], auth: 'none' };
const trust: { tag: Tag; zones: readonly Zone[]; auth: RouteAuth } = { tag: 'trust', ...everywhere };

export const publicRoutes: PublicRoutes = {
  'log.checkpoint': read({
    name: 'log.checkpoint',
    path: '/log/checkpoint',
    tag: 'log',
    ...everywhere,
    summary: 'Get the newest published checkpoint',
    schema: null,
    mediaType: 'text/plain; charset=utf-8',
    description: 'A checkpoint as C2SP tlog-checkpoint has it, with the cosignatures of the quorum',
    problems: ['not_published_yet'],
  }),
  'log.tile': read({
    name: 'log.tile',
    path: '/log/tile/*',
    tag: 'log',
    zones: ['public', 'admin'],
    auth: 'mirror',
    summary: 'Get a tile of the log or a bundle of its entries',
    params: tileParams,
    schema: null,
    mediaType: 'application/octet-stream',
    description: 'A tile as C2SP tlog-tiles has it',
    problems: ['integrity'],
  }),
  'log.contents': read({
    name: 'log.contents',
    path: '/log/contents/:from',
    tag: 'log',
    zones: ['public', 'admin'],
    auth: 'admin',
    summary: 'Get the documents of a range of entries, sealed to the content key of the caller',
    params: contentsParams,
    query: contentsQuery,
    schema: null,
    mediaType: 'application/vnd.tallystick.sealed-contents.v1',
    description: 'A batch: the parts of each record from `from` on, up to where its header says',
    problems: ['content_key_missing', 'integrity'],
  }),
  'log.access': read({
    name: 'log.access',
    path: '/log/access',
    tag: 'log',
    ...everywhere,
    summary: 'Say whose the access log of this server is, for witnesses',
    schema: accessIdentity,
    description: "The access log's name, and its first leaf, which the main log's keys have signed",
  }),
  'trust.get': read({
    name: 'trust.get',
    path: '/trust/:key',
    ...trust,
    summary: 'Get a trust root by its version, or the newest public documents of a namespace by its name',
    params: trustKeyParams,
    schema: z.union([
      described(envelope, 'For a version: the envelope of the trust root'),
      described(currentTrust, 'For a namespace: its newest namespace and brake'),
    ]),
    description: 'For a version, the envelope of the trust root; for a namespace, its namespace and brake',
    problems: ['integrity'],
  }),
  'trust.keys': read({
    name: 'trust.keys',
    path: '/trust/:ns/keys',
    ...trust,
    summary: 'Get the public keys that a namespace ever listed',
    params: namespaceParams,
    schema: keyList,
    description: 'The raw keys; the namespace names them by fingerprint',
    problems: ['integrity'],
  }),
  'trust.namespace': read({
    name: 'trust.namespace',
    path: '/trust/:ns/namespace/:rev',
    ...trust,
    summary: 'Get a revision of the document of a namespace',
    params: revisionParams,
    schema: documents.namespace,
    description: 'The exact bytes of the document',
    problems: ['integrity'],
  }),
  'trust.brake': read({
    name: 'trust.brake',
    path: '/trust/:ns/brake/:rev',
    ...trust,
    summary: 'Get a revision of the brake of a namespace',
    params: revisionParams,
    schema: documents.brake,
    description: 'The exact bytes of the document',
    problems: ['integrity'],
  }),
};
