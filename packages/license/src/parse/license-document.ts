import type { LicenseCompanion, LicenseDocument } from '../documents.ts';
import {
  ADDONS_MAX,
  ENTITLEMENTS_MAX,
  entitlement,
  natural,
  offlineTerms,
  purpose,
  quantity,
  seatModel,
} from './grants.ts';
import { subjectType, version } from './head.ts';
import { documentOf, listOf, mapOf, nullable, oneOf, open, type Reader } from './reader.ts';
import {
  code,
  currency,
  customerId,
  duration,
  hash,
  instant,
  licenseId,
  licenseKey,
  metadata,
  namespaceName,
  planId,
  productId,
  text,
} from './scalars.ts';

/** Readers of the `license` document and of its companion. */

const status: Reader<LicenseDocument['status']> = open<LicenseDocument['status']>({
  state: oneOf('active', 'suspended', 'revoked'),
  reason: nullable(
    oneOf(
      'payment',
      'dispute',
      'abuse',
      'security',
      'requested',
      'other',
      'refund',
      'fraud',
      'ended',
      'mistake',
      'superseded',
    ),
  ),
  message: nullable(text),
  since: instant,
  successor: nullable(licenseId),
});

const addon: Reader<LicenseDocument['addons'][number]> = open<LicenseDocument['addons'][number]>({
  plan: planId,
  rev: natural,
  code,
  quantity,
  until: nullable(instant),
});

export const licenseDocument: Reader<LicenseDocument> = documentOf<LicenseDocument>({
  v: version,
  type: subjectType('license'),
  ns: namespaceName,
  id: licenseId,
  rev: natural,
  product: open<LicenseDocument['product']>({ id: productId, code }),
  plan: open<LicenseDocument['plan']>({ id: planId, rev: natural, code, name: text }),
  addons: listOf(addon, ADDONS_MAX),
  customer: nullable(customerId),
  licensee: nullable(text),
  purpose,
  status,
  term: open<LicenseDocument['term']>({ from: nullable(instant), until: nullable(instant), grace: duration }),
  updates: open<LicenseDocument['updates']>({
    until: nullable(instant),
    fallback: nullable(instant),
    maxMajor: nullable(natural),
  }),
  seats: open<LicenseDocument['seats']>({ model: seatModel, max: nullable(natural), over: natural }),
  entitlements: mapOf(code, entitlement, ENTITLEMENTS_MAX),
  offline: offlineTerms,
  generation: natural,
  epoch: natural,
  metadata,
  private: nullable(hash),
});

export const licenseCompanion: Reader<LicenseCompanion> = open<LicenseCompanion>({
  key: nullable(licenseKey),
  order: nullable(text),
  price: nullable(natural),
  currency: nullable(currency),
  reseller: nullable(text),
  crm: metadata,
  notes: nullable(text),
});
