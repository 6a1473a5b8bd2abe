/**
 * What a signature must say to count here. RFC 9421 leaves open what is covered, and a signature that leaves out the
 * body, or the reason, is evidence of nothing.
 */
import { type InnerList, parseDictionary } from 'structured-headers';

export const signatureTag = 'tallystick';
/** Seconds between `created` and `expires`, at most. */
export const signatureSecondsMax = 300;
/** Seconds that a client's clock may be ahead. */
export const createdAheadSecondsMax = 5;

/** Names the system that a request is for: the base64 of `genesis`, the hash of the first version of its trust root. */
export const systemHeader = 'tally-system';
/** What every signature covers: a name and a port may stand before several systems, and before another one tomorrow. */
const always = ['@method', '@authority', '@path', '@query', systemHeader] as const;
/** What is covered wherever it is there, because it changes what the request means. */
const whereThere = [
  'content-type',
  'content-digest',
  'idempotency-key',
  'tally-reason',
  'tally-purpose',
] as const;
const parameterNames: ReadonlySet<string> = new Set(['created', 'expires', 'nonce', 'keyid', 'alg', 'tag']);
const nonce = /^[\x21-\x7e]{16,128}$/;

export interface SignatureParameters {
  /** Seconds since 1970. */
  created: number;
  expires: number;
  nonce: string;
  keyid: string;
  /** null where the signature leaves it to the key, which decides in any case. */
  alg: string | null;
}

export interface StatedSignature {
  input: InnerList;
  parameters: SignatureParameters;
  signature: Uint8Array;
}

/** What a signature of a request with these headers covers, in the order in which we sign it. */
export function componentsToCover(headers: Readonly<Record<string, string | undefined>>): string[] {
  return [...always, ...whereThere.filter((name) => headers[name] !== undefined)];
}

/**
 * The one signature of our tag among those of a request; proxies may have added theirs. A text says what is wrong with
 * it. Throws what the parser of structured fields throws.
 */
export function readSignature(
  headers: Readonly<Record<string, string | undefined>>,
): StatedSignature | string {
  const inputs = [...parseDictionary(headers['signature-input'] ?? '')].filter(
    ([, [, parameters]]) => parameters.get('tag') === signatureTag,
  );
  const [label, input] = inputs[0] ?? [];
  if (label === undefined || input === undefined || inputs.length > 1) {
    return `Signature-Input must have one signature with tag="${signatureTag}"`;
  }
  if (!isInnerList(input)) return 'Signature-Input must list the covered components';
  const signature = parseDictionary(headers['signature'] ?? '').get(label)?.[0];
  if (!(signature instanceof ArrayBuffer)) return `Signature must have the bytes of ${label}`;
  const covered = new Set(input[0].map(([name]) => name));
  const missing = componentsToCover(headers).find((name) => !covered.has(name));
  if (missing !== undefined) return `the signature must cover "${missing}"`;
  const parameters = readParameters(input[1]);
  if (typeof parameters === 'string') return parameters;
  return { input, parameters, signature: new Uint8Array(signature) };
}

function isInnerList(value: readonly unknown[]): value is InnerList {
  return Array.isArray(value[0]);
}

function readParameters(given: InnerList[1]): SignatureParameters | string {
  const unknown = [...given.keys()].find((name) => !parameterNames.has(name));
  if (unknown !== undefined) return `the signature has the unknown parameter ${unknown}`;
  const [created, expires] = [given.get('created'), given.get('expires')];
  if (!isSeconds(created) || !isSeconds(expires)) return 'the signature must say created and expires';
  if (expires <= created || expires - created > signatureSecondsMax) {
    return `expires must be at most ${signatureSecondsMax} seconds after created`;
  }
  const [once, keyid, alg] = [given.get('nonce'), given.get('keyid'), given.get('alg')];
  if (typeof once !== 'string' || !nonce.test(once)) return 'nonce must have 16 to 128 printable characters';
  if (typeof keyid !== 'string') return 'the signature must say keyid';
  if (alg !== undefined && typeof alg !== 'string') return 'alg must be text';
  return { created, expires, nonce: once, keyid, alg: alg ?? null };
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
