/**
 * What crosses between the HTTP thread and the ledger's. Structured values travel as JSON text: copying
 * one string is cheaper than cloning a tree of objects, and the answer goes out as it came.
 */
import type { LedgerProblem } from '@tallystick/ledger';
import type { TallyDocument } from '@tallystick/license';
import type { ServerConfig } from '../config.ts';
import type { CosignerStatus } from '../quorum/cosigner-client.ts';
import type { Verdict } from './gate/gatekeeper.ts';
import type { LedgerService } from './service.ts';

export type ServiceMethod = keyof LedgerService;

export interface Call {
  id: number;
  method: ServiceMethod;
  /** JSON */
  input: string;
  /** Who asks for what, as JSON; null where nobody has to be known. */
  asked: string | null;
}

export interface ProblemMessage {
  code: string;
  detail?: string | undefined;
  path?: string | undefined;
  details?: Record<string, string | number> | undefined;
}

/** `body` is JSON text, or plain text for methods that answer text; `status` is HTTP's. */
export type Reply = { id: number; verdict: Verdict | null } & (
  | { status: number; body: string }
  | { problem: ProblemMessage }
);

/** How the ledger stands; sent whenever it changes. */
export interface LedgerStatus {
  origin: string;
  /** False where another server writes the log, or may. */
  writes: boolean;
  /** Address of the server that writes, where this one follows it; null where this one writes the log, or did. */
  follows: string | null;
  size: number;
  published: { size: number; root: string; asOf: string; at: string } | null;
  pending: { count: number; oldestAt: string | null; publishBy: string | null; trouble: string | null };
  quorum: (CosignerStatus & { group: string })[];
  signer: { connected: boolean; mark: { size: number; root: string } | null };
  namespace: { ns: string; mode: string; epoch: number; lock: string; minEpoch: number };
  approvals: { people: number; bind: boolean };
  /** Why nothing may change; null where it may. */
  mutations: { problem: LedgerProblem; message: string } | null;
}

/** An event in the shape of the contract, as text. */
export interface EventMessage {
  type: string;
  data: string;
}

/** From the HTTP thread. */
export type ToLedger = { calls: Call[] } | { stop: true } | { listening: boolean };

/** From the ledger's thread. */
export type FromLedger =
  | { ready: LedgerStatus }
  | { failed: string }
  | { progress: { step: string; done: number } }
  | { replies: Reply[] }
  | { status: LedgerStatus }
  /** Who may use the system: what is new of it, in the order of the log. */
  | { access: TallyDocument[] }
  | { events: EventMessage[] }
  | { stopped: true };

export interface WorkerData {
  config: ServerConfig;
  /** Judges nobody, for measuring. */
  isGateOpen: boolean;
}
