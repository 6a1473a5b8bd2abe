/** Schemas of path parameters, queries and headers. They arrive as text and are read strictly. */
import { z } from 'zod';
import { catalogStates, customerStates, licenseStates } from '../documents.ts';
import { approvalStates, credentialStates, principalStates } from '../gate-documents.ts';
import type {
  AccessListQuery,
  ApprovalQuery,
  BundleQuery,
  BundleRequestBody,
  ContentsQuery,
  CredentialQuery,
  CustodyQuery,
  CustomerQuery,
  DryRunQuery,
  EventHeaders,
  IdParams,
  LicenseQuery,
  MutationHeaders,
  MutationQuery,
  Nothing,
  PageQuery,
  PlanQuery,
  PrincipalQuery,
  ProductQuery,
  ReasonHeaders,
} from '../inputs.ts';
import { cursor, PAGE_LENGTH_MAX } from './answers.ts';
import { instant, integer, licenseKey, namespaceName, text } from './scalars.ts';
import { closed, described, oneOf, open, type Shape } from './shape.ts';

const PAGE_LENGTH_DEFAULT = 50;
const WAIT_MS_MAX = 30_000;
const WAIT_MS_DEFAULT = 10_000;
/** Of 200 characters, each takes at most four bytes, and each byte three characters. */
const REASON_ENCODED_MAX = 200 * 4 * 3;
const TRUST_VERSION_MAX = 999_999_999;

/** Decimal digits without a sign or leading zeros. */
function decimal(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodType<number> {
  return z
    .string({ error: 'must be a decimal number' })
    .regex(/^(?:0|[1-9][0-9]{0,15})$/, { error: 'must be a decimal number', abort: true })
    .transform(Number)
    .pipe(integer(min, max) as z.ZodType<number, number>);
}

export const flag: z.ZodType<boolean> = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((value) => value === 'true')
  .pipe(z.boolean());

export const nothing: z.ZodType<Nothing> = closed<Nothing>({});
/** Other headers are none of the contract's business. */
export const noHeaders: z.ZodType<Nothing> = open<Nothing>({});

const dryRun = described(withDefault(flag, false), 'true answers what would happen and changes nothing');

export const dryRunQuery: z.ZodType<DryRunQuery> = closed<DryRunQuery>({ dryRun });

export const mutationQuery: z.ZodType<MutationQuery> = closed<MutationQuery>({
  dryRun,
  wait: described(
    withDefault(oneOf(['durable', 'published']), 'durable'),
    'When to answer: once the change cannot be lost, or once a published checkpoint covers it',
  ),
  waitMs: described(
    withDefault(decimal(0, WAIT_MS_MAX), WAIT_MS_DEFAULT),
    'How long to wait for publication, in milliseconds; afterwards the answer is 202',
  ),
});

export function withDefault<T>(schema: z.ZodType<T>, value: T): z.ZodType<T> {
  return schema.default(value as z.core.util.NoUndefined<T>);
}

const reasonHeader = {
  'tally-reason': described(
    z
      .string()
      .regex(/^[\x20-\x7e]+$/, { error: 'must be printable ASCII; encode the rest in percent', abort: true })
      .max(REASON_ENCODED_MAX, { abort: true })
      .transform(decodePercent)
      .pipe(text as z.ZodType<string, string>),
    'Why the change is made, at most 200 characters; what is not printable ASCII, and %, in percent-encoded UTF-8',
  ).exactOptional(),
};

export const reasonHeaders: z.ZodType<ReasonHeaders> = open<ReasonHeaders>(reasonHeader);

export const mutationHeaders: z.ZodType<MutationHeaders> = open<MutationHeaders>({
  'idempotency-key': described(
    z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces'),
    'Makes it safe to repeat the request: the change happens at most once, and the answer is the same',
  ).exactOptional(),
  ...reasonHeader,
});

function decodePercent(encoded: string, context: z.RefinementCtx): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    // The only thing that decodeURIComponent throws is that the text is not percent-encoded UTF-8.
    context.addIssue({ code: 'custom', message: 'must be percent-encoded UTF-8' });
    return z.NEVER;
  }
}

/** A text as the value of a `Tally-Reason` header. */
export function encodeReason(reason: string): string {
  return encodeURIComponent(reason).replaceAll('%20', ' ');
}

const page: Shape<PageQuery> = {
  limit: described(withDefault(decimal(1, PAGE_LENGTH_MAX), PAGE_LENGTH_DEFAULT), 'At most so many items'),
  cursor: cursor.exactOptional(),
};

