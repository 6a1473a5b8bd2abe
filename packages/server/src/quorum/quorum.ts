/** Gathers a quorum: all cosigners are asked at once, and enough answers end the wait. */
import { isQuorum, type NoteSignature, type Policy } from '@tallystick/core';
import { type Cosigners, LedgerError } from '@tallystick/ledger';
import { CosignerAhead, CosignerClient, type CosignerStatus } from './cosigner-client.ts';

export interface QuorumOptions {
  policy: Policy;
  /** By cosigner name, where the policy's own addresses do not apply. */
  urls: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Milliseconds. */
  now: () => number;
}

/** A cosigner that is slow may still be counted while others were enough: for this long, in milliseconds. */
const stragglersMs = 20;

export class Quorum implements Cosigners {
  readonly #policy: Policy;
  readonly #clients: readonly CosignerClient[];
  /** The last cosigner that had seen more than it was asked to cosign. */
  #ahead: CosignerAhead | null = null;

  constructor({ policy, urls, timeoutMs, now }: QuorumOptions) {
    this.#policy = policy;
    this.#clients = policy.witnesses.map(({ name, vkey, url }) => {
      const address = urls[name] ?? url;
      if (address === null) throw new Error(`cosigner ${name} has no address`);
      return new CosignerClient(name, vkey, address, timeoutMs, now);
    });
  }

  /** Each cosigner with the group of the policy that it belongs to. */
  get status(): (CosignerStatus & { group: string })[] {
    return this.#clients.map((client) => ({ ...client.status, group: this.#groupOf(client.name) }));
  }

  /** Rejects with LedgerError where no quorum comes about. */
  async cosign(
    note: string,
    size: number,
    proofFrom: (oldSize: number) => Uint8Array[],
  ): Promise<NoteSignature[]> {
    const present = new Map<string, NoteSignature[]>();
    const failures: string[] = [];
    if (this.#ahead !== null && this.#ahead.size > size) throw logBehind(this.#ahead, size);
    await new Promise<void>((resolve) => {
      let open = this.#clients.length;
      const settle = (): void => {
        open -= 1;
        if (open === 0) resolve();
        else if (isQuorum(this.#policy, new Set(present.keys()))) setTimeout(resolve, stragglersMs);
      };
      for (const client of this.#clients) {
        client.cosign(note, size, proofFrom).then(
          (lines) => {
            present.set(client.name, lines);
            settle();
          },
          (error: unknown) => {
            // Kept: it may come after the others made a quorum, and must not be lost for that.
            if (error instanceof CosignerAhead) this.#ahead = error;
            failures.push(error instanceof Error ? error.message : String(error));
            settle();
          },
        );
      }
    });
    if (this.#ahead !== null && this.#ahead.size > size) throw logBehind(this.#ahead, size);
    const lines = [...present.values()].flat();
    if (!isQuorum(this.#policy, new Set(present.keys()))) {
      const count = `${present.size} of ${this.#clients.length} cosigners`;
      throw new LedgerError('publication_stalled', `${count} are no quorum (${failures.join('; ')})`);
    }
    return lines;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #groupOf(name: string): string {
    return this.#policy.groups.find((group) => group.members.includes(name))?.name ?? this.#policy.quorum;
  }
}

function logBehind(ahead: CosignerAhead, size: number): LedgerError {
  return new LedgerError(
    'log_behind',
    `${ahead.message}, and this log publishes ${size}: it was rolled back. Restore a store that holds entries ` +
      `${size} to ${ahead.size - 1}; nothing is changed until then`,
  );
}
