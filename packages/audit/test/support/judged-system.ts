/** People and machines that change licenses, each command judged on the snapshot that it is decided on. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { base64, keyFingerprintText, sha256, utf8 } from '@tallystick/core';
import {
  bareResource,
  type Caller,
  defaultPolicyDocument,
  describe,
  effectOf,
  type PrincipalKind,
  policyContentHash,
  resourceOf,
  rolesFor,
  type SignedRequest,
} from '@tallystick/gate';
import {
  checkSignedRequest,
  type RequestSigningKey,
  requestSigningKey,
  signRequest,
} from '@tallystick/gate/http-signature';
import { PolicyEngine } from '@tallystick/gate/policy';
import type { CauseInput, GateCause } from '@tallystick/ledger';
import type { ApprovalDocument, Change, Command, PolicyContent, View } from '@tallystick/license';
import { TestSystem } from '@tallystick/testkit';

export interface Actor {
  kind: PrincipalKind;
  principal: string;
  credential: string;
  key: RequestSigningKey | null;
  /** What its requests are signed for, in place of this system. */
  signsFor?: string;
}

interface Request {
  actor: Actor;
  command: Command;
  why: string | null;
  signed: SignedRequest | null;
  isWhole: boolean;
}

export interface RunOptions {
  why?: string | null;
  /** What the server says in place of the truth. */
  forge?: Forge;
  /** The decision stands whole in the cause, also where an earlier one has it. */
  isWhole?: boolean;
  /** Idempotency key. */
  key?: string;
}

export type Forge = (cause: CauseInput & { gate: GateCause }) => CauseInput;

export class JudgedSystem {
  readonly system: TestSystem;
  readonly content: PolicyContent = defaultPolicyDocument();
  readonly engine: PolicyEngine = new PolicyEngine(this.content);
  /** Log indexes of the causes that have decisions whole, by what they are made of. */
  readonly #carried = new Map<string, number>();
  /** What the newest decision was made on. */
  #newest: string | null = null;

  private constructor(system: TestSystem) {
    this.system = system;
  }

  static async start({ publishes = true }: { publishes?: boolean } = {}): Promise<JudgedSystem> {
    return JudgedSystem.on(await TestSystem.start(), { publishes });
  }

  /** On a fresh system of somebody else's. */
  static async on(
    system: TestSystem,
    { publishes = true }: { publishes?: boolean } = {},
  ): Promise<JudgedSystem> {
    await system.sellPro();
    const judged = new JudgedSystem(system);
    if (publishes) await system.run({ type: 'policy.publish', ...judged.content });
    return judged;
  }

  async person(name: string, credential: 'passkey' | 'api_key'): Promise<Actor> {
    return this.#enroll('person', name, { kind: credential, lookup: `${credential} of ${name}`, key: null });
  }

