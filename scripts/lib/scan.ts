import { lineAt } from './files.ts';

/** A module named by an import, an export, a dynamic import, a `require` or `import.meta.resolve`. */
export type ModuleReference = {
  /** What stands between the quotes; `undefined` when a dynamic import computes its module. */
  readonly specifier: string | undefined;
  /** Line number, from 1. */
  readonly line: number;
};

const comment = /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const quoted = /'(?:\\[\s\S]|[^'\\\n])*'?|"(?:\\[\s\S]|[^"\\\n])*"?/y;
const templateText = /[`}](?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{|$)/y;
const regularExpression = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;

/** What may stand before a regular expression; after anything else a slash divides. */
const beforeExpression =
  /(?:^|[(,=:[!&|?{;+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|yield|void|throw))\s*$/;

/**
 * Blanks comments and the insides of strings, templates and regular expressions, so that what is left
 * can be searched as code. The result has the same length and the same line ends as `source`; the code
 * inside `${…}` stays.
 */
export function maskSource(source: string): string {
  let masked = '';
  // For each open `${`, how many braces were opened inside it and not closed yet.
  const openBraces: number[] = [];
  while (masked.length < source.length) {
    const at = masked.length;
    const character = source.charAt(at);
    const inner = openBraces.at(-1);
    if (character === '`' || (character === '}' && inner === 0)) {
      if (character === '}') openBraces.pop();
      const text = matchAt(templateText, source, at);
      if (text.endsWith('${')) openBraces.push(0);
      masked += blankInside(text, text.endsWith('${') ? 2 : 1);
      continue;
    }
    if (inner !== undefined && character === '{') openBraces[openBraces.length - 1] = inner + 1;
    if (inner !== undefined && character === '}') openBraces[openBraces.length - 1] = inner - 1;
    masked += maskToken(source, at, masked);
  }
  return masked;
}

/** Lists every module that `source` names, in order. */
export function findModuleReferences(source: string): ModuleReference[] {
  const masked = maskSource(source);
  const named = /\bfrom\s*['"]|\bimport\s*(?:\(\s*)?['"]|\b(?:require|import\.meta\.resolve)\s*\(\s*['"]/g;
  const computed = /\bimport\s*\(\s*(?!['"\s])/g;
  const found: { specifier: string | undefined; offset: number }[] = [];
  for (const match of masked.matchAll(named)) {
    const start = match.index + match[0].length;
    const end = masked.indexOf(masked.charAt(start - 1), start);
    found.push({ specifier: source.slice(start, end), offset: start });
  }
  for (const match of masked.matchAll(computed)) found.push({ specifier: undefined, offset: match.index });
  return found
    .sort((left, right) => left.offset - right.offset)
    .map(({ specifier, offset }) => ({ specifier, line: lineAt(source, offset) }));
}

function maskToken(source: string, at: number, before: string): string {
  const character = source.charAt(at);
  if (character === "'" || character === '"') return blankInside(matchAt(quoted, source, at), 1);
  if (character !== '/') return character;
  const remark = matchAt(comment, source, at);
  if (remark !== '') return blank(remark);
  if (!beforeExpression.test(before.slice(-200))) return character;
  const expression = matchAt(regularExpression, source, at);
  return expression === '' ? character : blankInside(expression, 1);
}

function matchAt(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? '';
}

/** Keeps the first character and the last `tail` ones: the delimiters. */
function blankInside(text: string, tail: number): string {
  if (text.length <= tail) return text;
  return text.charAt(0) + blank(text.slice(1, -tail)) + text.slice(-tail);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
