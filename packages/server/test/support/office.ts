/** People at a system: real ledger, signer logic and judgment; who they are is taken as proven. */
import { hash } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { notes } from '@tallystick/contract';
import { formatInstant } from '@tallystick/core';
import { type Caller, Directory, type SignedRequest } from '@tallystick/gate';
import type { Ledger, Store } from '@tallystick/ledger';
import type { ApprovalDocument, Command, RoleInput } from '@tallystick/license';
import { closeWorld, createWorld, openLedger, type TestWorld } from '@tallystick/testkit';
import { AccessRegister } from '../../src/ledger-thread/gate/access-register.ts';
import { Gatekeeper, governingOf } from '../../src/ledger-thread/gate/gatekeeper.ts';
import type { Judgment } from '../../src/ledger-thread/gate/judgment.ts';
import { restoreCounts } from '../../src/ledger-thread/gate/restore-counts.ts';
import { type MutationAnswer, Mutations } from '../../src/ledger-thread/mutations.ts';
import { SubjectReads } from '../../src/ledger-thread/subject-reads.ts';

/** A sale that the rules that come with the software want an issuer to approve. */
export const longSale = { type: 'license.issue', plan: 'pro', term: { length: 'P20Y' } } as const;

export interface Said {
  key?: string;
  why?: string | null;
  dryRun?: boolean;
  /** Instead of the first credential of the person. */
  credential?: string;
  session?: string | null;
  stepUp?: boolean;
  /** What the request was signed with, taken as proven. */
  signed?: SignedRequest;
}

export class Office {
  readonly world: TestWorld;
  ledger!: Ledger;
  gatekeeper!: Gatekeeper;
  mutations!: Mutations;
  reads!: SubjectReads;
  /** Milliseconds that the clock of everything is ahead of the real one. */
  readonly #clock: { ahead: number };
  /** Log indexes of what the system did past all rules. */
  readonly unjudged: Set<number> = new Set();
  readonly #ids = new Map<string, { principal: string; credential: string }>();
  #mayActAlone: string | undefined;
  #counting: Promise<void> = Promise.resolve();

  private constructor(world: TestWorld, clock: { ahead: number }) {
    this.world = world;
    this.#clock = clock;
  }

  /** @param store where the log is; in memory where left out */
  static async open(store?: Store): Promise<Office> {
    const clock = { ahead: 0 };
    const now = () => Date.now() + clock.ahead;
    const office = new Office(await createWorld({ now, ...(store && { store }) }), clock);
    await office.start();
    await office.system({ type: 'product.create', code: 'editor', name: 'Editor' });
    await office.system({
      type: 'plan.create',
      product: 'editor',
      code: 'pro',
      name: 'Pro',
      term: { length: 'P1Y' },
    });
    return office;
  }

  /** With two of everybody who approves: Ada and Bea, who are administrators, and Ivo and Ina, who are issuers. */
  static async withApprovers(): Promise<Office> {
    const office = await Office.open();
    for (const name of ['Ada', 'Bea']) await office.hire(name, 'administrator');
    for (const name of ['Ivo', 'Ina']) await office.hire(name, 'issuer');
    return office;
  }

  /** Lets time pass, once nothing waits for its checkpoint. */
  async later(ms: number): Promise<void> {
    await this.ledger.whenPublished(this.ledger.size, 10_000);
    while (this.ledger.mutations !== null || this.ledger.pending.count > 0) await after(2);
    this.#clock.ahead += ms;
  }

  async start(mayActAlone?: string): Promise<void> {
    this.#mayActAlone = mayActAlone;
    const directory = new Directory();
    let register: AccessRegister | null = null;
    const { ledger } = await openLedger(this.world, {
      onEvent: (event) => {
        if (event.type === 'durable') register?.take(event.changes);
      },
    });
    this.ledger = ledger;
    await ledger.whenPublished(1, 10_000);
    while (ledger.mutations !== null) await after(2);
    register = new AccessRegister(ledger, directory, () => {});
    await register.load((message) => {
      throw new Error(message);
    });
    this.gatekeeper = new Gatekeeper({
      directory,
      onAlarm: (detail) => {
        throw new Error(detail);
      },
      now: () => formatInstant(this.world.now()),
      governing: () => governingOf(ledger),
      mayActAlone: this.#mayActAlone,
    });
    // As at a server, nobody waits for it but who has to.
    this.#counting = restoreCounts(ledger, this.gatekeeper, this.world.now());
    const keys = { refresh: async () => {} } as never;
    this.mutations = new Mutations(ledger, keys, (code) => ({ code, detail: notes[code] }));
    this.reads = new SubjectReads(ledger, keys);
  }

