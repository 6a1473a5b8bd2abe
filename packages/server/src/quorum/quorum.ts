/** Gathers a quorum: all cosigners are asked at once, and enough answers end the wait. */
import { isQuorum, type NoteSignature, type Policy, type PolicyWitness } from '@tallystick/core';
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

/** A cosigner as one process at one address, with the policy's names of its keys. */
interface Asked {
  client: CosignerClient;
  names: readonly string[];
}

export class Quorum implements Cosigners {
  readonly #policy: Policy;
  readonly #asked: readonly Asked[];
  /** The last cosigner that had seen more than it was asked to cosign. */
  #ahead: CosignerAhead | null = null;

  constructor({ policy, urls, timeoutMs, now }: QuorumOptions) {
    this.#policy = policy;
    this.#asked = processesOf(policy, urls).map(({ address, keys }) => {
      const [{ name, vkey }, ...others] = keys;
      const vkeys = keys.map((key) => key.vkey);
      const shown = others.length === 0 ? name : vkey.name;
      const client = new CosignerClient(shown, vkeys, address, timeoutMs, now);
      return { client, names: keys.map((key) => key.name) };
    });
  }

  /** Each cosigner with the group of the policy that it belongs to. */
  get status(): (CosignerStatus & { group: string })[] {
    return this.#asked.map(({ client, names }) => ({
      ...client.status,
      group: this.#groupOf(names[0] ?? client.name),
    }));
  }

  /** Rejects with LedgerError where no quorum comes about. */
  async cosign(
    note: string,
    size: number,
    proofFrom: (oldSize: number) => Uint8Array[],
  ): Promise<NoteSignature[]> {
    const present = new Set<string>();
    const lines: NoteSignature[] = [];
    const failures: string[] = [];
    if (this.#ahead !== null && this.#ahead.size > size) throw logBehind(this.#ahead, size);
    await new Promise<void>((resolve) => {
      let open = this.#asked.length;
      const settle = (): void => {
        open -= 1;
        if (open === 0) resolve();
        else if (isQuorum(this.#policy, present)) setTimeout(resolve, stragglersMs);
      };
      for (const { client, names } of this.#asked) {
        client.cosign(note, size, proofFrom).then(
          (own) => {
            lines.push(...own);
            for (const name of names) present.add(name);
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
    if (!isQuorum(this.#policy, present)) {
      const count = `${this.#asked.length - failures.length} of ${this.#asked.length} cosigners`;
      throw new LedgerError('publication_stalled', `${count} are no quorum (${failures.join('; ')})`);
    }
    return [...lines];
  }

  close(): void {
    for (const { client } of this.#asked) client.close();
  }

  /** The group right below the quorum: a cosigner of several keys is a group within it. */
  #groupOf(name: string): string {
    const { groups, quorum } = this.#policy;
    const found = groups.find((group) => group.members.includes(name))?.name ?? quorum;
    const isOuter = groups.some((group) => group.name === quorum && group.members.includes(found));
    return found === quorum || isOuter ? found : this.#groupOf(found);
  }
}

/** Keys of one name at one address are one process, which is asked once and answers with all of them. */
function processesOf(
  policy: Policy,
  urls: Readonly<Record<string, string>>,
): { address: string; keys: [PolicyWitness, ...PolicyWitness[]] }[] {
  const processes = new Map<string, { address: string; keys: [PolicyWitness, ...PolicyWitness[]] }>();
  for (const witness of policy.witnesses) {
    const { name, vkey, url } = witness;
    const address = urls[name] ?? urls[vkey.name] ?? url;
    if (address === null) throw new Error(`cosigner ${name} has no address`);
    const known = processes.get(`${vkey.name} ${address}`);
    if (known === undefined) processes.set(`${vkey.name} ${address}`, { address, keys: [witness] });
    else known.keys.push(witness);
  }
  return [...processes.values()];
}

function logBehind(ahead: CosignerAhead, size: number): LedgerError {
  return new LedgerError(
    'log_behind',
    `${ahead.message}, and this log publishes ${size}: it was rolled back. Restore a store that holds entries ` +
      `${size} to ${ahead.size - 1}; nothing is changed until then`,
  );
}
