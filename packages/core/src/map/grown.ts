type TypedArray = Uint8Array | Int32Array | Float64Array | Uint32Array;

/** A copy of twice the length. */
export function grown<T extends TypedArray>(array: T, type: { new (length: number): T }): T {
  const larger = new type(array.length * 2);
  larger.set(array);
  return larger;
}
