import type {
  DocumentOf,
  LicenseCompanion,
  LicenseDocument,
  SubjectType,
  TallyDocument,
} from '../documents.ts';
import { ModelError } from '../errors.ts';
import { utf8Length } from '../text.ts';
import { planDocument, productDocument } from './catalog-documents.ts';
import { customerDocument } from './customer-document.ts';
import { approvalDocument, credentialDocument, policyDocument, principalDocument } from './gate-documents.ts';
import { licenseCompanion, licenseDocument } from './license-document.ts';
import { orderLicense } from './order-license.ts';
import { type Reader, readAll } from './reader.ts';
import { brakeDocument, namespaceDocument } from './trust-documents.ts';

/** The largest license document, in bytes of its encoding. */
export const LICENSE_BYTES_MAX = 16_384;
/**
 * The largest one that is sold. What is left is for what comes later, and must not fail for want of room: a message with a
 * suspension or revocation, a successor, another customer and licensee, the commitment to the companion, longer numbers.
 */
export const LICENSE_SOLD_BYTES_MAX = 14_336;
/** The largest document of any other type, in bytes of its encoding. */
export const DOCUMENT_BYTES_MAX = 262_144;

const READERS: { [T in SubjectType]: Reader<DocumentOf[T]> } = {
  namespace: namespaceDocument,
  brake: brakeDocument,
  product: productDocument,
  plan: planDocument,
  customer: customerDocument,
  license: licenseDocument,
  principal: principalDocument,
  credential: credentialDocument,
  policy: policyDocument,
  approval: approvalDocument,
};

/**
 * Reads what `JSON.parse` gave as a document of a type. Unknown members are ignored, and do not count toward
 * its size, unless `crit` names them. Throws ModelError: `too_new` when the version, the type or a critical
 * member is not known here, otherwise `malformed`. The caller has checked the length of the bytes, and the
 * bytes against the JSON profile (protocol, section 2).
 */
export function parseDocument<T extends SubjectType>(type: T, value: unknown): DocumentOf[T] {
  const document = readAll<DocumentOf[T]>(READERS[type], value);
  if (!isDocumentSmallEnough(document)) throw tooLarge(type);
  return document;
}

/**
 * The bytes of a document, as text: canonical JSON with the members in the order of the types and without
 * white space. Takes well-formed documents: those that `parseDocument` or `decide` made. Throws ModelError for
 * one that is too large to be read back.
 */
export function encodeDocument(document: TallyDocument): string {
  if (document.type === 'license') {
    const encoded = JSON.stringify(orderLicense(document));
    if (!isSmallEnough(encoded, LICENSE_BYTES_MAX)) throw tooLarge('license');
    return encoded;
  }
  const encoded = JSON.stringify(readAll<TallyDocument>(READERS[document.type], document));
  if (!isSmallEnough(encoded)) throw tooLarge(document.type);
  return encoded;
}

/** Reads what `JSON.parse` gave as the companion of a license; throws ModelError (malformed). */
export function parseCompanion(value: unknown): LicenseCompanion {
  return readAll(licenseCompanion, value);
}

/** The bytes of a companion, as text; throws ModelError for one that `parseCompanion` would refuse. */
export function encodeCompanion(companion: LicenseCompanion): string {
  return JSON.stringify(readAll(licenseCompanion, companion));
}

/** True when a document, made of well-formed parts, is small enough to be read back. */
export function isDocumentSmallEnough(document: TallyDocument): boolean {
  return document.type === 'license'
    ? isLicenseSmallEnough(document)
    : isSmallEnough(JSON.stringify(document));
}

/** True when a license document, made of well-formed parts, is small enough. */
export function isLicenseSmallEnough(
  license: LicenseDocument,
  bytesMax: number = LICENSE_BYTES_MAX,
): boolean {
  return licenseBytesAtMost(license) <= bytesMax || utf8Length(JSON.stringify(license)) <= bytesMax;
}

/** A quick upper bound: nearly every license is far below the limit, and encoding it to know is dear. */
function licenseBytesAtMost(license: LicenseDocument): number {
  let bytes = 6_000 + license.addons.length * 300;
  // A UTF-16 unit is at most three bytes, and no character that JSON must escape takes more than two.
  for (const value of Object.values(license.metadata)) bytes += 50 + 3 * value.length;
  for (const entitlement of Object.values(license.entitlements)) {
    bytes += 350;
    if ('value' in entitlement && typeof entitlement.value === 'string')
      bytes += 3 * entitlement.value.length;
  }
  return bytes;
}

function isSmallEnough(encoded: string, bytesMax: number = DOCUMENT_BYTES_MAX): boolean {
  return encoded.length * 3 <= bytesMax || utf8Length(encoded) <= bytesMax;
}

function tooLarge(type: SubjectType): ModelError {
  const max = type === 'license' ? LICENSE_BYTES_MAX : DOCUMENT_BYTES_MAX;
  return new ModelError('malformed', '$', `must be at most ${max} bytes long`);
}
