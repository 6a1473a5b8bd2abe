/** The bundle vectors as files: what `vectors/bundle` must hold, byte for byte. */
import type { BundleCase } from './bundle-case.ts';
import { dualCases } from './bundle-cases-dual.ts';
import { rememberedCases } from './bundle-cases-remembered.ts';
import { tamperedCases } from './bundle-cases-tampered.ts';
import { trustCases } from './bundle-cases-trust.ts';
import { validCases } from './bundle-cases-valid.ts';

/** A file for every kind of mistake is worth its kilobytes; a megabyte of spaces is not. */
const bundleLengthMax = 200_000;

/** File name to text. Throws where two cases have one name. */
export function bundleVectorFiles(): Map<string, string> {
  const files = new Map<string, string>();
  const add = (group: string, vector: BundleCase): void => {
    if (vector.bundle.length > bundleLengthMax) return;
    const slug = vector.name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '');
    const file = `${group}-${slug}.json`;
    if (files.has(file)) throw new Error(`two vectors are named ${file}`);
    files.set(file, `${JSON.stringify(vector, null, 1)}\n`);
  };
  for (const vector of validCases()) add('valid', vector);
  for (const vector of tamperedCases()) add('tampered', vector);
  for (const vector of trustCases()) add('trust', vector);
  for (const vector of dualCases()) add('dual', vector);
  for (const vector of rememberedCases()) add('remembered', vector);
  return files;
}
