/**
 * The file that says how the next version differs from the current one. It is what people discuss, so it is YAML
 * with room for comments, closed, and says each change and nothing else.
 */
import {
  type AlgorithmRequirement,
  type CosignerMember,
  isKeyAlgorithm,
  type KeyAlgorithm,
  keyUsages,
  parseVerifierKey,
  type VerifierKey,
} from '@tallystick/core';
import { InvalidArgumentError } from 'commander';
import { messageOf, usageError } from '../errors.ts';
import { asInstant } from '../flags/values.ts';
import { MappingError } from '../import/mapping/mapping.ts';
import { readYaml, type YamlNode } from '../import/mapping/yaml-reader.ts';
import { type HolderKey, parseKeyLine } from './key-line.ts';

export interface KeyChanges {
  /** null leaves it as it is. */
  threshold: number | null;
  add: HolderKey[];
  /** Key ids: 16 hexadecimal digits. */
  remove: string[];
}

export interface CosignerChanges {
  threshold: number | null;
  add: CosignerMember[];
  /** Names. */
  remove: string[];
}

export interface TrustRootChanges {
  /** The version that they make: the same file cannot be applied twice. */
  version: number;
  /** Instant; null leaves it as it is. */
  expires: string | null;
  root: KeyChanges;
  /** By namespace. */
  authority: Map<string, KeyChanges>;
  /** By namespace and use: algorithms that records need from a log index on, behind those that are there. */
  require: Map<string, Map<string, AlgorithmRequirement[]>>;
  /** `remove` lists verifier keys in full. */
  log: { add: VerifierKey[]; remove: string[] };
  witnesses: CosignerChanges;
  replayers: CosignerChanges;
}

const members = [
  'version',
  'expires',
  'root',
  'authority',
  'require',
  'log',
  'witnesses',
  'replayers',
] as const;
const listMembers = ['threshold', 'add', 'remove'] as const;
const cosignerMembers = ['vkeys', 'url'] as const;

/** Throws a usage error with the line of the first thing that is wrong. `path` is for messages. */
export function parseChanges(text: string, path: string): TrustRootChanges {
  try {
    return readChanges(readYaml(text));
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    throw usageError(`${path}, line ${error.line}: ${error.message}.`, 'Correct the file of changes.');
  }
}

function readChanges(root: YamlNode): TrustRootChanges {
  const found = root.members('the file of changes', members);
  const version = found.get('version');
  if (version === undefined) throw root.error('say which version these changes make, as version: 2');
  const namespaces = found.get('authority')?.members('authority', null) ?? new Map<string, YamlNode>();
  return {
    version: readCount(version, 'version'),
    expires: readExpiry(found.get('expires')),
    root: readKeyChanges(found.get('root'), 'root'),
    authority: new Map([...namespaces].map(([ns, node]) => [ns, readKeyChanges(node, `authority.${ns}`)])),
    require: readRequirements(found.get('require')),
    log: readLogChanges(found.get('log')),
    witnesses: readCosignerChanges(found.get('witnesses'), 'witnesses'),
    replayers: readCosignerChanges(found.get('replayers'), 'replayers'),
  };
}

function readExpiry(node: YamlNode | undefined): string | null {
  return node === undefined ? null : checked(node, () => asInstant(node.text('expires')));
}

function readKeyChanges(node: YamlNode | undefined, what: string): KeyChanges {
  const found = node?.members(what, listMembers);
  return {
    threshold: readThreshold(found, what),
    add: itemsOf(found, 'add', what).map((item) => checked(item, () => parseKeyLine(item.text(what)))),
    remove: itemsOf(found, 'remove', what).map((item) => {
      const id = item.text(what);
      if (!/^[0-9a-f]{16}$/.test(id)) throw item.error(`${id} is not a key id of 16 hexadecimal digits`);
      return id;
    }),
  };
}

function readRequirements(node: YamlNode | undefined): TrustRootChanges['require'] {
  const namespaces = [...(node?.members('require', null) ?? [])];
  return new Map(
    namespaces.map(([ns, byUsage]) => {
      const usages = [...byUsage.members(`require.${ns}`, keyUsages)];
      return [ns, new Map(usages.map(([usage, rules]) => [usage, rules.items(usage).map(readRequirement)]))];
    }),
  );
}

function readRequirement(item: YamlNode): AlgorithmRequirement {
  const found = item.members('a requirement', ['from', 'algs', 'perpetual']);
  const [from, algs, perpetual] = [found.get('from'), found.get('algs'), found.get('perpetual')];
  if (from === undefined || algs === undefined)
    throw item.error('a requirement says from which log index on, and algs');
  return {
    from: readCount(from, 'from'),
    algs: readAlgorithms(algs, 'algs'),
    ...(perpetual && { perpetual: readAlgorithms(perpetual, 'perpetual') }),
  };
}

function readAlgorithms(list: YamlNode, what: string): KeyAlgorithm[] {
  return list.items(what).map((alg) => {
    const name = alg.text(what);
    if (!isKeyAlgorithm(name)) throw alg.error(`${name} is not an algorithm that is known here`);
    return name;
  });
}

function readLogChanges(node: YamlNode | undefined): TrustRootChanges['log'] {
  const found = node?.members('log', ['add', 'remove']);
  return {
    add: itemsOf(found, 'add', 'log').map((item) => checked(item, () => parseVerifierKey(item.text('log')))),
    remove: itemsOf(found, 'remove', 'log').map((item) => item.text('log.remove')),
  };
}

function readCosignerChanges(node: YamlNode | undefined, what: string): CosignerChanges {
  const found = node?.members(what, listMembers);
  return {
    threshold: readThreshold(found, what),
    add: itemsOf(found, 'add', what).map((item) => readCosigner(item, what)),
    remove: itemsOf(found, 'remove', what).map((item) => item.text(`${what}.remove`)),
  };
}

function readCosigner(item: YamlNode, what: string): CosignerChanges['add'][number] {
  const found = item.members(what, cosignerMembers);
  const list = found.get('vkeys');
  if (list === undefined) throw item.error(`one of ${what} has no vkeys`);
  const vkeys = list
    .items(`${what}.vkeys`)
    .map((each) => checked(each, () => parseVerifierKey(each.text('vkeys'))));
  const [first, ...others] = vkeys;
  if (first === undefined) throw list.error(`one of ${what} has no vkeys`);
  if (others.some(({ name }) => name !== first.name))
    throw list.error(`the vkeys of one of ${what} have different names: list each cosigner by itself`);
  const url = found.get('url');
  const address = url?.text('url') ?? null;
  if (url !== undefined && address !== null && !/^https?:\/\/\S+$/.test(address))
    throw url.error('url must be an http or https address');
  return { name: first.name, vkeys, url: address };
}

function readThreshold(found: Map<string, YamlNode> | undefined, what: string): number | null {
  const node = found?.get('threshold');
  return node === undefined ? null : readCount(node, `${what}.threshold`);
}

function readCount(node: YamlNode, what: string): number {
  const value = node.scalar(what);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw node.error(`${what} must be a whole number of at least 1`);
}

function itemsOf(found: Map<string, YamlNode> | undefined, name: string, what: string): YamlNode[] {
  return found?.get(name)?.items(`${what}.${name}`) ?? [];
}

/** What a reader of one value throws, with the line that it stands on. */
function checked<T>(node: YamlNode, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MappingError) throw error;
    const reason =
      error instanceof InvalidArgumentError ? error.message.replace(/\.$/, '') : messageOf(error);
    throw node.error(reason);
  }
}
