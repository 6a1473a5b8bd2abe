/**
 * Checks the style that a machine can check: sizes, silenced checks, skipped tests, loose ends, machine
 * paths, pinned versions, licenses of what is installed, spelling, and files that prose speaks of.
 */
import { globSync } from 'node:fs';
import { posix } from 'node:path';
import { listFiles, type Problem, readText, report } from './lib/files.ts';
import { checkInstalledLicenses } from './lib/installed-licenses.ts';
import { dependencyFields, listWorkspaces, type Workspace } from './lib/manifests.ts';
import { checkSyntax } from './lib/syntax.ts';
import { findBritish } from './lib/words.ts';

const lineCountMax = 400;

const isCode = (path: string): boolean => /\.(?:[cm]?[jt]s|tsx)$/.test(path);
const isTest = (path: string): boolean => /(?:^|\/)test\//.test(path);
const isProse = (path: string): boolean => /\.(?:md|ya?ml|html|css|sh|toml|sql)$/.test(path);

/** A line that has to break a rule says so, with the reason. */
const pardon = /\btidy-ok: \S/;

/** Folders that exist on the author's machine only. Temporary folders come from the system, so code names none. */
const machinePath =
  /(?:file:\/\/|(?<![\w./})\]-]))(?:\/(?:home|Users|work|mnt)\/|[A-Z]:\\\\?(?:Users|Temp)\b)/;
const temporaryPath = /(?<![\w./}-])\/t[m]p\b/;

const looseEnd = /\b(?:TO[D]O|FIX[M]E)\b/;

function checkFile(path: string): Problem[] {
  const text = readText(path);
  const lines = text.split('\n');
  const problems = lines.flatMap((line, index) =>
    checkLine(path, line).map((message) => ({ path, line: index + 1, message })),
  );
  if (!isCode(path)) return problems;
  return [...problems, ...checkLength(path, lines), ...checkSyntax(path, text, isTest(path))];
}

function checkLine(path: string, line: string): string[] {
  if (pardon.test(line)) return [];
  const messages: string[] = [];
  if (looseEnd.test(line)) messages.push('a loose end; finish it or leave it out');
  if (machinePath.test(line) || (isCode(path) && temporaryPath.test(line)))
    messages.push('a path of one machine');
  const spelling = findBritish(line);
  if (spelling !== undefined) messages.push(`'${spelling.found}': American spelling is ${spelling.american}`);
  return messages;
}

function checkLength(path: string, lines: readonly string[]): Problem[] {
  const count = lines.at(-1) === '' ? lines.length - 1 : lines.length;
  const hasReason = lines.slice(0, 10).some((line) => /\blong: \S/.test(line));
  if (count <= lineCountMax || hasReason) return [];
  return [{ path, line: 1, message: `${count} lines; split it, or begin it with '// long: <reason>'` }];
}

/** Everything installs the same for everybody: exact versions only. */
function checkVersions({ folder, manifest }: Workspace): Problem[] {
  const path = folder === '' ? 'package.json' : `${folder}/package.json`;
  const lines = readText(path).split('\n');
  return dependencyFields
    .flatMap((field) => Object.entries(manifest[field] ?? {}))
    .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    .map(([name, version]) => ({
      path,
      line: lines.findIndex((line) => line.includes(`"${name}"`)) + 1,
      message: `${name}: '${version}' is not an exact version`,
    }));
}

/** Every defense that SECURITY.md names has its test, and links in prose lead somewhere. */
function checkMentionedFiles(path: string): Problem[] {
  return readText(path)
    .split('\n')
    .flatMap((text, index) => {
      const tests = path === 'SECURITY.md' ? [...text.matchAll(/`((?:packages|test)\/[^`]+)`/g)] : [];
      const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, target = '']) =>
        posix.join(posix.dirname(path), target),
      );
      return [...tests.map(([, target = '']) => target), ...links]
        .filter((target) => globSync(target.replace(/\/$/, '')).length === 0)
        .map((target) => ({ path, line: index + 1, message: `${target} does not exist` }));
    });
}

const workspaces = listWorkspaces();
const files = listFiles().filter((path) => isCode(path) || isProse(path));
report(
  [
    ...files.flatMap(checkFile),
    ...files.filter((path) => path.endsWith('.md')).flatMap(checkMentionedFiles),
    ...workspaces.flatMap(checkVersions),
    ...workspaces.flatMap(({ folder }) => checkInstalledLicenses(posix.join(folder, 'node_modules'))),
  ],
  `tidy: ${files.length} files`,
);
