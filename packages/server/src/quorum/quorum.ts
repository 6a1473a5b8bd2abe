/** Gathers quorums: all cosigners are asked at once, and enough answers end the wait. */
import { base64, isQuorum, type NoteSignature, type Policy, type PolicyWitness } from '@tallystick/core';
import { type Cosigners, LedgerError } from '@tallystick/ledger';
import { CosignerAhead, CosignerClient, type CosignerStatus } from './cosigner-client.ts';

export interface QuorumOptions {
  /** Whom the status tells of before anybody was asked. */
  policy: Policy;
  /** By cosigner name, where the policy's own addresses do not apply. */
  urls: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Milliseconds. */
  now: () => number;
}

type ProofFrom = (oldSize: number) => Uint8Array[];

/** A cosigner that is slow may still be counted while others were enough: for this long, in milliseconds. */
const stragglersMs = 20;

export class Quorum implements Cosigners {
  readonly #options: Omit<QuorumOptions, 'policy'>;
  #policies: readonly Policy[] = [];
  /** Those whom the policies name, by key: one may have other names in another version of the trust root. */
  #clients = new Map<string, CosignerClient>();
  /** The last cosigner that had seen more than it was asked to cosign. */
  #ahead: CosignerAhead | null = null;

  constructor({ policy, ...options }: QuorumOptions) {
    this.#options = options;
    this.#follow([policy]);
  }

  /** Each cosigner with the group of the policy that it belongs to. */
  get status(): (CosignerStatus & { group: string })[] {
    return [...this.#clients].map(([key, client]) => ({ ...client.status, group: this.#groupOf(key) }));
  }

  /** Rejects with LedgerError where no quorum comes about. */
  async cosign(
    note: string,
    size: number,
    proofFrom: ProofFrom,
    policies: readonly Policy[],
  ): Promise<NoteSignature[]> {
    this.#follow(policies);
    const clients = this.#clients;
    const present = new Map<string, NoteSignature[]>();
    const failures: string[] = [];
    if (this.#ahead !== null && this.#ahead.size > size) throw logBehind(this.#ahead, size);
    await new Promise<void>((resolve) => {
      let open = clients.size;
      const settle = (): void => {
        open -= 1;
        if (open === 0) resolve();
        else if (policies.every((policy) => isMet(policy, present))) setTimeout(resolve, stragglersMs);
      };
      for (const [key, client] of clients) {
        client.cosign(note, size, proofFrom).then(
          (lines) => {
            present.set(key, lines);
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
    if (!policies.every((policy) => isMet(policy, present))) {
      const count = `${present.size} of ${clients.size} cosigners`;
      throw new LedgerError('publication_stalled', `${count} are no quorum (${failures.join('; ')})`);
    }
    return lines;
  }

  /**
   * Rejects with Error where those who are asked already, and answered last, and the others that `policy` names, who are
   * asked now, are no quorum.
   */
  async probe(note: string, size: number, proofFrom: ProofFrom, policy: Policy): Promise<void> {
    const present = new Set<string>();
    const failures: string[] = [];
    const ask = async (witness: PolicyWitness): Promise<void> => {
      const key = keyOf(witness);
      const known = this.#clients.get(key);
      if (known !== undefined && known.address === this.#addressOf(witness)) {
        const { state, lastError } = known.status;
        if (state === 'ok') present.add(key);
        else failures.push(`${witness.name} is ${state}${lastError === null ? '' : `: ${lastError}`}`);
        return;
      }
      const client = this.#clientOf(witness);
      try {
        await client.cosign(note, size, proofFrom);
        present.add(key);
      } catch (error) {
        // One that only moves may have cosigned more by now.
        if (known !== undefined && error instanceof CosignerAhead) present.add(key);
        else failures.push(error instanceof Error ? error.message : String(error));
      } finally {
        client.close();
      }
    };
    const asked = policy.witnesses.map((witness) => ask(witness));
    await Promise.all(asked);
    if (isMet(policy, present)) return;
    throw new Error(
      `${present.size} of ${policy.witnesses.length} cosigners are no quorum (${failures.join('; ')})`,
    );
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  /** Keeps the connections to those whom one of the policies names. The first policy's addresses count. */
  #follow(policies: readonly Policy[]): void {
    const clients = new Map<string, CosignerClient>();
    for (const witness of policies.flatMap(({ witnesses }) => witnesses)) {
      const key = keyOf(witness);
      if (clients.has(key)) continue;
      const known = this.#clients.get(key);
      const isThere = known?.address === this.#addressOf(witness);
      clients.set(key, known !== undefined && isThere ? known : this.#clientOf(witness));
    }
    for (const [key, client] of this.#clients) if (clients.get(key) !== client) client.close();
    this.#clients = clients;
    this.#policies = policies;
  }

  #clientOf(witness: PolicyWitness): CosignerClient {
    const { timeoutMs, now } = this.#options;
    return new CosignerClient(witness.name, witness.vkey, this.#addressOf(witness), timeoutMs, now);
  }

  /** Throws Error where nobody says where a cosigner is. */
  #addressOf({ name, url }: PolicyWitness): string {
    const address = this.#options.urls[name] ?? url;
    if (address !== null) return address;
    const where = 'in the trust root, or in `cosigners` of the configuration of the server';
    throw new Error(`cosigner ${name} has no address: give it one ${where}`);
  }

  #groupOf(key: string): string {
    for (const { witnesses, groups, quorum } of this.#policies) {
      const witness = witnesses.find((each) => keyOf(each) === key);
      if (witness === undefined) continue;
      return groups.find(({ members }) => members.includes(witness.name))?.name ?? quorum;
    }
    return '';
  }
}

function keyOf({ vkey }: PolicyWitness): string {
  return base64(vkey.key);
}

/** True where the cosigners with these keys satisfy the policy. */
function isMet(policy: Policy, present: { has(key: string): boolean }): boolean {
  const names = policy.witnesses.filter((witness) => present.has(keyOf(witness))).map(({ name }) => name);
  return isQuorum(policy, new Set(names));
}

function logBehind(ahead: CosignerAhead, size: number): LedgerError {
  return new LedgerError(
    'log_behind',
    `${ahead.message}, and this log publishes ${size}: it was rolled back. Restore a store that holds entries ` +
      `${size} to ${ahead.size - 1}; nothing is changed until then`,
  );
}
