/** Says things: lines for people or JSON for programs, in color only where a person looks at a terminal. */
import type { Context, Sink } from '../context.ts';
import type { CliError } from '../errors.ts';
import { type Column, printable, table } from './table.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

export class Printer {
  /** True when the answer is to be JSON. */
  readonly json: boolean;
  private readonly context: Context;

  constructor(context: Context, json: boolean) {
    this.context = context;
    this.json = json;
  }

  /** The answer of a command: as JSON, or as the lines that `lines` makes of it. */
  answer(value: unknown, lines: () => readonly string[]): void {
    if (this.json) this.context.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    else for (const line of lines()) this.context.stdout.write(`${line}\n`);
  }

  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
    const { stdout } = this.context;
    const [head = '', ...lines] = table(rows, columns, stdout.isTTY ? stdout.columns : null);
    return [this.style('bold', head), ...lines];
  }

  /** A line for the person who watches, beside the answer. */
  say(line: string): void {
    this.context.stderr.write(`${line}\n`);
  }

  error(error: CliError): void {
    const { exitCode, what, todo, idempotencyKey, requestId, ...rest } = error.options;
    if (this.json) {
      const members = {
        code: rest.code,
        title: what,
        detail: todo,
        exitCode,
        path: rest.path,
        details: rest.details,
      };
      this.context.stdout.write(
        `${JSON.stringify({ error: { ...members, requestId, idempotencyKey } }, null, 2)}\n`,
      );
      return;
    }
    const { stderr } = this.context;
    const isOurs = ['usage', 'unreachable', 'interrupted', 'no_server'].includes(rest.code);
    const suffix = isOurs ? '' : this.style('dim', ` (${rest.code})`, stderr);
    this.say(`${this.style('red', 'tally:', stderr)} ${printable(what)}${suffix}`);
    this.say(printable(todo));
    if (idempotencyKey !== undefined) this.say(`To repeat exactly this: --idempotency-key ${idempotencyKey}`);
    if (requestId !== undefined) this.say(this.style('dim', `Request ${printable(requestId)}`, stderr));
  }

  /** Color goes to terminals, unless NO_COLOR is set (https://no-color.org). */
  style(style: Style, text: string, sink: Sink = this.context.stdout): string {
    const { env } = this.context;
    const noColor = env['NO_COLOR'];
    if (!sink.isTTY || (noColor !== undefined && noColor !== '') || env['TERM'] === 'dumb') return text;
    const [on, off] = codes[style];
    return `\u001b[${on}m${text}\u001b[${off}m`;
  }
}
