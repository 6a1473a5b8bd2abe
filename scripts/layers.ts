/**
 * Checks the walls between packages: who may import whom, what the verifier may touch, and that every
 * import is declared. Short dependency lists are a security claim, so they are held by a machine.
 */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { lineAt, listFiles, type Problem, readText, report } from './lib/files.ts';
import { dependencyFields, listWorkspaces, type Workspace } from './lib/manifests.ts';
import { findModuleReferences, maskSource } from './lib/scan.ts';

/** A package imports only from packages with a lower number. */
const levels: Readonly<Record<string, number>> = {
  core: 0,
  license: 1,
  contract: 1,
  ledger: 2,
  signer: 2,
  witness: 2,
  gate: 2,
  access: 2,
  sdk: 2,
  audit: 3,
  server: 3,
  cli: 4,
};

/** Below this level time and chance are passed in, and every import can be read off the page. */
const firstImpureLevel = 3;

/** What customers and independent witnesses run depends on these alone, npm packages included. */
const shortLists: Readonly<Record<string, readonly string[]>> = {
  sdk: ['core', 'license'],
  witness: ['core', 'license'],
};

/** Packages whose source runs in a browser as it stands. */
const platformFree: ReadonlySet<string> = new Set(['core', 'license']);
const platformFile = 'packages/core/src/platform/node.ts';

/** Programs and platform files are where real clocks enter. */
const mayReadClock = /^packages\/(?:(?:signer|witness)\/src\/main\.ts|[^/]+\/src\/platform\/.+)$/;
const ambient = /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)|\bMath\s*\.\s*random\b/g;

/** The one package that may look everywhere, because it is used by tests only. */
const testSupport = 'testkit';

const workspaces = listWorkspaces();
const rootWorkspace = workspaces.find(({ folder }) => folder === '');
const byName: ReadonlyMap<string, Workspace> = new Map(workspaces.map((each) => [each.manifest.name, each]));

/** Where a file stands: whose it is, and whether it ships or is a test. */
type Place = {
  readonly path: string;
  readonly owner: Workspace;
  readonly isTest: boolean;
  /** Undefined for what may import anything: the root's folders, `bench` and `testkit`. */
  readonly level: number | undefined;
};

function checkFile(path: string): Problem[] {
  const place = locate(path);
  const source = readText(path);
  const problems: Problem[] = [];
  for (const { specifier, line } of findModuleReferences(source)) {
    const message = specifier === undefined ? checkComputed(place) : checkImport(place, specifier);
    if (message !== undefined) problems.push({ path, line, message });
  }
  return [...problems, ...checkAmbient(place, source)];
}

function locate(path: string): Place {
  const inside = (each: Workspace): boolean => each.folder !== '' && path.startsWith(`${each.folder}/`);
  const owner = workspaces.find(inside) ?? rootWorkspace;
  if (owner === undefined) throw new Error('the root has no package.json');
  const isTest = owner.folder.startsWith('packages/') && path.startsWith(`${owner.folder}/test/`);
  return { path, owner, isTest, level: levels[owner.shortName] };
}

/** A computed import cannot be checked, so what must stay checkable has none. */
function checkComputed({ level, isTest }: Place): string | undefined {
  if (level === undefined || level >= firstImpureLevel || isTest) return undefined;
  return 'a dynamic import must name its module as a plain string';
}

/** Returns what is wrong with one import, or `undefined`. */
function checkImport(place: Place, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return checkRelative(place, specifier);
  if (specifier.startsWith('#')) return checkSubpathImport(place, specifier);
  if (specifier.startsWith('node:')) return checkBuiltin(place, specifier);
  if (isBuiltin(specifier)) return `write 'node:${specifier}'`;
  const name = packageName(specifier);
  const target = byName.get(name);
  if (target === undefined) return checkDeclared(place, name);
  return (
    checkDepth(target, name, specifier) ??
    checkLevel(place, target) ??
    checkDeclaredWorkspace(place, name, target)
  );
}

function checkRelative({ path, owner, isTest }: Place, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  const other = workspaces.find(({ folder }) => folder !== '' && target.startsWith(`${folder}/`));
  if (other !== undefined && other !== owner)
    return `reaches into ${other.folder}; import '${other.manifest.name}'`;
  if (other === undefined && owner.folder !== '' && !isTest) return `leaves its package: ${target}`;
  const crossesPlatform =
    target === platformFile && path.startsWith('packages/core/src/') && !path.includes('/platform/');
  return crossesPlatform ? "import '#platform', so that a browser gets its own file" : undefined;
}

function checkSubpathImport({ owner }: Place, specifier: string): string | undefined {
  if (owner.manifest.imports?.[specifier] !== undefined) return undefined;
  return `'${specifier}' is not among the imports of ${manifestPath(owner)}`;
}

