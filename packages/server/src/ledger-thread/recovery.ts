/**
 * How a system that nobody can log into any more gets an administrator: its authority says so in the cause of a namespace
 * revision. The chain of the namespace has it used once, in one log; the authority's signature is what nobody else has.
 */
import type { NamespaceRevisionBody, RecoveryDraft, RecoveryResult } from '@tallystick/contract';
import {
  authorityDelayMaxMs,
  base64,
  decodeUtf8,
  effectiveLock,
  formatInstant,
  leafHash,
  meetsThreshold,
  parseInstant,
  parseNamespace,
  parseRecordEntry,
  type RecoveryStatement,
} from '@tallystick/core';
import { enrollAction } from '@tallystick/gate';
import {
  checkCommitments,
  type Judge,
  parseCause,
  type SignedRevision,
  type Submission,
} from '@tallystick/ledger';
import { type Command, rolesAt } from '@tallystick/license';
import { carriedOut } from './approvals.ts';
import type { ApprovalNeeds } from './gate/approval-needs.ts';
import type { NamespaceKeys } from './namespace-keys.ts';
import type { ServedLog } from './served-log.ts';
import { ServiceProblem } from './service-problem.ts';
import { signedRevision } from './signed-revision.ts';

export interface RecoveryInput extends NamespaceRevisionBody {
  /** What the invitation is found by. */
  lookup: string;
  dryRun: boolean;
}

export interface RecoveryParts {
  ledger: ServedLog;
  keys: NamespaceKeys;
  needs: Pick<ApprovalNeeds, 'ofRecovery'>;
  /** Now. Instant. */
  now: () => string;
  /** Tells people that somebody was let in. */
  alarm: (detail: string) => void;
}

/** A statement, and the leaf of the entry that carries it. */
interface Told {
  statement: RecoveryStatement;
  why: string | null;
  leaf: Uint8Array;
}

function isLocked(error: unknown): boolean {
  return error instanceof ServiceProblem && error.code === 'namespace_locked';
}

const nobody = { who: { kind: 'nobody', id: 'nobody' }, why: null } as const;

type Dry = Pick<Submission, 'dryRun'>;

export class Recovery {
  readonly #parts: RecoveryParts;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** What a statement has to follow: the newest revision of the namespace, which every license file has as well. */
  async draft(): Promise<RecoveryDraft> {
    const revision = await this.#parts.ledger.read.revision('namespace');
    const document = revision?.content.document;
    if (revision === undefined || document == null) throw new ServiceProblem('integrity');
    return { entry: base64(revision.entry), document: decodeUtf8(document) };
  }

