/** What passes between the HTTP side and the thread of the access log. */
import type { AccessQuery, FoundPage, LeavesProof } from '@tallystick/access';
import type { ServerConfig } from '../config.ts';

/** What the thread needs of the server's configuration. */
export type AccessThreadConfig = Pick<
  ServerConfig,
  'signerSocket' | 'trustRoot' | 'cosigners' | 'cosignerTimeoutMs' | 'cosignerTls'
> & { accessLog: NonNullable<ServerConfig['accessLog']> };

export interface AccessCalls {
  /** `first` counts from the start of the process. */
  append: {
    input: {
      first: number;
      lines: readonly string[];
      closes: boolean;
      inputs: ReadonlyMap<string, string>;
    };
    output: null;
  };
  find: { input: { query: AccessQuery; start: number; limit: number }; output: FoundPage };
  identity: { input: null; output: Uint8Array };
  /** Segments from before the instant go, for good. */
  drop: { input: { before: string }; output: null };
  prove: { input: { indexes: number[] }; output: LeavesProof | null };
}

export type ToAccess =
  | { [M in keyof AccessCalls]: { id: number; method: M; input: AccessCalls[M]['input'] } }[keyof AccessCalls]
  | { stop: true };

/** What has been published, and what stands in the way of more. */
export interface AccessPublication {
  /** Leaves that there are, and how many of them the newest cosigned checkpoint is over. */
  size: number;
  published: number;
  /** Why publishing fails; null where it works. */
  trouble: string | null;
  /** Why nothing more is written: signer or witnesses know another log, or more of it. null where they do not. */
  contradiction: string | null;
}

export type FromAccess =
  | { ready: true }
  | { id: number; output: unknown }
  | { id: number; failed: string }
  | { publication: AccessPublication };
