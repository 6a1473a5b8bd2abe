/**
 * Arrays as PostgreSQL takes them in binary, so that a batch of any size is one statement of one text and its bytes are
 * copied once. As text they would be twice as long, and a list of values ends at 65,535 parameters.
 *
 * Format (array_recv): number of dimensions, 1 where nulls may be there, oid of the elements, then length and lower
 * bound of the dimension, and each element behind its length, −1 for null. All are i32be.
 */
const int8Oid = 20;
const byteaOid = 17;
const textOid = 25;
const headLength = 20;

/** Throws TypeError for what are no bytes. */
export function byteaArray(items: readonly (Uint8Array | null)[]): Buffer {
  return arrayOf(byteaOid, items);
}

export function textArray(items: readonly string[]): Buffer {
  return arrayOf(
    textOid,
    items.map((item) => Buffer.from(item)),
  );
}

/** Throws RangeError for what is not an integer of at most 2^53. */
export function int8Array(items: readonly number[]): Buffer {
  return arrayOf(int8Oid, items.map(int8));
}

function int8(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function arrayOf(oid: number, items: readonly (Uint8Array | null)[]): Buffer {
  let length = headLength;
  for (const item of items) {
    if (item !== null && !(item instanceof Uint8Array)) throw new TypeError('a batch holds bytes only');
    length += 4 + (item?.length ?? 0);
  }
  const buffer = Buffer.allocUnsafe(length);
  let at = 0;
  for (const word of [1, 1, oid, items.length, 1]) at = buffer.writeInt32BE(word, at);
  for (const item of items) {
    at = buffer.writeInt32BE(item?.length ?? -1, at);
    if (item === null) continue;
    buffer.set(item, at);
    at += item.length;
  }
  return buffer;
}
