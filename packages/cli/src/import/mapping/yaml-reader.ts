/** Reads YAML strictly, and knows the line of everything: unknown keys, tags, anchors and repeated keys are refused. */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { MappingError, type Scalar } from './mapping.ts';

const MAPPING_LENGTH_MAX = 1_000_000;

/** A place in a mapping file. */
export class YamlNode {
  private readonly node: Node | null;
  private readonly lines: LineCounter;
  readonly line: number;

  constructor(node: Node | null, lines: LineCounter, line: number) {
    this.node = node;
    this.lines = lines;
    this.line = line;
    if (node !== null && isAlias(node)) {
      throw this.error('aliases are not supported; put a table that is used twice under tables');
    }
    if (node !== null && node.tag !== undefined && (isMap(node) || isSeq(node) || isScalar(node))) {
      throw this.error(`the tag ${node.tag} is not supported`);
    }
  }

  error(message: string): MappingError {
    return new MappingError(this.line, message);
  }

  get isMap(): boolean {
    return isMap(this.node);
  }

  get isList(): boolean {
    return isSeq(this.node);
  }

  /** The members of a map, by name. `known` lists the names that may occur; null allows any. */
  members(what: string, known: readonly string[] | null): Map<string, YamlNode> {
    if (!isMap(this.node))
      throw this.error(`${what} must be a map${known === null ? '' : ` of: ${known.join(', ')}`}`);
    const members = new Map<string, YamlNode>();
    for (const { key, value } of this.node.items) {
      if (!isScalar(key)) throw this.error(`${what} has a key that is no text`);
      const name = key.source ?? String(key.value);
      const line = this.lineOf(key);
      if (known !== null && !known.includes(name)) {
        throw new MappingError(line, `${name} is not known in ${what}; known are: ${known.join(', ')}`);
      }
      // To YAML, 1 and "1" are two keys; here both are the text that they are written with.
      if (members.has(name)) throw new MappingError(line, `${name} stands twice in ${what}`);
      members.set(name, new YamlNode(isNode(value) ? value : null, this.lines, line));
    }
    return members;
  }

  items(what: string): YamlNode[] {
    if (!isSeq(this.node)) throw this.error(`${what} must be a list`);
    return this.node.items.map((item) =>
      isNode(item)
        ? new YamlNode(item, this.lines, this.lineOf(item))
        : new YamlNode(null, this.lines, this.line),
    );
  }

  /** Text, a number, true, false or null. */
  scalar(what: string): Scalar | null {
    if (this.node === null) return null;
    if (!isScalar(this.node)) throw this.error(`${what} must be a single value`);
    const { value } = this.node;
    if (
      value === null ||
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean'
    ) {
      return value;
    }
    throw this.error(`${what} must be text, a number, true or false`);
  }

  /** The text as it was written, so that a column named 1 or a value No needs no quotes. */
  text(what: string): string {
    if (!isScalar(this.node)) throw this.error(`${what} must be text`);
    return this.node.source ?? JSON.stringify(this.node.value);
  }

  choice<const T extends string>(what: string, choices: readonly T[]): T {
    const text = this.text(what);
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw this.error(`${what} must be one of: ${choices.join(', ')}`);
    return found;
  }

  /** Plain JSON, for parts that the contract describes. */
  json(): unknown {
    return this.node?.toJSON() ?? null;
  }

  /** The line of the deepest part of this that a path leads to. */
  lineAt(path: readonly PropertyKey[]): number {
    const [name, ...rest] = path;
    if (name === undefined) return this.line;
    if (isSeq(this.node)) {
      const item: unknown = this.node.items[Number(name)];
      return isNode(item) ? new YamlNode(item, this.lines, this.lineOf(item)).lineAt(rest) : this.line;
    }
    if (!isMap(this.node)) return this.line;
    const inner = this.members('it', null).get(String(name));
    return inner?.lineAt(rest) ?? this.line;
  }

  private lineOf(node: Node): number {
    return node.range === null || node.range === undefined
      ? this.line
      : this.lines.linePos(node.range[0]).line;
  }
}

/** Throws MappingError for text that is not one document of plain YAML 1.2. */
export function readYaml(text: string): YamlNode {
  if (text.length > MAPPING_LENGTH_MAX) throw new MappingError(1, 'the mapping is too long to be one');
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    lineCounter: lines,
    prettyErrors: false,
    merge: false,
  });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new MappingError(lines.linePos(problem.pos[0]).line, problem.message);
  return new YamlNode(document.contents, lines, 1);
}
