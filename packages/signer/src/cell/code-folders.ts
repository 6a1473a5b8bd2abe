/** Where the signer's code lies. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Follows the dependencies that packages declare, so that what may be read is what may be imported. */
const own = realpathSync(join(import.meta.dirname, '..', '..'));

interface Manifest {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** Where the log key is, if not in the keystore. */
interface LogKeyHolders {
  withToken: boolean;
  withCloud: boolean;
}

/**
 * Folders of the signer's package and of all that it depends on: as they are found, and as they really are. What it
 * depends on optionally speaks to tokens; what may be installed beside it, to services.
 */
export function codeFolders(holders: LogKeyHolders): string[] {
  const folders = new Set<string>();
  const add = (found: string): void => {
    const folder = realpathSync(found);
    const isKnown = folders.has(folder);
    folders.add(found).add(folder);
    if (!isKnown) for (const each of dependenciesOf(folder, holders)) add(each);
  };
  add(own);
  return [...folders];
}

/** Optional dependencies may be missing; the import of another one fails with a better message than this could give. */
function dependenciesOf(folder: string, { withToken, withCloud }: LogKeyHolders): string[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const optional = withToken ? manifest.optionalDependencies : {};
  const peers = withCloud ? manifest.peerDependencies : {};
  const names = Object.keys({ ...manifest.dependencies, ...optional, ...peers });
  return names.map((name) => findPackage(folder, name)).filter((found) => found !== null);
}

/** As Node looks for packages: in `node_modules` of each folder on the way up. */
function findPackage(from: string, name: string): string | null {
  const candidate = join(from, 'node_modules', name);
  if (existsSync(candidate)) return candidate;
  const parent = dirname(from);
  return parent === from ? null : findPackage(parent, name);
}