export const pageQuery: z.ZodType<PageQuery> = closed<PageQuery>(page);
export const productQuery: z.ZodType<ProductQuery> = closed<ProductQuery>({
  ...page,
  state: oneOf(catalogStates).exactOptional(),
});
export const planQuery: z.ZodType<PlanQuery> = closed<PlanQuery>({
  ...page,
  product: described(text, 'Id or code').exactOptional(),
  kind: oneOf(['base', 'addon']).exactOptional(),
  state: oneOf(catalogStates).exactOptional(),
});
export const customerQuery: z.ZodType<CustomerQuery> = closed<CustomerQuery>({
  ...page,
  reference: text.exactOptional(),
  state: oneOf(customerStates).exactOptional(),
});
export const licenseQuery: z.ZodType<LicenseQuery> = closed<LicenseQuery>({
  ...page,
  customer: described(text, 'Id or reference').exactOptional(),
  plan: described(text, 'Id or code').exactOptional(),
  product: described(text, 'Id or code').exactOptional(),
  state: oneOf(licenseStates).exactOptional(),
  expiresBefore: described(instant, 'Licenses whose term ends earlier').exactOptional(),
});

export const principalQuery: z.ZodType<PrincipalQuery> = closed<PrincipalQuery>({
  ...page,
  state: oneOf(principalStates).exactOptional(),
});
export const credentialQuery: z.ZodType<CredentialQuery> = closed<CredentialQuery>({
  ...page,
  principal: described(text, 'Id of the principal whose it is').exactOptional(),
  state: oneOf(credentialStates).exactOptional(),
});
export const approvalQuery: z.ZodType<ApprovalQuery> = closed<ApprovalQuery>({
  ...page,
  author: described(text, 'Id of the principal who asked').exactOptional(),
  state: oneOf(approvalStates).exactOptional(),
});

const pinned = 'The newest trust root version that the client has pinned; left out: the one in force';
export const bundleQuery: z.ZodType<BundleQuery> = closed<BundleQuery>({
  trustVersion: described(decimal(1, TRUST_VERSION_MAX), pinned).exactOptional(),
});
export const custodyQuery: z.ZodType<CustodyQuery> = closed<CustodyQuery>({
  trustVersion: described(decimal(1, TRUST_VERSION_MAX), pinned).exactOptional(),
  from: described(instant, 'Revisions from then on are shown in full').exactOptional(),
  to: described(instant, 'Revisions before then are shown in full').exactOptional(),
  reads: described(
    withDefault(flag, false),
    'true shows who read or exported the license, in whole segments of the access log, which tell of other requests, too',
  ),
});
export const bundleRequest: z.ZodType<BundleRequestBody> = closed<BundleRequestBody>({
  licenseKey,
  trustVersion: described(integer(1, TRUST_VERSION_MAX), pinned).exactOptional(),
});

export const accessListQuery: z.ZodType<AccessListQuery> = closed<AccessListQuery>({
  from: described(instant, 'Not before'),
  to: described(instant, 'Before'),
  principal: described(text, 'Id of who asked').exactOptional(),
  resource: described(text, 'Id of what was asked for').exactOptional(),
  request: described(text, 'Id of the request').exactOptional(),
  ...page,
});

export const eventHeaders: z.ZodType<EventHeaders> = open<EventHeaders>({
  'last-event-id': described(decimal(0), 'The log index after which to resume').exactOptional(),
});

/** The path parameter of a subject: an id, or the code or reference that stands for it, percent-encoded. */
export function idParams(what: string): z.ZodType<IdParams> {
  return closed<IdParams>({ id: described(text, what) });
}

export const indexParams: z.ZodType<{ index: number }> = closed<{ index: number }>({
  index: described(decimal(0), 'Log index'),
});

export const contentsParams: z.ZodType<{ from: number }> = closed<{ from: number }>({
  from: described(decimal(0), 'Log index of the first entry whose documents are wanted'),
});

export const contentsQuery: z.ZodType<ContentsQuery> = closed<ContentsQuery>({
  to: described(decimal(1), 'Log index behind the last one; the answer may end earlier, and says where'),
});

/** What follows `/log/tile/`; the strict reading of tile names is that of C2SP tlog-tiles. */
export const tileParams: z.ZodType<{ '*': string }> = closed<{ '*': string }>({
  '*': described(
    z
      .string()
      .regex(
        /^(?:entries|[0-9]|[1-5][0-9]|6[0-3])\/(?:x[0-9]{3}\/){0,5}[0-9]{3}(?:\.p\/[1-9][0-9]{0,2})?$/,
        'must be a tile name such as 0/x001/234 or entries/000.p/17',
      ),
    'The name of a tile as C2SP tlog-tiles has it, such as 0/x001/234 or entries/000.p/17; its slashes stay as they are',
  ),
});

export const trustKeyParams: z.ZodType<{ key: string }> = closed<{ key: string }>({
  key: described(
    z
      .string()
      .regex(/^(?:[1-9][0-9]{0,8}|[a-z][a-z0-9-]{0,30})$/, 'must be a version or the name of a namespace'),
    'A trust root version, which is a number, or the name of a namespace',
  ),
});
export const namespaceParams: z.ZodType<{ ns: string }> = closed<{ ns: string }>({ ns: namespaceName });
export const revisionParams: z.ZodType<{ ns: string; rev: number }> = closed<{ ns: string; rev: number }>({
  ns: namespaceName,
  rev: decimal(0),
});
