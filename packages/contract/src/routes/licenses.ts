/** Routes of licenses and of the files that carry them. */
import { bundleMediaType, custodyMediaType } from '@tallystick/core';
import type { BundleJson, LicenseItem } from '../answers.ts';
import type {
  BundleQuery,
  BundleRequestBody,
  CustodyQuery,
  IdParams,
  LicenseQuery,
  Nothing,
} from '../inputs.ts';
import type { ProblemCode } from '../problems.ts';
import { bodyProblems, commonProblems, type Operation, type Route } from '../route.ts';
import { items } from '../schemas/answers.ts';
import {
  bundleQuery,
  bundleRequest,
  custodyQuery,
  licenseQuery,
  noHeaders,
  nothing,
} from '../schemas/inputs.ts';
import { bundle } from '../schemas/trust.ts';
import { type Mutation, mutation } from './mutations.ts';
import { type Read, read, type SubjectReads, subjectParams, subjectReads } from './reads.ts';

type LicenseReads = SubjectReads<'license', LicenseItem, LicenseQuery>;

/** A client asks with its license key for the newest bundle. */
export interface FetchBundle extends Operation {
  params: Nothing;
  query: Nothing;
  headers: Nothing;
  body: BundleRequestBody;
  answer: BundleJson;
}

export interface LicenseRoutes {
  'license.issue': Route<Mutation<'license.issue'>>;
  'license.list': LicenseReads['list'];
  'license.get': LicenseReads['get'];
  'license.history': LicenseReads['history'];
  'license.bundle': Route<Read<BundleJson, IdParams, BundleQuery>>;
  'license.custody': Route<Read<unknown, IdParams, CustodyQuery>>;
  'license.amend': Route<Mutation<'license.amend'>>;
  'license.renew': Route<Mutation<'license.renew'>>;
  'license.change_plan': Route<Mutation<'license.change_plan'>>;
  'license.suspend': Route<Mutation<'license.suspend'>>;
  'license.reinstate': Route<Mutation<'license.reinstate'>>;
  'license.revoke': Route<Mutation<'license.revoke'>>;
  'license.replace': Route<Mutation<'license.replace'>>;
  'license.transfer': Route<Mutation<'license.transfer'>>;
  'license.rekey': Route<Mutation<'license.rekey'>>;
  'license.reissue': Route<Mutation<'license.reissue'>>;
  'bundle.fetch': Route<FetchBundle>;
}

const licenses: LicenseReads = subjectReads('license', items.license, licenseQuery);
const bundleProblems: readonly ProblemCode[] = ['not_published_yet', 'log_behind', 'integrity'];

/** What selling a plan may be refused for. */
const saleProblems: readonly ProblemCode[] = [
  'plan_unknown',
  'plan_retired',
  'plan_kind',
  'plan_product_mismatch',
  'entitlement_unknown',
  'entitlement_type',
  'addon_conflict',
  'term_invalid',
  'trial_used',
  'seats_unsupported',
  'customer_unknown',
  'customer_not_active',
];

const fetchBundle: Route<FetchBundle> = {
  name: 'bundle.fetch',
  method: 'POST',
  path: '/v1/bundles',
  zones: ['public'],
  auth: 'none',
  tag: 'bundles',
  summary: 'Get the newest license file of a license key',
  params: nothing,
  query: nothing,
  headers: noHeaders,
  body: bundleRequest,
  bodyLimit: 4_096,
  answers: { 200: { description: 'A license file', mediaType: bundleMediaType, schema: bundle } },
  problems: [...commonProblems, ...bodyProblems, 'license_key_unknown', ...bundleProblems],
  mutation: false,
  command: null,
};

const sales = {
  'license.issue': mutation('license.issue', {
    summary: 'Issue a license under a plan',
    large: true,
    problems: [...saleProblems, 'subject_unknown', 'state_forbids', 'successor_unknown', 'key_in_use'],
  }),
  'license.amend': mutation('license.amend', {
    summary: 'Change what a license says, whatever its plan',
    method: 'PATCH',
    large: true,
    problems: [
      'entitlement_unknown',
      'entitlement_type',
      'term_invalid',
      'seats_unsupported',
      'below_seats_in_use',
    ],
  }),
  'license.renew': mutation('license.renew', {
    summary: 'Extend the term of a license, or its updates',
    verb: 'renew',
    problems: ['term_not_later', 'term_invalid', 'perpetual'],
  }),
  'license.change_plan': mutation('license.change_plan', {
    summary: 'Move a license to another plan, or to the current revision of its own',
    verb: 'change-plan',
    problems: [...saleProblems, 'below_seats_in_use'],
  }),
} as const;

const standing = {
  'license.suspend': mutation('license.suspend', {
    summary: 'Suspend a license until it is reinstated',
    verb: 'suspend',
    problems: ['already_suspended'],
  }),
  'license.reinstate': mutation('license.reinstate', {
    summary: 'Lift the suspension of a license',
    verb: 'reinstate',
    problems: ['not_suspended'],
  }),
  'license.revoke': mutation('license.revoke', {
    summary: 'Revoke a license; this is final',
    verb: 'revoke',
    problems: ['already_revoked'],
  }),
  'license.replace': mutation('license.replace', {
    summary: 'Let another license, or a new one that says the same, take over; this undoes a revocation',
    verb: 'replace',
    problems: ['successor_unknown', 'successor_cycle', 'customer_not_active'],
  }),
} as const;

const holding = {
  'license.transfer': mutation('license.transfer', {
    summary: 'Give a license to another customer',
    verb: 'transfer',
    problems: ['customer_unknown', 'customer_not_active', 'same_customer'],
  }),
  'license.rekey': mutation('license.rekey', {
    summary: 'Give a license a new license key; the old one stops working',
    verb: 'rekey',
    problems: ['key_in_use'],
  }),
  'license.reissue': mutation('license.reissue', {
    summary: 'Sign a license anew, with the same content, under the current epoch',
    verb: 'reissue',
  }),
} as const;

export const licenseRoutes: LicenseRoutes = {
  'license.issue': sales['license.issue'],
  'license.list': licenses.list,
  'license.get': licenses.get,
  'license.history': licenses.history,
  'license.bundle': read({
    name: 'license.bundle',
    path: '/v1/licenses/:id/bundle',
    tag: 'licenses',
    summary: 'Get the newest license file of a license',
    params: subjectParams.license,
    query: bundleQuery,
    schema: bundle,
    mediaType: bundleMediaType,
    description: 'A license file',
    problems: ['subject_unknown', ...bundleProblems],
  }),
  'license.custody': read({
    name: 'license.custody',
    path: '/v1/licenses/:id/custody',
    tag: 'licenses',
    summary: 'Get everything that happened to a license, with what proves it',
    params: subjectParams.license,
    query: custodyQuery,
    schema: null,
    mediaType: custodyMediaType,
    description: 'A custody report, of at most 32 MiB',
    problems: ['subject_unknown', 'report_too_large', ...bundleProblems],
  }),
  'license.amend': sales['license.amend'],
  'license.renew': sales['license.renew'],
  'license.change_plan': sales['license.change_plan'],
  ...standing,
  ...holding,
  'bundle.fetch': fetchBundle,
};