  async machine(name: string, role = 'issuer'): Promise<Actor> {
    const key = requestSigningKey(generateKeyPairSync('ed25519').privateKey);
    return this.#enroll('service', name, {
      kind: 'http_signature',
      lookup: keyFingerprintText(key.publicKey),
      key,
      role,
    });
  }

  /** Returns the id of the first subject that changed, and the log index of its record. */
  async run(
    actor: Actor,
    command: Command,
    { why = 'TICKET-1', forge = (cause) => cause, isWhole = false, key }: RunOptions = {},
  ): Promise<{ id: string; index: number }> {
    const { principal, credential } = actor;
    const system = actor.signsFor ?? base64(this.system.world.trust.genesis);
    const signed = actor.key && (await signedRequest(actor.key, command, system));
    const result = await this.system.ledger.submit({
      command,
      cause: { who: { kind: 'nobody', id: 'nobody' }, why },
      gate: {
        actor: { principal, credential, session: null },
        why,
        approvals: this.content.approvals,
        policy: policyContentHash(this.content),
      },
      judge: (view, changes, circumstances) =>
        forge(this.#judge({ actor, command, why, signed, isWhole }, view, changes, circumstances)),
      request: key === undefined ? null : { key, hash: sha256(utf8(JSON.stringify(command))) },
      dryRun: false,
    });
    if ('refused' in result) throw new Error(`${result.refused.code}: ${result.refused.message}`);
    const [first] = result.changes;
    const index = first?.index ?? -1;
    if (this.#newest !== null) this.#carried.set(this.#newest, this.#carried.get(this.#newest) ?? index);
    return { id: first?.change.subject.id ?? '', index };
  }

  #judge(
    { actor, command, why, signed, isWhole }: Request,
    view: View,
    changes: readonly Change[],
    { at, lock, epoch }: { at: string; lock: string; epoch: number },
  ): CauseInput & { gate: GateCause } {
    const { principal: id, kind, credential } = actor;
    const [principal, shown] = [
      view.subject('principal', id)?.document,
      view.subject('credential', credential)?.document,
    ];
    if (principal === undefined || shown === undefined) throw new Error(`${id} is not known`);
    const waiting = 'approval' in command ? view.subject('approval', command.approval)?.document : undefined;
    const isApproved = command.type === 'approval.execute' && waiting !== undefined;
    // What is judged where others have approved a command is that command.
    const judged = isApproved ? (waiting.command as unknown as Command) : command;
    const before =
      'license' in judged ? view.subject('license', String(judged.license))?.document : undefined;
    const document = before ?? waiting ?? changes[0]?.document;
    const resource = document === undefined ? bareResource('License') : resourceOf(document, () => 'pro');
    const caller = callerOf(actor, at, signed);
    const approvals = isApproved ? usedOf(waiting) : null;
    const input = describe(
      { caller, action: judged.type, zone: 'admin' },
      rolesFor({ principal, credential: shown }, resource, at),
      resource,
      effectOf(changes, (type, subject) => view.subject(type, subject)?.document),
      {
        at,
        lock,
        epoch,
        reason: why !== null,
        approved: approvals !== null,
        stepUp: this.content.sessions.stepUp,
        roles: this.engine.roles,
      },
    );
    const { allowed, policy, schema, reasons, entities, lacks } = this.engine.decide(input);
    if (!allowed) throw new Error(`${judged.type} is denied: ${reasons.join()} ${lacks}`);
    const same = isWhole ? undefined : this.#carried.get(entities);
    this.#newest = entities;
    const { session, device, address } = caller;
    const decision =
      same === undefined ? { policy, schema, reasons: [...reasons], entities, input } : { same };
    return {
      who: { kind, id },
      why,
      gate: { credential, session, device, address, decision, approvals, signed },
    };
  }

  async #enroll(
    kind: 'person' | 'service',
    name: string,
    shown: {
      kind: 'passkey' | 'api_key' | 'http_signature';
      lookup: string;
      key: RequestSigningKey | null;
      role?: string;
    },
  ): Promise<Actor> {
    const roles = [{ role: shown.role ?? 'issuer' }];
    const made = await this.system.run({ type: 'principal.create', kind, name, roles });
    const principal = made.changes[0]!.change.subject.id;
    const { publicKey } = shown.key ?? {};
    const given = await this.system.run({
      type: 'credential.create',
      principal,
      kind: shown.kind,
      name: `${shown.kind} of ${name}`,
      lookup: shown.lookup,
      material:
        publicKey === undefined
          ? { hash: 'secret-enough' }
          : { alg: publicKey.alg, key: base64(publicKey.key) },
    });
    return { kind, principal, credential: given.changes[0]!.change.subject.id, key: shown.key };
  }
}

function callerOf({ kind, principal, credential }: Actor, at: string, signed: SignedRequest | null): Caller {
  const isPerson = kind === 'person';
  return {
    principal,
    kind,
    credential,
    session: null,
    strength: isPerson ? 3 : 2,
    authenticatedAt: at,
    steppedUpAt: isPerson ? at : null,
    address: '10.0.0.7',
    networks: ['office'],
    device: isPerson ? { id: 'dev-1', managed: true, encrypted: true, attested: false } : null,
    signed,
    purpose: null,
  };
}

/** What the cause of a change says of the request that it carries out. */
function usedOf({ id, approvals }: ApprovalDocument): GateCause['approvals'] {
  return {
    approval: id,
    by: approvals.map(({ principal, credential, at }) => ({ principal, credential, at })),
  };
}

/** The request as a client signs it, and a server keeps it. */
async function signedRequest(
  key: RequestSigningKey,
  command: Command,
  system: string,
): Promise<SignedRequest> {
  const { type, license, ...members } = command as unknown as { type: string; license: string };
  const body = utf8(JSON.stringify(members));
  const target = `/v1/licenses/${license}/${type.slice('license.'.length)}`;
  const message = {
    method: 'POST',
    scheme: 'http',
    authority: 'tally.example',
    target,
    headers: {},
  } as const;
  const nowMs = Date.now();
  const headers = signRequest(message, body, key, { nowMs, nonce: randomUUID(), system });
  const expected = { keyOf: () => key.publicKey, system, nowMs };
  const checked = await checkSignedRequest({ ...message, headers }, body, expected);
  if (!checked.ok) throw new Error(checked.why);
  return checked.signed;
}
