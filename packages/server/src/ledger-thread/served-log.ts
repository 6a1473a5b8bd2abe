/** What the service answers from: the ledger of this server, or a log that another server writes. */
import { type Follower, type Ledger, LedgerError } from '@tallystick/ledger';

export type ServedLog = Pick<
  Ledger,
  | 'size'
  | 'published'
  | 'pending'
  | 'mutations'
  | 'trust'
  | 'governing'
  | 'read'
  | 'submit'
  | 'reviseNamespace'
  | 'publishTrust'
  | 'checkTrust'
  | 'executeRevision'
  | 'executeTrust'
  | 'whenPublished'
  | 'bundle'
  | 'custody'
  | 'promiseOf'
>;

/** A log that this server does not write: all of its published part, and no change. */
export class FollowedLog implements ServedLog {
  readonly #follower: Follower;
  readonly #refusal: () => LedgerError;

  /** @param refusal says why this server does not write it */
  constructor(follower: Follower, refusal: () => LedgerError) {
    this.#follower = follower;
    this.#refusal = refusal;
  }

  get size(): number {
    return this.#follower.size;
  }

  get published(): Follower['published'] {
    return this.#follower.published;
  }

  get pending(): Ledger['pending'] {
    return { count: 0, oldestAt: null };
  }

  get mutations(): LedgerError {
    const { trouble } = this.#follower;
    if (trouble instanceof LedgerError && trouble.problem === 'integrity') return trouble;
    const { problem, message } = this.#refusal();
    const because = trouble === null ? '' : `, and cannot at the moment: ${trouble.message}`;
    return new LedgerError(problem, message + (problem === 'standby' ? because : ''));
  }

  get trust(): Follower['trust'] {
    return this.#follower.trust;
  }

  get governing(): Follower['governing'] {
    return this.#follower.governing;
  }

  get read(): Follower['read'] {
    return this.#follower.read;
  }

  bundle(licenseId: string, options: { trustVersion?: number } = {}): Promise<string> {
    return this.#follower.bundle(licenseId, options);
  }

  custody(...request: Parameters<Follower['custody']>): Promise<string> {
    return this.#follower.custody(...request);
  }

  submit(): Promise<never> {
    return Promise.reject(this.mutations);
  }

  reviseNamespace(): Promise<never> {
    return Promise.reject(this.mutations);
  }

  publishTrust(): Promise<never> {
    return Promise.reject(this.mutations);
  }

  checkTrust(): Promise<never> {
    return Promise.reject(this.mutations);
  }

  executeRevision(): Promise<never> {
    return Promise.reject(this.mutations);
  }

  executeTrust(): Promise<never> {
    return Promise.reject(this.mutations);
  }

  whenPublished(): Promise<never> {
    return Promise.reject(this.mutations);
  }

  /** Whoever wrote an entry promised it. */
  async promiseOf(): Promise<null> {
    return null;
  }
}
