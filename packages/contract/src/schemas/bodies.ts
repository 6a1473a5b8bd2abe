/** Schemas of the bodies of mutations. */
import { z } from 'zod';
import type {
  AddonInput,
  BodyOf,
  CommandType,
  CompanionInput,
  CustomerCreateBody,
  CustomerMergeBody,
  KeyCut,
  LicenseAmendBody,
  LicenseRenewBody,
  NamespaceRevisionBody,
  PlanTermsInput,
  SeatsInput,
  Targeted,
  TermInput,
  TrustPublishBody,
  UpdatesInput,
} from '../bodies.ts';
import {
  lockLevels,
  type PlanSeats,
  type PlanTerm,
  type PlanUpdates,
  revocationReasons,
  suspensionReasons,
} from '../documents.ts';
import { gateBodies } from './gate.ts';
import {
  ADDONS_MAX,
  binding,
  catalogInput,
  componentCount,
  grantsAmended,
  grantsOfLicense,
  grantsOfPlan,
  offlineInput,
  purpose,
  quantity,
  rehost,
  seatModel,
  trial,
} from './grants.ts';
import {
  base64Of,
  boolean,
  calendarDuration,
  code,
  country,
  currency,
  duration,
  email,
  instant,
  licenseId,
  licenseKey,
  metadata,
  natural,
  text,
} from './scalars.ts';
import { closed, described, oneOf, type Shape } from './shape.ts';

const CUTS_MAX = 64;
const ENTRY_BYTES_MAX = 65_536;
const DOCUMENT_BYTES_MAX = 262_144;
const CAUSE_BYTES_MAX = 16_384;
const TRUST_BYTES_MAX = 65_536;
const TRUST_VERSIONS_MAX = 1000;

const productName = described(text, 'Id or code of a product');
const planName = described(text, 'Id or code of a plan');
const customerName = described(text, 'Id or reference of a customer');

const targeted: Shape<Targeted> = {
  expectedRev: described(natural, 'The revision that you have seen; any other is a conflict').exactOptional(),
};

export const planTerm: z.ZodType<Partial<PlanTerm>> = closed<Partial<PlanTerm>>({
  length: calendarDuration.nullable().exactOptional(),
  grace: duration.exactOptional(),
  basis: oneOf(['issue', 'first_activation']).exactOptional(),
});

export const planUpdates: z.ZodType<Partial<PlanUpdates>> = closed<Partial<PlanUpdates>>({
  length: calendarDuration.nullable().exactOptional(),
  fallback: boolean.exactOptional(),
  maxMajor: natural.nullable().exactOptional(),
});

export const planSeats: z.ZodType<Partial<PlanSeats>> = closed<Partial<PlanSeats>>({
  model: seatModel.exactOptional(),
  max: natural.nullable().exactOptional(),
  over: natural.exactOptional(),
  bind: binding.exactOptional(),
  need: componentCount.nullable().exactOptional(),
  lease: duration.nullable().exactOptional(),
  borrowMax: duration.nullable().exactOptional(),
  rehost: rehost.nullable().exactOptional(),
});

const planTerms: Shape<PlanTermsInput> = {
  purpose: purpose.exactOptional(),
  term: planTerm.exactOptional(),
  updates: planUpdates.exactOptional(),
  seats: planSeats.exactOptional(),
  entitlements: grantsOfPlan.exactOptional(),
  offline: offlineInput.exactOptional(),
  trial: trial.nullable().exactOptional(),
  metadata: metadata.exactOptional(),
};

const customer: Shape<CustomerCreateBody> = {
  reference: text.nullable().exactOptional(),
  name: text.nullable().exactOptional(),
  email: email.nullable().exactOptional(),
  country: country.nullable().exactOptional(),
  parent: customerName.nullable().exactOptional(),
  metadata: metadata.exactOptional(),
};

export const addons: z.ZodType<AddonInput[]> = z
  .array(
    closed<AddonInput>({
      plan: planName,
      quantity: quantity.exactOptional(),
      until: instant.nullable().exactOptional(),
    }),
  )
  .max(ADDONS_MAX);

export const term: z.ZodType<TermInput> = closed<TermInput>({
  from: instant.exactOptional(),
  until: instant.nullable().exactOptional(),
  length: calendarDuration.nullable().exactOptional(),
});

export const updates: z.ZodType<UpdatesInput> = closed<UpdatesInput>({
  until: instant.nullable().exactOptional(),
  maxMajor: natural.nullable().exactOptional(),
});

export const seats: z.ZodType<SeatsInput> = closed<SeatsInput>({
  model: seatModel.exactOptional(),
  max: natural.nullable().exactOptional(),
  over: natural.exactOptional(),
});

export const companion: z.ZodType<CompanionInput> = closed<CompanionInput>({
  order: text.nullable().exactOptional(),
  price: natural.nullable().exactOptional(),
  currency: currency.nullable().exactOptional(),
  reseller: text.nullable().exactOptional(),
  crm: metadata.exactOptional(),
  notes: text.nullable().exactOptional(),
});

/** What an amendment and an issued license may both say. */
const content = {
  licensee: text.nullable().exactOptional(),
  updates: updates.exactOptional(),
  seats: seats.exactOptional(),
  offline: offlineInput.exactOptional(),
  metadata: metadata.exactOptional(),
  companion: companion.exactOptional(),
};