  /** Ends the ledger and opens it again on what the store holds. */
  async restart(mayActAlone?: string): Promise<void> {
    await this.#counting;
    await this.ledger[Symbol.asyncDispose]();
    await this.start(mayActAlone);
  }

  /** What the system itself does, past all rules. */
  async system(command: Command): Promise<string> {
    const cause = { who: { kind: 'system', id: 'test' }, why: null };
    const result = await this.ledger.submit({ command, cause, request: null, dryRun: false });
    if ('refused' in result) throw new Error(result.refused.message);
    const index = result.changes[0]?.index;
    if (typeof index === 'number') this.unjudged.add(index);
    return result.changes[0]?.change.subject.id ?? '';
  }

  /** Somebody new, with these roles and a way in. */
  async hire(name: string, ...roles: (string | RoleInput)[]): Promise<string> {
    const given = roles.map((role) => (typeof role === 'string' ? { role } : role));
    const principal = await this.system({ type: 'principal.create', kind: 'person', name, roles: given });
    const credential = await this.credentialFor(principal, name);
    this.#ids.set(name, { principal, credential });
    return principal;
  }

  credentialFor(principal: string, lookup: string): Promise<string> {
    return this.system({ type: 'credential.create', principal, kind: 'passkey', name: 'Key', lookup });
  }

  id(name: string): string {
    return this.#ids.get(name)?.principal ?? name;
  }

  #caller(name: string, { credential, session = null, stepUp = true, signed }: Said): Caller {
    const known = this.#ids.get(name);
    const at = formatInstant(this.world.now());
    return {
      principal: known?.principal ?? name,
      kind: 'person',
      credential: credential ?? known?.credential ?? name,
      session,
      strength: 3,
      authenticatedAt: at,
      steppedUpAt: stepUp ? at : null,
      address: '127.0.0.1',
      networks: [],
      device: null,
      signed: signed ?? null,
      purpose: null,
    };
  }

  judgment(name: string, action: string, said: Said = {}): Judgment {
    return this.gatekeeper.open({ caller: this.#caller(name, said), action, zone: 'admin' });
  }

  /** Approves, as a server does that dies before it carries out what was asked for. */
  async approveOnly(name: string, approval: string): Promise<void> {
    const command = { type: 'approval.approve', approval } as const;
    const judgment = this.judgment(name, command.type);
    const result = await this.ledger.submit({
      command,
      cause: { who: { kind: 'nobody', id: 'nobody' }, why: null },
      gate: judgment.environment('T-1'),
      judge: judgment.judge(command, { why: 'T-1' }),
      request: null,
      dryRun: false,
    });
    if ('refused' in result) throw new Error(result.refused.message);
  }

  /** Asks for a command as somebody. Rejects with the ServiceProblem that is answered. */
  ask(name: string, command: Command, said: Said = {}): Promise<MutationAnswer> {
    const { key, why = 'T-1', dryRun = false } = said;
    const asked = `${this.id(name)}\n${JSON.stringify(command)}`;
    const input = {
      command,
      why,
      request: key === undefined ? null : { key, hash: hash('sha256', asked, 'base64') },
      dryRun,
      wait: 'durable',
      waitMs: 0,
    } as const;
    return this.mutations.mutate(input, this.judgment(name, command.type, said));
  }

  /** The code that a command is answered with, and the approval that it waits for. */
  async refusal(
    name: string,
    command: Command,
    said: Said = {},
  ): Promise<{ code: string; approval: string; detail: string }> {
    try {
      const { changes } = await this.ask(name, command, said);
      return { code: 'done', approval: '', detail: changes.map(({ type }) => type).join() };
    } catch (error) {
      const { code, details, detail } = error as {
        code: string;
        details?: { approval?: string };
        detail?: string;
      };
      if (code === undefined) throw error;
      return { code, approval: details?.approval ?? '', detail: detail ?? '' };
    }
  }

  /** The newest document of a request for approval. */
  async request(approval: string): Promise<ApprovalDocument> {
    return (await this.ledger.read.current(approval))?.document as ApprovalDocument;
  }

  /** How many records of a type the log has. */
  async count(type: string): Promise<number> {
    let count = 0;
    for (let from = 0; from < this.ledger.size; from += 1000)
      for (const record of await this.ledger.read.recordsBetween(from, this.ledger.size))
        if (record.type === type) count += 1;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#counting;
    await this.ledger[Symbol.asyncDispose]();
    await closeWorld(this.world);
  }
}
