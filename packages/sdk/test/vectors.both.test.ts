import { decodeBase64 } from '@tallystick/core';
import { expect, it } from 'vitest';
import { ClientMemory, openPin, verify } from '../src/index.ts';

interface BundleVector {
  name: string;
  bundle: string;
  pin: string[];
  namespace: string;
  remembered: { ns: string } | null;
  expect: { code: string } | { valid: { document: string | null } };
}

declare global {
  interface ImportMeta {
    /** What Vite puts in place of the call: the files that match, by path. */
    glob<T>(pattern: string, options: { eager: true; import: 'default' }): Record<string, T>;
  }
}

const files = import.meta.glob<BundleVector>('../../../vectors/bundle/*.json', {
  eager: true,
  import: 'default',
});
const vectors = Object.values(files).map((vector) => [vector.name, vector] as const);

/** The documents of the vectors have just the members that proofs look at, which is less than a license has. */
function codeFor(vector: BundleVector): string {
  if ('code' in vector.expect) return vector.expect.code;
  return vector.expect.valid.document === null ? 'NEVER_ISSUED' : 'ALTERED';
}

/** A stored memory holds the documents of its own namespace; some vectors name another one and leave them as they are. */
function memoryOf({ remembered }: BundleVector): ClientMemory | null {
  if (remembered === null) return null;
  const text = JSON.stringify({ v: 1, core: remembered, verifiedAt: null });
  return ClientMemory.parse(text.replaceAll('\\"ns\\":\\"acme\\"', `\\"ns\\":\\"${remembered.ns}\\"`));
}

it.each(vectors)('the verdict on the vector "%s" says what the proofs say', async (_, vector) => {
  const { namespace } = vector;
  const { verdict } = await verify(vector.bundle, {
    trustRoot: await openPin(vector.pin.map((envelope) => decodeBase64(envelope))),
    namespace,
    products: ['studio'],
    now: Date.UTC(2026, 11, 1),
    remembered: memoryOf(vector),
  });
  expect(verdict.code).toBe(codeFor(vector));
});
