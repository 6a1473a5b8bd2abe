import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Problem, root } from './files.ts';
import { type Manifest, readManifest } from './manifests.ts';

/** SPDX identifiers that ask for attribution at most. */
const permissive: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unlicense',
  'Zlib',
]);

/**
 * Packages under other terms, each with the reason why it may stay. Vite uses lightningcss to minify
 * style sheets; it runs while tests run, unmodified, and no part of it reaches a release. The manifest of png-js, which
 * pdfkit uses, names no license; the LICENSE file beside it is that of MIT.
 */
const exceptions: readonly { readonly name: RegExp; readonly license: string }[] = [
  { name: /^lightningcss(-[a-z0-9-]+)?$/, license: 'MPL-2.0' },
  { name: /^png-js$/, license: 'none' },
];

/** Lists every package installed in a `node_modules` folder, at any depth, whose license is not on the list. */
export function checkInstalledLicenses(folder: string): Problem[] {
  return listInstalled(folder).flatMap((path) => {
    const nested = checkInstalledLicenses(`${path}/node_modules`);
    const manifestPath = `${path}/package.json`;
    if (!existsSync(join(root, manifestPath))) return nested;
    const manifest = readManifest(manifestPath);
    const license = licenseOf(manifest);
    if (isAllowed(manifest.name, license)) return nested;
    const message = `${manifest.name} has the license '${license}', which is not on the list`;
    return [{ path: manifestPath, line: 1, message }, ...nested];
  });
}

function listInstalled(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return (
    readdirSync(join(root, folder), { withFileTypes: true })
      // Links lead to this repository's own packages.
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .flatMap((entry) => {
        const path = `${folder}/${entry.name}`;
        return entry.name.startsWith('@') ? listInstalled(path) : [path];
      })
  );
}

/** Old packages write an object, or a list under `licenses`. */
function licenseOf({ license, licenses }: Manifest): string {
  if (typeof license === 'string') return license;
  const written: unknown[] = Array.isArray(licenses) ? licenses : [license];
  return written.map(typeOf).join(' OR ');
}

function typeOf(value: unknown): string {
  const isTyped = typeof value === 'object' && value !== null && 'type' in value;
  return isTyped && typeof value.type === 'string' ? value.type : 'none';
}

function isAllowed(name: string, license: string): boolean {
  return isPermissive(license) || exceptions.some((each) => each.license === license && each.name.test(name));
}

/** Reads an SPDX expression without nesting: one side of an OR is enough, an AND needs all. */
function isPermissive(expression: string): boolean {
  const flat = expression.replace(/[()]/g, '');
  return flat.split(' OR ').some((side) => side.split(' AND ').every((each) => permissive.has(each.trim())));
}
