/** Takes private seeds out of an opened keystore without making strings of them, which cannot be overwritten. */

const opening = Buffer.from('"seed":"');
/** 32 bytes in base64: 43 characters and one of padding. */
const encodedLength = 44;
const seedLength = 32;
const alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');

/**
 * The seeds in the JSON text of a keystore, in order; in the text each is overwritten by the base64 of zeros. No other
 * string can be taken for one: within strings, JSON escapes quotation marks. Throws where one is not 32 bytes.
 */
export function takeSeeds(text: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const seeds: Uint8Array[] = [];
  for (let at = bytes.indexOf(opening); at !== -1; at = bytes.indexOf(opening, at + 1)) {
    const encoded = bytes.subarray(at + opening.length, at + opening.length + encodedLength);
    seeds.push(decodeSeed(encoded));
    encoded.fill('A', 0, encodedLength - 1);
  }
  return seeds;
}

function decodeSeed(encoded: Uint8Array): Uint8Array {
  const values = encoded.subarray(0, encodedLength - 1);
  const seed = new Uint8Array(seedLength);
  let bits = 0;
  let held = 0;
  let length = 0;
  for (const character of values) {
    const value = alphabet.indexOf(character);
    if (value === -1) break;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    seed[length++] = bits >> held;
  }
  // What is left over must be the two zero bits that fill up the last character.
  const isWhole = length === seedLength && held === 2 && (bits & 3) === 0;
  if (!isWhole || encoded[encodedLength - 1] !== 0x3d) throw new Error('a seed is not 32 bytes in base64');
  return seed;
}
