import type { PlanDocument, PlanSeats, ProductDocument } from '../documents.ts';
import {
  ENTITLEMENTS_MAX,
  entitlementType,
  grant,
  natural,
  offlineTerms,
  purpose,
  seatModel,
} from './grants.ts';
import { subjectType, version } from './head.ts';
import { boolean, documentOf, integer, listOf, mapOf, nullable, oneOf, open, type Reader } from './reader.ts';
import {
  calendarDuration,
  code,
  duration,
  hash,
  metadata,
  namespaceName,
  planId,
  productId,
  text,
} from './scalars.ts';

/** Readers of the documents that say what is sold: `product` and `plan`. */

const COMPONENTS_MAX = 8;

export const productDocument: Reader<ProductDocument> = documentOf<ProductDocument>({
  v: version,
  type: subjectType('product'),
  ns: namespaceName,
  id: productId,
  rev: natural,
  code,
  name: text,
  state: oneOf('active', 'retired'),
  entitlements: mapOf(code, entitlementType, ENTITLEMENTS_MAX),
  metadata,
  private: nullable(hash),
});

export const binding: Reader<PlanSeats['bind']> = listOf(oneOf('components', 'key', 'label'), 3);
export const componentCount: Reader<number> = integer(1, COMPONENTS_MAX);
export const rehost: Reader<NonNullable<PlanSeats['rehost']>> = open<NonNullable<PlanSeats['rehost']>>({
  count: natural,
  per: duration,
});

const seats: Reader<PlanSeats> = open<PlanSeats>({
  model: seatModel,
  max: nullable(natural),
  over: natural,
  bind: binding,
  need: nullable(componentCount),
  lease: nullable(duration),
  borrowMax: nullable(duration),
  rehost: nullable(rehost),
});

export const planDocument: Reader<PlanDocument> = documentOf<PlanDocument>({
  v: version,
  type: subjectType('plan'),
  ns: namespaceName,
  id: planId,
  rev: natural,
  product: productId,
  code,
  name: text,
  kind: oneOf('base', 'addon'),
  state: oneOf('active', 'retired'),
  purpose,
  term: open<PlanDocument['term']>({
    length: nullable(calendarDuration),
    grace: duration,
    basis: oneOf('issue', 'first_activation'),
  }),
  updates: open<PlanDocument['updates']>({
    length: nullable(calendarDuration),
    fallback: boolean,
    maxMajor: nullable(natural),
  }),
  seats,
  entitlements: mapOf(code, grant, ENTITLEMENTS_MAX),
  offline: offlineTerms,
  trial: nullable(open<NonNullable<PlanDocument['trial']>>({ oncePer: oneOf('device', 'customer') })),
  metadata,
  private: nullable(hash),
});
