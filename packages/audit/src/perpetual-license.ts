import { isPerpetual } from '@tallystick/core';
import type { TallyDocument } from '@tallystick/license';

/** `at` is the time of the record. */
export function isPerpetualLicense(document: TallyDocument, at: string): boolean {
  return document.type === 'license' && isPerpetual(document, at);
}
