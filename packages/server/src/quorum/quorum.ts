/** Gathers quorums: all cosigners are asked at once, and enough answers end the wait. */
import { base64, isQuorum, type NoteSignature, type Policy, type PolicyWitness } from '@tallystick/core';
import type { Cosigners } from '@tallystick/ledger';
import { LedgerError } from '@tallystick/ledger/errors';
import type { ClientTlsPaths } from '@tallystick/witness/tls';
import { CosignerAhead, CosignerClient, type CosignerStatus } from './cosigner-client.ts';

export interface QuorumOptions {
  /** Whom the status tells of before anybody was asked. */
  policy: Policy;
  /** By cosigner name, where the policy's own addresses do not apply. */
  urls: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** For https: whom to believe, and what to show. */
  tls?: ClientTlsPaths;
  /** Milliseconds. */
  now: () => number;
}

type ProofFrom = (oldSize: number) => Uint8Array[];

/** A cosigner that is slow may still be counted while others were enough: for this long, in milliseconds. */
const stragglersMs = 20;

/** Keys of one name at one address are one process, which is asked once and answers with all of them. */
interface Process {
  address: string;
  keys: [PolicyWitness, ...PolicyWitness[]];
}

interface Asked extends Process {
  client: CosignerClient;
}

export class Quorum implements Cosigners {
  readonly #options: Omit<QuorumOptions, 'policy'>;
  #policies: readonly Policy[] = [];
  #asked: readonly Asked[] = [];
  /** The last cosigner that had seen more than it was asked to cosign. */
  #ahead: CosignerAhead | null = null;

  constructor({ policy, ...options }: QuorumOptions) {
    this.#options = options;
    this.#follow([policy]);
  }

  /** Each cosigner with the group of the policy that it belongs to. */
  get status(): (CosignerStatus & { group: string })[] {
    return this.#asked.map(({ client, keys }) => ({ ...client.status, group: this.#groupOf(keys[0]) }));
  }

