/** Schemas of documents in answers. Members that a newer server adds are kept. */
import { z } from 'zod';
import {
  type BrakeDocument,
  type CatalogState,
  type CompanionView,
  type CustomerDocument,
  catalogStates,
  customerStates,
  type DocumentOf,
  type KeyUsage,
  keyAlgorithms,
  keyUsages,
  type LicenseDocument,
  type LockLevel,
  licenseStates,
  lockLevels,
  type NamespaceDocument,
  type NamespaceKey,
  type PlanDocument,
  type PlanSeats,
  type PlanTerm,
  type PlanUpdates,
  type ProductDocument,
  revocationReasons,
  type SubjectType,
  suspensionReasons,
} from '../documents.ts';
import { gateDocuments } from './gate.ts';
import {
  ADDONS_MAX,
  binding,
  catalog,
  componentCount,
  entitlements,
  grants,
  offlineTerms,
  purpose,
  quantity,
  rehost,
  seatModel,
  trial,
} from './grants.ts';
import { head } from './head.ts';
import {
  boolean,
  calendarDuration,
  code,
  country,
  currency,
  customerId,
  duration,
  email,
  hash,
  instant,
  licenseId,
  metadata,
  natural,
  planId,
  productId,
  text,
} from './scalars.ts';
import { kept, oneOf, open } from './shape.ts';

const KEYS_MAX = 1_000;

const catalogState: z.ZodType<CatalogState> = oneOf(catalogStates);
const lockLevel: z.ZodType<LockLevel> = oneOf(lockLevels);
const keyUsage: z.ZodType<KeyUsage> = oneOf(keyUsages);

const namespaceKey: z.ZodType<NamespaceKey> = kept<NamespaceKey>({
  id: hash,
  alg: oneOf(keyAlgorithms),
  usages: z.array(keyUsage).max(keyUsages.length),
  from: natural,
  until: natural.nullable(),
  limits: kept<NamespaceKey['limits']>({
    offlineMax: duration.nullable(),
    termMax: duration.nullable(),
    seatsMax: natural.nullable(),
    perMinute: natural.nullable(),
  }),
});

const namespaceDocument: z.ZodType<NamespaceDocument> = kept<NamespaceDocument>({
  ...head('namespace', z.literal('namespace')),
  name: text,
  mode: oneOf(['live', 'test']),
  support: kept<NamespaceDocument['support']>({
    name: text.nullable(),
    email: text.nullable(),
    url: text.nullable(),
  }),
  epoch: natural,
  lock: lockLevel,
  minEpoch: natural,
  keys: z.array(namespaceKey).max(KEYS_MAX),
});

/** A key by its fingerprint, and a log index. */
export const keyEnd: z.ZodType<BrakeDocument['until'][number]> = kept<BrakeDocument['until'][number]>({
  id: hash,
  index: natural,
});
const keyEnds = z.array(keyEnd).max(KEYS_MAX);

const brakeDocument: z.ZodType<BrakeDocument> = kept<BrakeDocument>({
  ...head('brake', z.literal('brake')),
  epoch: natural,
  lock: lockLevel,
  minEpoch: natural,
  until: keyEnds,
  destroyed: keyEnds.exactOptional(),
});

const productDocument: z.ZodType<ProductDocument> = kept<ProductDocument>({
  ...head('product', productId),
  code,
  name: text,
  state: catalogState,
  entitlements: catalog,
  metadata,
  private: hash.nullable(),
});

const planSeats: z.ZodType<PlanSeats> = kept<PlanSeats>({
  model: seatModel,
  max: natural.nullable(),
  over: natural,
  bind: binding,
  need: componentCount.nullable(),
  lease: duration.nullable(),
  borrowMax: duration.nullable(),
  rehost: rehost.nullable(),
});

const planDocument: z.ZodType<PlanDocument> = kept<PlanDocument>({
  ...head('plan', planId),
  product: productId,
  code,
  name: text,
  kind: oneOf(['base', 'addon']),
  state: catalogState,
  purpose,
  term: kept<PlanTerm>({
    length: calendarDuration.nullable(),
    grace: duration,
    basis: oneOf(['issue', 'first_activation']),
  }),
  updates: kept<PlanUpdates>({
    length: calendarDuration.nullable(),
    fallback: boolean,
    maxMajor: natural.nullable(),
  }),
  seats: planSeats,
  entitlements: grants,
  offline: offlineTerms,
  trial: trial.nullable(),
  metadata,
  private: hash.nullable(),
});

const customerDocument: z.ZodType<CustomerDocument> = kept<CustomerDocument>({
  ...head('customer', customerId),
  reference: text.nullable(),
  name: text.nullable(),
  email: email.nullable(),
  country: country.nullable(),
  parent: customerId.nullable(),
  state: oneOf(customerStates),
  into: customerId.nullable(),
  metadata,
});

type License = LicenseDocument;

const licenseDocument: z.ZodType<License> = kept<License>({
  ...head('license', licenseId),
  product: kept<License['product']>({ id: productId, code }),
  plan: kept<License['plan']>({ id: planId, rev: natural, code, name: text }),
  addons: z
    .array(
      kept<License['addons'][number]>({
        plan: planId,
        rev: natural,
        code,
        quantity,
        until: instant.nullable(),
      }),
    )
    .max(ADDONS_MAX),
  customer: customerId.nullable(),
  licensee: text.nullable(),
  purpose,
  status: kept<License['status']>({
    state: oneOf(licenseStates),
    reason: oneOf([...suspensionReasons, ...revocationReasons, 'superseded']).nullable(),
    message: text.nullable(),
    since: instant,
    successor: licenseId.nullable(),
  }),
  term: kept<License['term']>({ from: instant.nullable(), until: instant.nullable(), grace: duration }),
  updates: kept<License['updates']>({
    until: instant.nullable(),
    fallback: instant.nullable(),
    maxMajor: natural.nullable(),
  }),
  seats: kept<License['seats']>({ model: seatModel, max: natural.nullable(), over: natural }),
  entitlements,
  offline: offlineTerms,
  generation: natural,
  epoch: natural,
  metadata,
  private: hash.nullable(),
});

export const documents: { readonly [T in SubjectType]: z.ZodType<DocumentOf[T]> } = {
  namespace: namespaceDocument,
  brake: brakeDocument,
  product: productDocument,
  plan: planDocument,
  customer: customerDocument,
  license: licenseDocument,
  ...gateDocuments,
};

export const companionView: z.ZodType<CompanionView> = open<CompanionView>({
  keyHint: text.nullable(),
  order: text.nullable(),
  price: natural.nullable(),
  currency: currency.nullable(),
  reseller: text.nullable(),
  crm: metadata,
  notes: text.nullable(),
});
