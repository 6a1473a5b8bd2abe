/**
 * What a client remembers between verifications, so that an older truth is not sold to it as the newest.
 *
 *     {"v":1,"core":{…}|null,"verifiedAt":<milliseconds>|null}
 *
 * `core` is what the proofs have shown of one log and namespace. `verifiedAt` is the latest time ever proven, of
 * whatever log: a floor under the clock that outlives a change of the pinned trust root. A memory is as
 * trustworthy as the storage that it comes from; it holds nothing secret.
 */
import {
  base64,
  decodeBase64,
  hashLength,
  type IntegrityError,
  isNamespaceName,
  parseBrake,
  parseNamespace,
  type Remembered,
  subjectKey,
  utf8,
} from '@tallystick/core';
import { StoreError } from './errors.ts';

export class ClientMemory {
  readonly #core: Remembered | null;
  readonly #verifiedAt: number | null;

  private constructor(core: Remembered | null, verifiedAt: number | null) {
    this.#core = core;
    this.#verifiedAt = verifiedAt;
  }

  /** Reads what `toText` wrote. Throws StoreError: damaged, or too_new. */
  static parse(text: string): ClientMemory {
    try {
      const json = closed(JSON.parse(text), ['v', 'core', 'verifiedAt']);
      const verifiedAt = json.verifiedAt === null ? null : count(json.verifiedAt);
      return new ClientMemory(json.core === null ? null : parseCore(json.core), verifiedAt);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError('damaged', `memory: ${(error as Error | IntegrityError).message}`, {
        cause: error,
      });
    }
  }

  /** What is remembered after something was proven; `asOf` in milliseconds. `before` is left as it is. */
  static after(before: ClientMemory | null, core: Remembered, asOf: number): ClientMemory {
    return new ClientMemory(core, Math.max(asOf, before?.verifiedAt ?? asOf));
  }

  get core(): Remembered | null {
    return this.#core;
  }

  /** The latest time ever proven, milliseconds since 1970. */
  get verifiedAt(): number | null {
    return this.#verifiedAt;
  }

  /** The largest log index seen of a license; null for one that was never seen. */
  headIndex(licenseId: string): number | null {
    if (this.#core === null) return null;
    const { genesis, ns, heads } = this.#core;
    const name = base64(subjectKey(decodeBase64(genesis), ns, licenseId));
    return Object.hasOwn(heads, name) ? (heads[name] ?? null) : null;
  }

  toText(): string {
    return JSON.stringify({ v: 1, core: this.#core, verifiedAt: this.#verifiedAt });
  }
}

const coreMembers = [
  'v',
  'genesis',
  'ns',
  'size',
  'root',
  'asOf',
  'trustVersion',
  'floor',
  'heads',
  'namespace',
  'brake',
];

function parseCore(value: unknown): Remembered {
  const json = closed(value, coreMembers);
  const ns = string(json.ns);
  if (!isNamespaceName(ns)) throw damaged('ns');
  const namespace = parseSeen(json.namespace);
  const brake = parseSeen(json.brake);
  if (parseNamespace(utf8(namespace.document)).ns !== ns || parseBrake(utf8(brake.document)).ns !== ns) {
    throw damaged('documents of another namespace');
  }
  return {
    v: 1,
    genesis: hash(json.genesis),
    ns,
    size: count(json.size),
    root: hash(json.root),
    asOf: count(json.asOf),
    trustVersion: count(json.trustVersion),
    floor: count(json.floor),
    heads: parseHeads(json.heads),
    namespace,
    brake,
  };
}

function parseSeen(value: unknown): Remembered['namespace'] {
  const json = closed(value, ['index', 'document'], false);
  return { index: count(json.index), document: string(json.document) };
}

function parseHeads(value: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(object(value)).map(([key, index]) => [hash(key), count(index)]));
}

/** The members of an object that has exactly these; versioned ones carry `v`. */
function closed(value: unknown, names: readonly string[], isVersioned = true): Record<string, unknown> {
  const json = object(value);
  if (isVersioned && typeof json.v === 'number' && json.v > 1) {
    throw new StoreError('too_new', `memory of version ${json.v}`);
  }
  const found = Object.keys(json);
  if (isVersioned && json.v !== 1) throw damaged('no version');
  if (found.length !== names.length || names.some((name) => !Object.hasOwn(json, name)))
    throw damaged('members');
  return json;
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged('not an object');
  return value as Record<string, unknown>;
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw damaged('not text');
  return value;
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw damaged('not a count');
  return value;
}

function hash(value: unknown): string {
  const text = string(value);
  decodeBase64(text, hashLength);
  return text;
}

function damaged(what: string): StoreError {
  return new StoreError('damaged', `memory: ${what}`);
}
