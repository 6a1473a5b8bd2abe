/** How many tests or steps came out how. */
export type Summary = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** The line that closes a run, for people and for the scripts that add runs up. */
export function summaryLine({ passed, failed, skipped }: Summary): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
