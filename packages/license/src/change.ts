import type { DocumentOf, LicenseCompanion, SubjectType } from './documents.ts';
import type { RecordType } from './records.ts';

/** The newest revision of one subject. */
export interface Current<T extends SubjectType = SubjectType> {
  document: DocumentOf[T];
  /** Licenses only; null for every other subject, and for licenses without one. */
  companion: LicenseCompanion | null;
  rev: number;
  /** The log index of the revision's entry, where the caller knows it; this package never looks at it. */
  index?: number;
}

/** One record to be made: the whole next document of one subject. */
export interface Change<T extends SubjectType = SubjectType> {
  type: RecordType;
  subject: { type: T; id: string };
  rev: number;
  /**
   * Where the type has a member `private`, it is null here: whoever draws the salt of the companion fills in
   * the commitment before the document is encoded.
   */
  document: DocumentOf[T];
  /** The whole next companion of a license; null for every other subject. */
  companion: LicenseCompanion | null;
}
