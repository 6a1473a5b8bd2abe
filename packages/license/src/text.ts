/**
 * The rules for text. Lengths count Unicode code points, so that implementations in other languages
 * agree without knowing about UTF-16.
 */

export const TEXT_LENGTH_MAX = 200;
export const METADATA_ENTRIES_MAX = 50;
export const METADATA_KEY_LENGTH_MAX = 40;
export const METADATA_VALUE_LENGTH_MAX = 500;

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
// C0 controls, delete and C1 controls: the Unicode category Cc.
const CONTROL = /\p{Cc}/u;
const CODE = /^[a-z][a-z0-9._-]{0,63}$/;
const NAME = /^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/;

/** Says what is wrong with a text of at most `lengthMax` code points, or null when it is fine. */
export function textProblem(text: string, lengthMax: number = TEXT_LENGTH_MAX): string | null {
  if (text.length > lengthMax && codePointCount(text) > lengthMax) {
    return `must be at most ${lengthMax} characters long`;
  }
  // Nearly every text is plain ASCII, which needs none of the slower checks below.
  if (PRINTABLE_ASCII.test(text)) return null;
  if (!text.isWellFormed()) return 'must not contain lone surrogates';
  if (CONTROL.test(text)) return 'must not contain control characters';
  if (text.normalize('NFC') !== text) return 'must be in Unicode normalization form C';
  return null;
}

/** True for a text that obeys the text rule; the empty text does. */
export function isText(text: string, lengthMax: number = TEXT_LENGTH_MAX): boolean {
  return textProblem(text, lengthMax) === null;
}

/** A code of a product, plan or entitlement: `[a-z][a-z0-9._-]{0,63}`. */
export function isCode(text: string): boolean {
  return CODE.test(text);
}

/** A JSON member name of the signing profile: `[A-Za-z][A-Za-z0-9_.:-]{0,63}`. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** A metadata key: a name of at most 40 characters. */
export function isMetadataKey(text: string): boolean {
  return text.length <= METADATA_KEY_LENGTH_MAX && NAME.test(text);
}

/** The length in bytes of a well-formed text in UTF-8. */
export function utf8Length(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // Each half of a surrogate pair counts two of the four bytes.
    length += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return length;
}

function codePointCount(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
