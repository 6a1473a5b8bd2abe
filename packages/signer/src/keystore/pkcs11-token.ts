/**
 * A connection to one token through a PKCS#11 module (OASIS PKCS#11 2.40): logged in, with a few sessions, and made
 * anew when it was lost.
 *
 * A module is one state for the whole process, so a process has one connection through it at a time.
 */
import type { Handle, PKCS11 } from 'pkcs11js';
import { KeystoreError, PinRefused, TokenUnavailable } from './keystore-error.ts';
import { SessionPool } from './session-pool.ts';

export type Pkcs11 = typeof import('pkcs11js');

/** What an operation on the token is given. */
export interface TokenAccess {
  api: Pkcs11;
  module: PKCS11;
  session: Handle;
}

export interface Pkcs11TokenOptions {
  /** Path of the module. */
  module: string;
  /** The token's label. */
  token: string;
  pin: string;
  /** Called on every new connection, before anything else is done on it: handles of an earlier one are void. */
  prepare: (access: TokenAccess) => void;
}

/** As many as threads that Node lends to such calls. */
const sessionsCount = 4;

export class Pkcs11Token {
  readonly #api: Pkcs11;
  readonly #module: PKCS11;
  readonly #path: string;
  readonly #label: string;
  readonly #pin: string;
  readonly #prepare: Pkcs11TokenOptions['prepare'];
  /** Replaced as soon as it is known to be lost. */
  #connection: Promise<SessionPool>;
  /** Whether this object has begun the module, and so may end it. */
  #isInitialized = false;
  /** Set when the token refused the PIN: nothing tries it again. */
  #refusal: PinRefused | null = null;
  #isClosed = false;

  private constructor(api: Pkcs11, module: PKCS11, options: Pkcs11TokenOptions) {
    this.#api = api;
    this.#module = module;
    this.#path = options.module;
    this.#label = options.token;
    this.#pin = options.pin;
    this.#prepare = options.prepare;
    this.#connection = this.#connect();
    // Whoever asks next hears of it.
    this.#connection.catch(() => {});
  }