const message = described(text, 'Travels in the license, so customers read it').nullable().exactOptional();
const onlyTargeted: z.ZodType<Targeted> = closed<Targeted>(targeted);

export const namespaceRevision: z.ZodType<NamespaceRevisionBody> = closed<NamespaceRevisionBody>({
  entry: described(base64Of(ENTRY_BYTES_MAX), 'The exact bytes of the envelope that the authority signed'),
  document: base64Of(DOCUMENT_BYTES_MAX),
  cause: closed<NamespaceRevisionBody['cause']>({ salt: base64Of(32), document: base64Of(CAUSE_BYTES_MAX) }),
});

export const trustPublish: z.ZodType<TrustPublishBody> = closed<TrustPublishBody>({
  envelopes: described(
    z.array(base64Of(TRUST_BYTES_MAX)).min(1).max(TRUST_VERSIONS_MAX),
    'Every version of the trust root, from 1 up',
  ),
  namespace: described(
    namespaceRevision,
    'The namespace signed anew by its new authority, where a new version changes that',
  ).exactOptional(),
});

/** The schema of every mutation's body, by the type of its command. */
export const bodies: { readonly [T in CommandType]: z.ZodType<BodyOf[T]> } = {
  ...gateBodies(targeted, onlyTargeted),
  'product.create': closed<BodyOf['product.create']>({
    code,
    name: text,
    entitlements: catalogInput.exactOptional(),
    metadata: metadata.exactOptional(),
  }),
  'product.update': closed<BodyOf['product.update']>({
    name: text.exactOptional(),
    entitlements: catalogInput.exactOptional(),
    metadata: metadata.exactOptional(),
    ...targeted,
  }),
  'product.retire': onlyTargeted,
  'plan.create': closed<BodyOf['plan.create']>({
    product: productName,
    code,
    name: text,
    kind: oneOf(['base', 'addon']).exactOptional(),
    ...planTerms,
  }),
  'plan.update': closed<BodyOf['plan.update']>({ name: text.exactOptional(), ...planTerms, ...targeted }),
  'plan.retire': onlyTargeted,
  'customer.create': closed<CustomerCreateBody>(customer),
  'customer.update': closed<BodyOf['customer.update']>({ ...customer, ...targeted }),
  'customer.merge': closed<CustomerMergeBody>({ into: customerName, ...targeted }),
  'customer.erase': onlyTargeted,
  'license.issue': closed<BodyOf['license.issue']>({
    plan: planName,
    addons: addons.exactOptional(),
    customer: customerName.nullable().exactOptional(),
    term: term.exactOptional(),
    entitlements: grantsOfLicense.exactOptional(),
    ...content,
    key: licenseKey.exactOptional(),
    replaces: licenseId.exactOptional(),
  }),
  'license.amend': closed<LicenseAmendBody>({
    purpose: purpose.exactOptional(),
    term: closed<NonNullable<LicenseAmendBody['term']>>({
      from: instant.exactOptional(),
      until: instant.nullable().exactOptional(),
      grace: duration.exactOptional(),
    }).exactOptional(),
    entitlements: grantsAmended.exactOptional(),
    ...content,
    ...targeted,
  }),
  'license.renew': closed<LicenseRenewBody>({
    until: instant.exactOptional(),
    length: calendarDuration.exactOptional(),
    updates: closed<NonNullable<LicenseRenewBody['updates']>>({
      until: instant.exactOptional(),
      length: calendarDuration.exactOptional(),
    }).exactOptional(),
    ...targeted,
  }),
  'license.change_plan': closed<BodyOf['license.change_plan']>({
    plan: planName.exactOptional(),
    addons: addons.exactOptional(),
    term: term.exactOptional(),
    ...targeted,
  }),
  'license.suspend': closed<BodyOf['license.suspend']>({
    reason: oneOf(suspensionReasons),
    message,
    ...targeted,
  }),
  'license.reinstate': onlyTargeted,
  'license.revoke': closed<BodyOf['license.revoke']>({
    reason: oneOf(revocationReasons),
    message,
    ...targeted,
  }),
  'license.replace': closed<BodyOf['license.replace']>({ by: licenseId.exactOptional(), ...targeted }),
  'license.transfer': closed<BodyOf['license.transfer']>({
    customer: customerName,
    licensee: text.nullable().exactOptional(),
    resetSeats: boolean.exactOptional(),
    ...targeted,
  }),
  'license.rekey': closed<BodyOf['license.rekey']>({ key: licenseKey.exactOptional(), ...targeted }),
  'license.reissue': onlyTargeted,
  'brake.tighten': closed<BodyOf['brake.tighten']>({
    lock: oneOf(lockLevels).exactOptional(),
    minEpoch: natural.exactOptional(),
    until: z
      .array(
        closed<KeyCut>({
          key: described(text, 'Its id in the namespace, or the 16 digits of its key id'),
          index: described(natural, 'Left out: from the record of this change on').exactOptional(),
        }),
      )
      .max(CUTS_MAX)
      .exactOptional(),
    destroyed: described(
      z.array(text).max(CUTS_MAX),
      'Keys, named as in until, whose private half is gone; they had to end before',
    ).exactOptional(),
    mayStopIssuing: described(
      boolean,
      'True where it is meant that no key is left for some kind of record',
    ).exactOptional(),
    ...targeted,
  }),
};