  /** Rejects with LedgerError where no quorum comes about. */
  async cosign(
    note: string,
    size: number,
    proofFrom: ProofFrom,
    policies: readonly Policy[],
  ): Promise<NoteSignature[]> {
    this.#follow(policies);
    const asked = this.#asked;
    const present = new Set<string>();
    const lines: NoteSignature[] = [];
    const failures: string[] = [];
    if (this.#ahead !== null && this.#ahead.size > size) throw logBehind(this.#ahead, size);
    await new Promise<void>((resolve) => {
      let open = asked.length;
      const settle = (): void => {
        open -= 1;
        if (open === 0) resolve();
        else if (policies.every((policy) => isMet(policy, present))) setTimeout(resolve, stragglersMs);
      };
      for (const { client, keys } of asked) {
        client.cosign(note, size, proofFrom).then(
          (own) => {
            lines.push(...own);
            for (const key of keys) present.add(idOf(key));
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
    if (!policies.every((policy) => isMet(policy, present))) {
      const count = `${asked.length - failures.length} of ${asked.length} cosigners`;
      throw new LedgerError('publication_stalled', `${count} are no quorum (${failures.join('; ')})`);
    }
    return [...lines];
  }

  /**
   * Rejects with Error where those who are asked already, and answered last, and the others that `policy` names, who are
   * asked now, are no quorum.
   */
  async probe(note: string, size: number, proofFrom: ProofFrom, policy: Policy): Promise<void> {
    const present = new Set<string>();
    const failures: string[] = [];
    const processes = this.#processesOf([policy]);
    const ask = async (process: Process): Promise<void> => {
      const known = this.#asked.find((asked) => isSame(asked, process));
      const wasAsked = this.#asked.some(({ keys }) => keys.some((key) => hasKey(process, key)));
      const client = known?.client ?? this.#clientOf(process);
      try {
        if (known === undefined) await client.cosign(note, size, proofFrom);
        else demandOk(process, known.client.status);
        for (const key of process.keys) present.add(idOf(key));
      } catch (error) {
        // One that only moves may have cosigned more by now.
        if (wasAsked && known === undefined && error instanceof CosignerAhead) {
          for (const key of process.keys) present.add(idOf(key));
        } else failures.push(error instanceof Error ? error.message : String(error));
      } finally {
        if (known === undefined) client.close();
      }
    };
    await Promise.all(processes.map(ask));
    if (isMet(policy, present)) return;
    const count = `${processes.length - failures.length} of ${processes.length} cosigners`;
    throw new Error(`${count} are no quorum (${failures.join('; ')})`);
  }

  close(): void {
    for (const { client } of this.#asked) client.close();
  }

  /** Keeps the connections to those whom one of the policies names. */
  #follow(policies: readonly Policy[]): void {
    const before = this.#asked;
    this.#asked = this.#processesOf(policies).map((process) => {
      const known = before.find((asked) => isSame(asked, process));
      return { ...process, client: known?.client ?? this.#clientOf(process) };
    });
    const kept = new Set(this.#asked.map(({ client }) => client));
    for (const { client } of before) if (!kept.has(client)) client.close();
    this.#policies = policies;
  }

  /** Where policies name a key with several addresses, the first one counts. */
  #processesOf(policies: readonly Policy[]): Process[] {
    const processes = new Map<string, Process>();
    const seen = new Set<string>();
    for (const witness of policies.flatMap(({ witnesses }) => witnesses)) {
      if (seen.has(idOf(witness))) continue;
      seen.add(idOf(witness));
      const address = this.#addressOf(witness);
      const name = `${witness.vkey.name} ${address}`;
      const known = processes.get(name);
      if (known === undefined) processes.set(name, { address, keys: [witness] });
      else known.keys.push(witness);
    }
    return [...processes.values()];
  }

  #clientOf({ address, keys }: Process): CosignerClient {
    const { timeoutMs, now, tls } = this.#options;
    const [{ name, vkey }, ...others] = keys;
    const vkeys = keys.map((key) => key.vkey);
    return new CosignerClient(others.length === 0 ? name : vkey.name, vkeys, address, timeoutMs, now, tls);
  }

  /** Throws Error where nobody says where a cosigner is. */
  #addressOf({ name, vkey, url }: PolicyWitness): string {
    const { urls } = this.#options;
    const address = urls[name] ?? urls[vkey.name] ?? url;
    if (address !== null) return address;
    const where = 'in the trust root, or in `cosigners` of the configuration of the server';
    throw new Error(`cosigner ${name} has no address: give it one ${where}`);
  }

  #groupOf(key: PolicyWitness): string {
    for (const policy of this.#policies) {
      const witness = policy.witnesses.find((each) => idOf(each) === idOf(key));
      if (witness !== undefined) return groupOf(policy, witness.name);
    }
    return '';
  }
}

/** The group right below the quorum: a cosigner of several keys is a group within it. */
function groupOf(policy: Policy, name: string): string {
  const { groups, quorum } = policy;
  const found = groups.find((group) => group.members.includes(name))?.name ?? quorum;
  const isOuter = groups.some((group) => group.name === quorum && group.members.includes(found));
  return found === quorum || isOuter ? found : groupOf(policy, found);
}

/** By its bytes: a key may have other names in another version of the trust root. */
function idOf({ vkey }: PolicyWitness): string {
  return base64(vkey.key);
}

function hasKey({ keys }: Process, key: PolicyWitness): boolean {
  return keys.some((each) => idOf(each) === idOf(key));
}

function isSame(a: Process, b: Process): boolean {
  return a.address === b.address && a.keys.length === b.keys.length && a.keys.every((key) => hasKey(b, key));
}

function demandOk({ keys: [{ name }] }: Process, { state, lastError }: CosignerStatus): void {
  if (state !== 'ok') throw new Error(`${name} is ${state}${lastError === null ? '' : `: ${lastError}`}`);
}

/** True where the cosigners with these keys satisfy the policy. */
function isMet(policy: Policy, present: ReadonlySet<string>): boolean {
  const names = policy.witnesses.filter((witness) => present.has(idOf(witness))).map(({ name }) => name);
  return isQuorum(policy, new Set(names));
}

function logBehind(ahead: CosignerAhead, size: number): LedgerError {
  return new LedgerError(
    'log_behind',
    `${ahead.message}, and this log publishes ${size}: it was rolled back. Restore a store that holds entries ` +
      `${size} to ${ahead.size - 1}; nothing is changed until then`,
  );
}
