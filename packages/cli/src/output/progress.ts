/**
 * How far an import is: one line that is drawn over and over on a terminal, and a plain line now and then
 * elsewhere. A spinner of a prompt library would take the keyboard, and with it the chance to stop in order.
 */
import type { Sink } from '../context.ts';

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5_000;
const BAR_WIDTH = 24;

export class Progress {
  private readonly sink: Sink;
  private readonly total: number;
  private readonly startedAt: number;
  private readonly rowsBefore: number;
  private drawnAt: number;

  /** `rowsBefore`: done by the run that this one continues. */
  constructor(sink: Sink, total: number, rowsBefore: number, nowMs: number) {
    this.sink = sink;
    this.total = total;
    this.rowsBefore = rowsBefore;
    this.startedAt = nowMs;
    this.drawnAt = nowMs;
  }

  update(rows: number, nowMs: number): void {
    if (nowMs - this.drawnAt < (this.sink.isTTY ? REDRAW_MS : PLAIN_LINE_MS)) return;
    this.drawnAt = nowMs;
    const text = this.text(rows, nowMs);
    this.sink.write(
      this.sink.isTTY ? `\r\u001b[2K${text.slice(0, (this.sink.columns ?? 80) - 1)}` : `${text}\n`,
    );
  }

  end(): void {
    if (this.sink.isTTY) this.sink.write('\r\u001b[2K');
  }

  rowsPerSecond(rows: number, nowMs: number): number {
    return Math.round(((rows - this.rowsBefore) / Math.max(1, nowMs - this.startedAt)) * 1000);
  }

  private text(rows: number, nowMs: number): string {
    const share = this.total === 0 ? 1 : rows / this.total;
    const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '░');
    const head = this.sink.isTTY ? `${bar} ` : '';
    return `${head}${rows} of ${this.total} rows, ${Math.floor(share * 100)} %, ${this.rowsPerSecond(rows, nowMs)} rows/s`;
  }
}
