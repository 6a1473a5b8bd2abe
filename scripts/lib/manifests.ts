import { listFiles, readText } from './files.ts';

type Versions = Readonly<Record<string, string>>;

/** The parts of a `package.json` that the checks read. */
export type Manifest = {
  readonly name: string;
  readonly license?: unknown;
  readonly licenses?: unknown;
  readonly imports?: Readonly<Record<string, unknown>>;
  readonly exports?: unknown;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
  readonly peerDependencies?: Versions;
};

/** A package of this repository. */
export type Workspace = {
  /** Folder from the root, such as `packages/core`; empty for the root package itself. */
  readonly folder: string;
  /** Last part of the folder, such as `core`; empty for the root package. */
  readonly shortName: string;
  readonly manifest: Manifest;
};

/** The dependency fields of a manifest, in the order in which people write them. */
export const dependencyFields = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
] as const;

/** Reads one manifest by its path from the root. Throws when the file is missing or is not JSON. */
export function readManifest(path: string): Manifest {
  return JSON.parse(readText(path)) as Manifest;
}

/** Every package of the repository, the root package first. */
export function listWorkspaces(): Workspace[] {
  return listFiles()
    .filter((path) => path === 'package.json' || /^(packages\/[^/]+|bench)\/package\.json$/.test(path))
    .map(toWorkspace)
    .sort((left, right) => left.folder.localeCompare(right.folder));
}

function toWorkspace(path: string): Workspace {
  const folder = path === 'package.json' ? '' : path.slice(0, -'/package.json'.length);
  return { folder, shortName: folder.split('/').at(-1) ?? '', manifest: readManifest(path) };
}
