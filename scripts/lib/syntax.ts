import { type Comment, parseSync, Visitor, type VisitorObject } from 'oxc-parser';
import { lineAt, type Problem } from './files.ts';

const lineCountMax = 70;

/** Any node of the syntax tree, as far as these checks look at it. */
type Node = { readonly type: string; readonly start: number; readonly end: number };

/** Checks that need the syntax tree of a TypeScript or JavaScript file. */
export function checkSyntax(path: string, text: string, isTest: boolean): Problem[] {
  const { program, comments, errors } = parseSync(path, text);
  const problems: Problem[] = [];
  const add = (offset: number, message: string): void => {
    problems.push({ path, line: lineAt(text, offset), message });
  };
  for (const { message } of errors) add(0, `does not parse: ${message}`);
  checkComments(comments, add);
  const groups = new Set<Node>();
  const visitFunction = (node: Node): void => {
    if (!groups.has(node)) checkLength(node, text, add);
  };
  const visitor: VisitorObject = {
    FunctionDeclaration: visitFunction,
    FunctionExpression: visitFunction,
    ArrowFunctionExpression: visitFunction,
    TSAsExpression({ typeAnnotation, start }) {
      if (typeAnnotation.type === 'TSAnyKeyword') add(start, "'as any' switches the type checker off");
    },
    CatchClause({ body, start }) {
      const isExplained = comments.some((each) => each.start > body.start && each.end < body.end);
      if (body.body.length === 0 && !isExplained) add(start, 'an empty catch hides a failure');
    },
    CallExpression({ callee, arguments: given }) {
      const called = text.slice(callee.start, callee.end);
      // The function that `describe` takes groups tests; it is a heading rather than a procedure.
      if (isTest && /^(?:describe|suite)\b/.test(called)) for (const each of given) groups.add(each);
      if (isTest && callee.type === 'MemberExpression' && isPartial(called))
        add(callee.start, `${called} leaves tests out`);
    },
  };
  new Visitor(visitor).visit(program);
  return problems;
}

type Add = (offset: number, message: string) => void;

function checkComments(comments: readonly Comment[], add: Add): void {
  for (const { value, start } of comments) {
    if (/@ts-(?:ignore|nocheck)\b/.test(value)) add(start, 'the type checker is silenced');
    if (/@ts-expect-error\s*$/.test(value)) add(start, '@ts-expect-error needs a reason after it');
  }
}

function isPartial(called: string): boolean {
  return /^(?:it|test|describe|suite|bench)(?:\.\w+)*?\.(?:only|skip)\b/.test(called);
}

function checkLength(node: Node, text: string, add: Add): void {
  const first = lineAt(text, node.start);
  const count = lineAt(text, node.end) - first + 1;
  if (count <= lineCountMax || hasReason(text.split('\n'), first)) return;
  add(node.start, `function of ${count} lines; split it, or write '// long: <reason>' above it`);
}

/** The reason stands in the comment above the function, or on the function's first two lines. */
function hasReason(lines: readonly string[], first: number): boolean {
  let from = first - 1;
  while (from > 0 && /^\s*(?:\/\/|\/?\*|@)/.test(lines[from - 1] ?? '')) from -= 1;
  return lines.slice(from, first + 1).some((line) => /\blong: \S/.test(line));
}
