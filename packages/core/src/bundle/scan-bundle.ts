/**
 * Reads the JSON of a bundle as nearly every one stands, from quotation mark to quotation mark: a fraction of what
 * parsing any JSON and comparing it with its one encoding costs.
 */
import { bytesAsText } from '#platform';
import { decodeUtf8, parseDecimal } from '../encoding/bytes.ts';
import { isProfileText, type JsonValue } from '../encoding/json.ts';
import { malformed } from '../errors.ts';

/**
 * The value that `parseJson` makes of a bundle without trust steps whose license was issued. Throws MALFORMED for
 * every other bundle, good or bad. Names and punctuation are compared, and so are texts of many lines; what stands
 * between other quotation marks is whatever it is until a reader has found it to be base64, an id or an algorithm.
 */
export function scanBundle(bytes: Uint8Array): JsonValue {
  const scanner = new Scanner(bytes);
  scanner.expect('{"v":1,"trust":[],"anchor":{"entry":');
  const entry = scanner.lines();
  scanner.expect(',"proof":');
  const proof = scanner.lines();
  scanner.expect('},"keys":');
  const keys = scanner.list(scanKey);
  scanner.expect(',"subjects":');
  const subjects = scanner.list(scanSubject);
  scanner.expect('}');
  scanner.expectEnd();
  return { v: 1, trust: [], anchor: { entry, proof }, keys, subjects };
}

function scanKey(scanner: Scanner): JsonValue {
  scanner.expect('{"alg":');
  const alg = scanner.quoted();
  scanner.expect(',"key":');
  const key = scanner.quoted();
  scanner.expect('}');
  return { alg, key };
}

function scanSubject(scanner: Scanner): JsonValue {
  scanner.expect('{"id":');
  const id = scanner.quoted();
  scanner.expect(',"document":');
  const document = scanner.quoted();
  scanner.expect(',"salt":');
  const salt = scanner.quoted();
  scanner.expect(',"index":');
  const index = scanner.decimal();
  scanner.expect(',"entry":');
  const entry = scanner.quoted();
  scanner.expect(',"path":');
  const path = scanner.list(scanQuoted);
  scanner.expect(',"map":');
  const map = scanner.quoted();
  scanner.expect('}');
  return { id, document, salt, index, entry, path, map };
}

function scanQuoted(scanner: Scanner): string {
  return scanner.quoted();
}

class Scanner {
  readonly #bytes: Uint8Array;
  /** One character a byte. */
  readonly #text: string;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#text = bytesAsText(bytes);
  }

  expect(literal: string): void {
    if (!this.#text.startsWith(literal, this.#at)) throw malformed(`expected ${literal}`);
    this.#at += literal.length;
  }

  expectEnd(): void {
    if (this.#at !== this.#text.length) throw malformed('trailing bytes');
  }

  /** What stands between two quotation marks, as bytes that are not known to be ASCII. */
  quoted(): string {
    const from = this.#at + 1;
    this.#skipQuoted();
    return this.#text.slice(from, this.#at - 1);
  }

  /** A text of the profile that may have line feeds. */
  lines(): string {
    const from = this.#at + 1;
    this.#skipQuoted();
    const escaped = decodeUtf8(this.#bytes.subarray(from, this.#at - 1));
    const text = escaped.replaceAll('\\n', '\n');
    if (escaped.includes('\n') || text.includes('\\') || !isProfileText(text, true)) {
      throw malformed('a text with other escapes, or of none that JSON has');
    }
    return text;
  }

  decimal(): number {
    const from = this.#at;
    const end = this.#text.indexOf(',', from);
    if (end < 0) throw malformed('expected a number');
    this.#at = end;
    return parseDecimal(this.#text.slice(from, end));
  }

  list<Item>(scanItem: (scanner: Scanner) => Item): Item[] {
    this.expect('[');
    const items: Item[] = [];
    if (this.#skips(']')) return items;
    do items.push(scanItem(this));
    while (this.#skips(','));
    this.expect(']');
    return items;
  }

  #skips(character: string): boolean {
    const isNext = this.#text[this.#at] === character;
    if (isNext) this.#at += 1;
    return isNext;
  }

  #skipQuoted(): void {
    const end = this.#text[this.#at] === '"' ? this.#text.indexOf('"', this.#at + 1) : -1;
    if (end < 0) throw malformed('expected a text');
    this.#at = end + 1;
  }
}
