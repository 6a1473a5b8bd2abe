/** What a command may use of the world around it: passed in, so that a test can stand in for a terminal. */

/** Where text goes. */
export interface Sink {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Width of the terminal in columns; null where there is none. */
  readonly columns: number | null;
}

export interface Context {
  /** Answers: what a script reads. */
  readonly stdout: Sink;
  /** Progress, retries and errors: what a person reads. */
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by SIGINT. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  now: () => number;
  /** A random UUID. */
  newKey: () => string;
  readStdin: () => Promise<Uint8Array>;
  /** What a person at the terminal types after `question`, unseen where it is hidden; null where there is no terminal. */
  ask: (question: string, options: { hidden: boolean }) => Promise<string | null>;
  /** Opens an address in the person's browser; false where that is not possible. */
  openBrowser: (url: string) => Promise<boolean>;
  /** Resolves after so many milliseconds, earlier when the signal is aborted. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** For commands that end well with bad news, such as `verify` of a revoked license. */
  setExitCode: (code: number) => void;
}
