import type { SubjectType } from '../documents.ts';
import { malformed, type Reader, ReadProblem } from './reader.ts';
import { code } from './scalars.ts';

/** Readers of what every document begins with: its version and type. */

const SUBJECT_TYPES: ReadonlySet<unknown> = new Set<SubjectType>([
  'namespace',
  'brake',
  'product',
  'plan',
  'customer',
  'license',
  'principal',
  'credential',
  'policy',
  'approval',
]);

/** Version 1; any other positive version is newer than this software. */
export const version: Reader<1> = (value) => {
  if (value === 1) return 1;
  if (Number.isSafeInteger(value) && (value as number) > 1) {
    throw new ReadProblem('too_new', `version ${String(value)} is not known here: update this software`);
  }
  throw malformed('must be 1');
};

/** The expected subject type; a type that is not known at all is newer than this software. */
export function subjectType<T extends SubjectType>(expected: T): Reader<T> {
  return (value) => {
    if (value === expected) return expected;
    if (typeof value === 'string' && !SUBJECT_TYPES.has(value)) {
      code(value);
      throw new ReadProblem('too_new', `type ${value} is not known here: update this software`);
    }
    throw malformed(`must be ${expected}`);
  };
}
