/** What cannot be answered at this moment: another attempt may succeed. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
}
