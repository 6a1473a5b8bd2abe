/**
 * Text from elsewhere, for people: nothing in it moves the cursor, turns the direction of the line or hides. A backslash
 * stands twice, so that what was escaped here can be told from what somebody wrote.
 */

const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]|\\/gu;

export function visible(text: string): string {
  return text.replace(hidden, (character) => (character === '\\' ? '\\\\' : escaped(character)));
}

/** As `visible`, in the characters of Windows-1252, which is what the standard fonts of PDF have. */
export function visibleInPdf(text: string): string {
  return visible(text).replace(notInFonts, escaped);
}

const notInFonts =
  /[^\x20-\x7e\xa0-\xff\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]/gu;

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
