/**
 * The sessions of this server. They live in memory, for every request asks; beginning and ending are in the
 * file before they are answered, and when a session was last seen follows in batches.
 */
import type { KeyObject } from 'node:crypto';
import { newSecretToken, secretTokenLookup } from '../authenticate/secret-token.ts';
import type { CredentialUse, GateFile, StoredSession } from './gate-file.ts';
import { agentClass, hasEnded, type Session, type SessionLimits, type SessionStart } from './session.ts';

/** Sessions that one principal may have; the one not seen for longest makes room. */
const perPrincipalMax = 32;

export interface SessionParts {
  file: GateFile;
  /** Finds sessions by their tokens. */
  key: KeyObject;
  /** As the policy in force says. */
  limits: () => SessionLimits;
  now: () => number;
  random: (length: number) => Uint8Array;
  /** `ses_…` */
  newId: () => string;
}

/** A session with its token, which nobody is shown again. */
export interface BegunSession {
  token: string;
  session: Session;
}

export class Sessions {
  readonly #parts: SessionParts;
  readonly #byLookup = new Map<string, StoredSession>();
  readonly #byId = new Map<string, StoredSession>();
  readonly #uses: Map<string, CredentialUse>;
  readonly #unwrittenSessions = new Set<string>();
  /** Those that have ended and are still in the file. */
  readonly #undeleted = new Set<string>();
  readonly #unwrittenUses = new Map<string, CredentialUse>();
  /** Rows of the file that this server had not written. */
  readonly rejected: number;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { sessions, uses, rejected } = parts.file.load();
    for (const stored of sessions) this.#remember(stored);
    this.#uses = uses;
    this.rejected = rejected;
  }

  /** A new token each time: one that was known before a login is none after it. */
  begin(start: SessionStart): BegunSession {
    const { userAgent, ...given } = start;
    const now = this.#now();
    this.#makeRoom(given.principal);
    return this.#issue({
      id: this.#parts.newId(),
      ...given,
      startedAt: now,
      seenAt: now,
      agent: agentClass(userAgent),
    });
  }

  /**
   * The session of a token. One that has ended, or is carried by another browser than the one that it began in, is
   * none, and is none from then on.
   */
  find(token: string, userAgent: string): Session | null {
    const stored = this.#byLookup.get(secretTokenLookup(this.#parts.key, token));
    if (stored === undefined) return null;
    const { session } = stored;
    const nowMs = this.#parts.now();
    if (hasEnded(session, this.#parts.limits(), nowMs) || session.agent !== agentClass(userAgent)) {
      this.end(session.id);
      return null;
    }
    session.seenAt = new Date(nowMs).toISOString();
    this.#unwrittenSessions.add(session.id);
    return session;
  }

  /** Whose token it is, without a word on whether it still counts; undefined for nobody's. */
  idOf(token: string): string | undefined {
    return this.#byLookup.get(secretTokenLookup(this.#parts.key, token))?.session.id;
  }

  /** False where there is none of that id. */
  end(id: string): boolean {
    return this.#end([id]) > 0;
  }

  /** Ends what was begun with a credential; the number of them. */
  endOfCredential(credential: string): number {
    return this.#endWhere((session) => session.credential === credential);
  }

  endOfPrincipal(principal: string): number {
    return this.#endWhere((session) => session.principal === principal);
  }

  /** Those that have not ended, the newest first. */
  list(): Session[] {
    const nowMs = this.#parts.now();
    const limits = this.#parts.limits();
    const all = [...this.#byId.values()].map(({ session }) => session);
    return all.filter((session) => !hasEnded(session, limits, nowMs)).reverse();
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id)?.session;
  }

  noteUse(credential: string, address: string): void {
    const use = { at: this.#now(), address };
    this.#uses.set(credential, use);
    this.#unwrittenUses.set(credential, use);
  }

  /** undefined where it was never used at this server. */
  lastUseOf(credential: string): CredentialUse | undefined {
    return this.#uses.get(credential);
  }

  /** Writes what waits, and forgets what has ended. To be called now and then, and before the file is closed. */
  flush(): void {
    const nowMs = this.#parts.now();
    const limits = this.#parts.limits();
    this.#endWhere((session) => hasEnded(session, limits, nowMs));
    this.#delete();
    const seen = [...this.#unwrittenSessions].flatMap((id) => this.#byId.get(id) ?? []);
    if (seen.length > 0) this.#parts.file.put(seen);
    if (this.#unwrittenUses.size > 0) this.#parts.file.putUses(this.#unwrittenUses);
    this.#unwrittenSessions.clear();
    this.#unwrittenUses.clear();
  }

  #issue(session: Session): BegunSession {
    const token = newSecretToken('session', this.#parts.random);
    const stored = { lookup: secretTokenLookup(this.#parts.key, token), session };
    this.#parts.file.put([stored]);
    this.#remember(stored);
    return { token, session };
  }

  #remember(stored: StoredSession): void {
    this.#byLookup.set(stored.lookup, stored);
    this.#byId.set(stored.session.id, stored);
  }

  #makeRoom(principal: string): void {
    const own = [...this.#byId.values()].filter(({ session }) => session.principal === principal);
    const oldest = own.sort((a, b) => (a.session.seenAt < b.session.seenAt ? -1 : 1));
    this.#end(
      oldest.slice(0, Math.max(0, own.length - perPrincipalMax + 1)).map(({ session }) => session.id),
    );
  }

  #endWhere(isMeant: (session: Session) => boolean): number {
    const meant = [...this.#byId.values()].filter(({ session }) => isMeant(session));
    return this.#end(meant.map(({ session }) => session.id));
  }

  #end(ids: readonly string[]): number {
    const stored = ids.flatMap((id) => this.#byId.get(id) ?? []);
    if (stored.length === 0) return 0;
    // In memory first: a file that cannot be written must not keep a session alive.
    for (const { lookup, session } of stored) {
      this.#byLookup.delete(lookup);
      this.#byId.delete(session.id);
      this.#undeleted.add(session.id);
    }
    this.#delete();
    return stored.length;
  }

  /** What cannot be deleted now is with the next one, or it would be back after a restart. */
  #delete(): void {
    if (this.#undeleted.size === 0) return;
    this.#parts.file.delete([...this.#undeleted]);
    this.#undeleted.clear();
  }

  #now(): string {
    return new Date(this.#parts.now()).toISOString();
  }
}