  /**
   * Logs a statement that the authority signed and carries it out. What was interrupted goes on when it is handed in again,
   * until the statement ends. Throws ServiceProblem (`unauthorized` where the authority did not sign it, `namespace_refused`) and
   * what the ledger throws.
   */
  async take({ lookup, dryRun, ...body }: RecoveryInput): Promise<RecoveryResult> {
    const { ledger, keys, now } = this.#parts;
    const signed = signedRevision(body);
    const told = { ...recoveryIn(signed, now()), leaf: leafHash(signed.entry) };
    await this.#demandAuthority(signed);
    // Entries are public: with a cause of one's own behind one, the answer would tell who is administrator.
    checkCommitments(signed);
    // What cannot be carried out is not logged either: the statement would be used up.
    await this.#person(told, { dryRun: true }).catch((error: unknown) => {
      if (!isLocked(error) || !this.#unlocks(signed)) throw error;
    });
    await keys.refresh();
    const revised = await ledger.reviseNamespace(signed, dryRun, this.#judge(told));
    const { until } = told.statement;
    const namespace = revised.changes[0]?.index ?? null;
    if (dryRun) return { dryRun, namespace: null, principal: null, credential: null, until };
    const principal = await this.#person(told, { dryRun });
    const { id: credential, repeated } = await this.#invite(told, principal, lookup);
    if (!repeated)
      this.#parts.alarm(
        `the authority lets ${told.statement.name ?? principal} (${principal}) in as administrator: revision of the namespace at log index ${namespace}, invitation ${credential} until ${until}`,
      );
    return { dryRun, namespace, principal, credential, until };
  }

  /** Cheaper than everything that follows, which nobody is known for. */
  async #demandAuthority({ entry }: SignedRevision): Promise<void> {
    const { trust, governing } = this.#parts.ledger;
    const authority = trust.current.namespaces.get(governing.namespace.ns)?.authority;
    const { envelope } = parseRecordEntry(entry);
    if (authority === undefined || !(await meetsThreshold(envelope, authority)))
      throw new ServiceProblem(
        'unauthorized',
        'the statement is not signed by the authority that the trust root names',
      );
  }

  /** Whether the lock that is in the way of somebody new goes with the revision itself. */
  #unlocks({ document }: SignedRevision): boolean {
    const { brake } = this.#parts.ledger.governing;
    const lock = read(() => effectiveLock(parseNamespace(document), brake));
    return lock === 'open' || lock === 'heightened';
  }

  /** What others have to approve does not come along with somebody who is let in. */
  #judge({ statement: { principal } }: Told): Judge {
    return (view, changes, { at }) => {
      const rules = view.subject('policy', 'policies')?.document.approvals ?? [];
      const { kind } = this.#parts.needs.ofRecovery({ changes, principal, rules }, view, at);
      if (kind === 'approval')
        throw refused(
          'it loosens what others have to approve: propose it without that, or let in, by --principal, whom the server was started to let act alone',
        );
      return nobody;
    };
  }

  /** The id of who is to be let in; a dry run looks whether that is possible. */
  async #person(told: Told, { dryRun }: Dry): Promise<string> {
    const { principal, name, email } = told.statement;
    if (principal !== null) {
      const document = (await this.#parts.ledger.read.current(principal))?.document;
      const isAdministrator =
        document?.type === 'principal' &&
        document.kind === 'person' &&
        rolesAt(document, this.#parts.now()).includes('administrator');
      if (!isAdministrator)
        throw refused(`${principal} is no active person who is administrator: name somebody new instead`);
      return principal;
    }
    const made = await this.#submit(
      told,
      'principal',
      { dryRun },
      {
        type: 'principal.create',
        kind: 'person',
        name: name ?? '',
        email,
        roles: [{ role: 'administrator' }],
      },
    );
    return made.id;
  }

  #invite(told: Told, principal: string, lookup: string): Promise<{ id: string; repeated: boolean }> {
    const { invitation, until } = told.statement;
    return this.#submit(
      told,
      'invitation',
      { dryRun: false },
      {
        type: 'credential.create',
        principal,
        kind: 'invitation',
        name: 'Invitation by the authority',
        notAfter: until,
        scope: { actions: [enrollAction] },
        lookup,
        // For who checks that it is the one that was signed for.
        material: { hash: invitation },
      },
    );
  }

  /** Each step once, whatever happens in between: under keys that no caller can send. */
  async #submit(
    { why, leaf }: Told,
    step: 'principal' | 'invitation',
    { dryRun }: Dry,
    command: Command,
  ): Promise<{ id: string; repeated: boolean }> {
    const { changes, repeated } = carriedOut(
      await this.#parts.ledger.submit({
        command,
        cause: { who: { kind: 'authority', id: 'namespace' }, why },
        request: { key: `${step} of recovery ${base64(leaf)}`, hash: leaf },
        dryRun,
      }),
    );
    return { id: changes[0]?.change.subject.id ?? '', repeated };
  }
}

function recoveryIn({ entry, cause }: SignedRevision, now: string): Omit<Told, 'leaf'> {
  const told = read(() => parseCause(cause));
  const statement = told.v === 1 ? told.recovery : undefined;
  if (statement === undefined)
    throw refused('it lets nobody in: hand other revisions in with tally namespace submit');
  const { record } = read(() => parseRecordEntry(entry));
  const [signedAt, until] = [parseInstant(record.at), parseInstant(statement.until)];
  if (until > signedAt + authorityDelayMaxMs)
    throw refused('it would be good for more than a week: propose it anew');
  if (until <= parseInstant(now)) throw refused(`it ended at ${formatInstant(until)}: propose it anew`);
  return { statement, why: told.why };
}

function read<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

function refused(why: string): ServiceProblem {
  return new ServiceProblem('namespace_refused', why);
}
