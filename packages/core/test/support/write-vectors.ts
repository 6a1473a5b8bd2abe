/** Writes the bundle vectors anew, from fixed seeds: the same files on every machine. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleVectorFiles } from './vector-files.ts';

const folder = join(import.meta.dirname, '..', '..', '..', '..', 'vectors', 'bundle');
const files = bundleVectorFiles();
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [name, text] of files) writeFileSync(join(folder, name), text);
console.info(`${files.size} vectors in vectors/bundle`);