  /**
   * Loads the module, finds the token, logs in and lets `prepare` find the keys. Throws KeystoreError saying what to
   * do: TokenUnavailable where the token is not there, PinRefused where it does not take the PIN.
   */
  static async open(options: Pkcs11TokenOptions): Promise<Pkcs11Token> {
    const api = await loadBinding();
    const token = new Pkcs11Token(api, loadModule(api, options.module), options);
    try {
      await token.#connection;
      return token;
    } catch (error) {
      await token[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Runs `work` on a session of its own, which only reads and signs. Where the token fails it the connection is made
   * anew, and `work` runs once more: it must be harmless to repeat. Throws TokenUnavailable where that does not help.
   */
  async use<T>(work: (access: TokenAccess) => Promise<T>): Promise<T> {
    const connecting = this.#connection;
    try {
      return await this.#useOn(connecting, work);
    } catch (error) {
      if (!this.#isWorthAnother(error)) throw error;
    }
    return this.#useOn(this.#reconnect(connecting), work);
  }

  /** Runs `work` once, on a session that may change what the token holds. Throws TokenUnavailable where that fails. */
  change<T>(work: (access: TokenAccess) => T): Promise<T> {
    return this.#useOn(this.#connection, async ({ api, module, session: reading }) => {
      const { slotID } = module.C_GetSessionInfo(reading);
      const session = module.C_OpenSession(slotID, api.CKF_SERIAL_SESSION | api.CKF_RW_SESSION);
      try {
        return work({ api, module, session });
      } finally {
        module.C_CloseSession(session);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#disconnect(this.#connection);
  }

  async #useOn<T>(connection: Promise<SessionPool>, work: (access: TokenAccess) => Promise<T>): Promise<T> {
    const sessions = await connection;
    try {
      return await sessions.use((session) => work({ api: this.#api, module: this.#module, session }));
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #isWorthAnother(error: unknown): boolean {
    if (this.#isClosed || this.#refusal !== null) return false;
    return error instanceof KeystoreError;
  }

  /** Those whom the same connection failed share the new one. */
  #reconnect(failed: Promise<SessionPool>): Promise<SessionPool> {
    if (this.#connection === failed) {
      this.#connection = this.#disconnect(failed).then(() => this.#connect());
      this.#connection.catch(() => {});
    }
    return this.#connection;
  }

  /** The module may be ended only when no thread is inside it any more. */
  async #disconnect(connecting: Promise<SessionPool>): Promise<void> {
    const sessions = await connecting.catch(() => null);
    await sessions?.close();
    this.#finalize();
  }

  async #connect(): Promise<SessionPool> {
    if (this.#isClosed) throw new TokenUnavailable(`the keystore in token "${this.#label}" was closed`);
    if (this.#refusal !== null) throw this.#refusal;
    const [api, module] = [this.#api, this.#module];
    this.#initialize();
    try {
      const slot = this.#findSlot();
      const sessions = Array.from({ length: sessionsCount }, () =>
        module.C_OpenSession(slot, api.CKF_SERIAL_SESSION),
      );
      const [session] = sessions as [Handle];
      this.#logIn(slot, session);
      this.#prepare({ api, module, session });
      return new SessionPool(sessions);
    } catch (error) {
      this.#finalize();
      throw this.#explained(error);
    }
  }

  #initialize(): void {
    const api = this.#api;
    try {
      // Signatures are made on several threads: without this flag the module may take itself for alone.
      this.#module.C_Initialize({ flags: api.CKF_OS_LOCKING_OK });
      this.#isInitialized = true;
    } catch (error) {
      if (codeOf(error) === api.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        throw new KeystoreError(
          `${this.#path} is in use by this process already: close the other keystore first`,
          {
            cause: error,
          },
        );
      }
      throw this.#explained(error);
    }
  }

  #finalize(): void {
    if (!this.#isInitialized) return;
    this.#isInitialized = false;
    try {
      this.#module.C_Finalize();
    } catch (error) {
      // The device is gone, and what was open with it.
      if (!isFromModule(error)) throw error;
    }
  }

  #findSlot(): Handle {
    const found = this.#module.C_GetSlotList(true).map((slot) => ({ slot, label: this.#labelOf(slot) }));
    const [match, ...others] = found.filter(({ label }) => label === this.#label);
    if (others.length > 0) {
      throw new KeystoreError(
        `${this.#path} shows ${others.length + 1} tokens labeled "${this.#label}": give each its own label`,
      );
    }
    if (match !== undefined) return match.slot;
    const labels = found.flatMap(({ label }) => (label ? [`"${label}"`] : []));
    const there = labels.length === 0 ? 'it shows no token' : `it shows ${labels.join(', ')}`;
    throw new TokenUnavailable(
      `${this.#path} shows no token labeled "${this.#label}" (${there}): connect it, and see that its software runs`,
    );
  }

  /** Null for a slot whose token cannot be read. */
  #labelOf(slot: Handle): string | null {
    try {
      return this.#module.C_GetTokenInfo(slot).label.trimEnd();
    } catch (error) {
      if (isFromModule(error)) return null;
      throw error;
    }
  }

  #logIn(slot: Handle, session: Handle): void {
    const api = this.#api;
    const { flags } = this.#module.C_GetTokenInfo(slot);
    if ((flags & api.CKF_USER_PIN_FINAL_TRY) !== 0) {
      throw this.#refused(
        'has one try left before it locks, which is not spent here: log in with its own tool first',
      );
    }
    try {
      this.#module.C_Login(session, api.CKU_USER, this.#pin);
    } catch (error) {
      const code = codeOf(error);
      if (code === api.CKR_PIN_LOCKED) {
        throw this.#refused(
          'has locked its PIN: set a new one with its own tool and the security officer’s PIN',
          error,
        );
      }
      if (code === api.CKR_PIN_INCORRECT || code === api.CKR_PIN_LEN_RANGE || code === api.CKR_PIN_INVALID) {
        const what =
          'does not take the PIN, which is not tried again, because a token locks after a few wrong ones: ';
        throw this.#refused(`${what}correct the PIN file, then start again`, error);
      }
      if (code === api.CKR_USER_PIN_NOT_INITIALIZED) {
        throw this.#refused('has no user PIN yet: set one with its own tool', error);
      }
      throw error;
    }
  }

  #refused(what: string, cause?: unknown): PinRefused {
    this.#refusal = new PinRefused(`token "${this.#label}" ${what}`, { cause });
    return this.#refusal;
  }

  /** What the module says, as a sentence for the operator. */
  #explained(error: unknown): unknown {
    if (!isFromModule(error)) return error;
    return new TokenUnavailable(
      `token "${this.#label}" does not answer (${error.message}): connect it, and see that its software runs`,
      { cause: error },
    );
  }
}

/** The binding wraps most of what a module returns, and leaves some of it bare: the name of the value is in all. */
function isFromModule(error: unknown): error is Error {
  return error instanceof Error && /\bCKR_[A-Z0-9_]+/.test(error.message);
}

/** The module's return value, where an error has one. */
function codeOf(error: unknown): number | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
}

async function loadBinding(): Promise<Pkcs11> {
  try {
    const binding = await import('pkcs11js');
    return (binding as Pkcs11 & { default: Pkcs11 }).default;
  } catch (error) {
    throw new KeystoreError(
      'the package pkcs11js is not here, because it could not be built: install a C++ compiler, make and Python, and ' +
        'run npm install again',
      { cause: error },
    );
  }
}

function loadModule(api: Pkcs11, path: string): PKCS11 {
  const module = new api.PKCS11();
  try {
    module.load(path);
    return module;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new KeystoreError(
      `the PKCS#11 module ${path} cannot be loaded (${why}): install the token's software, or correct the path`,
      { cause: error },
    );
  }
}