function checkBuiltin({ path, owner, isTest }: Place, specifier: string): string | undefined {
  if (!platformFree.has(owner.shortName) || isTest || path === platformFile) return undefined;
  return `${owner.shortName} runs in a browser and cannot import '${specifier}'`;
}

/** Only what a package exports may be named; its source tree is its own business. */
function checkDepth(target: Workspace, name: string, specifier: string): string | undefined {
  if (specifier === name) return undefined;
  const { exports } = target.manifest;
  const subpath = `.${specifier.slice(name.length)}`;
  const isExported = typeof exports === 'object' && exports !== null && subpath in exports;
  return isExported ? undefined : `'${specifier}' is not exported by ${name}`;
}

function checkLevel({ owner, isTest, level }: Place, target: Workspace): string | undefined {
  if (level === undefined || target === owner) return undefined;
  if (target.shortName === testSupport) return isTest ? undefined : `${testSupport} is for tests only`;
  // Two packages of one level mirror each other at times, and a test beside either may say that they agree.
  if (isTest && levels[target.shortName] === level) return undefined;
  return checkEdge(owner, target);
}

/** Judges the arrow from one package to another, wherever it is written. */
function checkEdge(owner: Workspace, target: Workspace): string | undefined {
  const from = levels[owner.shortName];
  const to = levels[target.shortName];
  if (from === undefined) return undefined;
  if (to === undefined) return `${owner.shortName} cannot import ${target.shortName}, which has no level`;
  if (to >= from) {
    return `${owner.shortName} (level ${from}) cannot import ${target.shortName} (level ${to})`;
  }
  const allowed = shortLists[owner.shortName];
  if (allowed === undefined || allowed.includes(target.shortName)) return undefined;
  return `${owner.shortName} depends on ${allowed.join(' and ')} alone, not on ${target.shortName}`;
}

/** The root is never published and sees every package; a test may use the shared test support as it is. */
function checkDeclaredWorkspace(place: Place, name: string, target: Workspace): string | undefined {
  const isNeighbor = levels[target.shortName] === place.level || target.shortName === testSupport;
  const isImplied = place.owner.folder === '' || target === place.owner || (place.isTest && isNeighbor);
  return isImplied ? undefined : checkDeclared(place, name);
}

function checkDeclared({ owner, isTest }: Place, name: string): string | undefined {
  const isPackage = owner.folder.startsWith('packages/');
  const fields =
    isPackage && !isTest ? dependencyFields.filter((each) => each !== 'devDependencies') : dependencyFields;
  if (fields.some((field) => owner.manifest[field]?.[name] !== undefined)) return undefined;
  // Tools such as the test runner are declared once, at the root, for everything that does not ship.
  const isSharedTool = !isPackage || isTest;
  if (isSharedTool && rootWorkspace?.manifest.devDependencies?.[name] !== undefined) return undefined;
  return `'${name}' is not declared in ${manifestPath(owner)}`;
}

function checkAmbient({ path, isTest, level }: Place, source: string): Problem[] {
  if (level === undefined || level >= firstImpureLevel || isTest || mayReadClock.test(path)) return [];
  return [...maskSource(source).matchAll(ambient)].map((match) => ({
    path,
    line: lineAt(source, match.index),
    message: `${match[0]}: time and chance are passed in below the server`,
  }));
}

/** A dependency that no file uses yet is an arrow all the same. */
function checkManifest(owner: Workspace): Problem[] {
  const path = manifestPath(owner);
  const text = readText(path);
  const at = (name: string): number => lineAt(text, Math.max(0, text.indexOf(`"${name}"`)));
  if (!owner.folder.startsWith('packages/')) return [];
  if (levels[owner.shortName] === undefined && owner.shortName !== testSupport) {
    return [{ path, line: at('name'), message: `give ${owner.shortName} a level in scripts/layers.ts` }];
  }
  const shipped = dependencyFields.filter((field) => field !== 'devDependencies');
  const names = shipped.flatMap((field) => Object.keys(owner.manifest[field] ?? {}));
  return names.flatMap((name) => {
    const target = byName.get(name);
    const allowed = shortLists[owner.shortName];
    const message =
      target === undefined
        ? allowed && `${owner.shortName} depends on ${allowed.join(' and ')} alone, not on ${name}`
        : checkEdge(owner, target);
    return message === undefined ? [] : [{ path, line: at(name), message }];
  });
}

function manifestPath({ folder }: Workspace): string {
  return folder === '' ? 'package.json' : `${folder}/package.json`;
}

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

const files = listFiles().filter((path) => /\.(?:[cm]?[jt]s|tsx)$/.test(path));
report(
  [...workspaces.flatMap(checkManifest), ...files.flatMap(checkFile)],
  `layers hold: ${files.length} files in ${workspaces.length} packages`,
);
