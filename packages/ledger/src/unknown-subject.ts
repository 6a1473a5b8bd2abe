/**
 * Subjects whose id nobody knows: the log has their records, and whoever gave those back had no document that says what
 * the subject is called. What stands in place of the id is no id, so that nobody can ask for it.
 */
import { hex } from '@tallystick/core';

export const unknownSubjectPrefix = 'unknown:';

/** @param subject K, 32 bytes */
export function unknownSubject(subject: Uint8Array): string {
  return unknownSubjectPrefix + hex(subject);
}

export function isUnknownSubject(id: string): boolean {
  return id.startsWith(unknownSubjectPrefix);
}
