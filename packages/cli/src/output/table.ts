/** Tables and lists for people: aligned, and no wider than the terminal where there is one. */

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | null;
  /** Numbers read better from the right. */
  align?: 'right';
}

const GAP = '  ';
const WIDTH_MIN = 6;

/**
 * Lines without a line break at the end. `width` is in columns; null cuts nothing, which is right for files.
 * The widest columns are cut first, and an ellipsis says so.
 */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number | null,
): string[] {
  const cells = rows.map((row) => columns.map(({ value }) => printable(value(row))));
  const titles = columns.map(({ title }) => title);
  const natural = columns.map((_, index) =>
    Math.max(...[titles, ...cells].map((line) => displayWidth(line[index] ?? ''))),
  );
  const widths = width === null ? natural : fitted(natural, width - GAP.length * (columns.length - 1));
  return [titles, ...cells].map((line) =>
    line
      .map((cell, index) =>
        padded(cut(cell, widths[index] ?? 0), widths[index] ?? 0, columns[index]?.align === 'right'),
      )
      .join(GAP)
      .trimEnd(),
  );
}

/** Names on the left, values on the right, one line each; rows with the value null are left out. */
export function properties(rows: readonly (readonly [string, string | number | null])[]): string[] {
  const shown = rows.filter(([, value]) => value !== null);
  const width = Math.max(0, ...shown.map(([name]) => displayWidth(name)));
  return shown.map(([name, value]) => `${padded(name, width, false)}${GAP}${printable(value)}`);
}

function fitted(natural: readonly number[], available: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, each) => sum + each, 0) - available;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= WIDTH_MIN) break;
    widths[widths.indexOf(widest)] = widest - 1;
    excess -= 1;
  }
  return widths;
}

/** Text from elsewhere must not move the cursor: controls and marks of direction are taken out. */
export function printable(value: string | number | null): string {
  if (value === null) return '-';
  return String(value)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/\p{Cf}/gu, '');
}

function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  for (const character of text) {
    if (displayWidth(kept + character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

function padded(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return right ? space + text : text + space;
}

/** Scripts whose characters take two columns, and emoji; marks that combine take none. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;
const COMBINING = /\p{M}/u;

/** Columns that a text takes in a terminal. */
function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}
