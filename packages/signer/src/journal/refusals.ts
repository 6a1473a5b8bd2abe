/**
 * Counts refusals, so that a flood of them fills no disk: the first of a kind is written at once, and those like it
 * within the next seconds as one number.
 */
import { isProfileText } from '@tallystick/core';

export interface Refusal {
  op: string;
  reason: string;
  message: string;
}

type Counted = { request: string; reason: string; message: string; count: number };

/** What may be asked, and the places before a request is one. Everything else is a stranger's text. */
const requests = [
  'hello',
  'batch',
  'abandon',
  'adopt',
  'attest',
  'trust',
  'witnessed',
  'promise',
  'checkpoint',
  'follow',
  'connect',
  'frame',
  'start',
];
const windowMs = 10_000;
const messageLengthMax = 200;

export class Refusals {
  readonly #write: (event: { op: 'refused' } & Counted) => Promise<void>;
  /** By request and reason: what was seen in this window, and is not written. */
  readonly #window = new Map<string, Counted>();
  #timer: NodeJS.Timeout | null = null;

  /** @param write rejects where it was not written: then it is counted on */
  constructor(write: (event: { op: 'refused' } & Counted) => Promise<void>) {
    this.#write = write;
  }

  note({ op, reason, message }: Refusal): void {
    const request = requests.includes(op) ? op : 'unknown';
    const key = `${request} ${reason}`;
    const seen = this.#window.get(key);
    if (seen !== undefined) {
      seen.count += 1;
      return;
    }
    const counted = { request, reason, message: asProfileText(message), count: 1 };
    this.#window.set(key, counted);
    this.#send(counted);
    this.#timer ??= setTimeout(() => this.flush(), windowMs).unref();
  }

  /** Writes what was counted, and begins anew. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const counted = [...this.#window.values()].filter(({ count }) => count > 0);
    this.#window.clear();
    for (const each of counted) this.#send(each);
  }

  #send(counted: Counted): void {
    const { count } = counted;
    counted.count = 0;
    this.#write({ op: 'refused', ...counted, count }).catch(() => {
      const { request, reason } = counted;
      const key = `${request} ${reason}`;
      const kept = this.#window.get(key) ?? counted;
      kept.count += count;
      this.#window.set(key, kept);
      this.#timer ??= setTimeout(() => this.flush(), windowMs).unref();
    });
  }
}

function asProfileText(message: string): string {
  const short = message
    .slice(0, messageLengthMax)
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, ' ')
    .normalize('NFC');
  return isProfileText(short) ? short : 'a message that cannot be shown';
}
