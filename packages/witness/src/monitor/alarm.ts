/** What a monitor raises, and what to do about it. */

/**
 * - `fork`, `rolled-back`, `promise`, `rule`: contradictions. With evidence they are proven, and stay.
 * - `unproven-head`: a cosigner vouches for a checkpoint that nothing the log serves leads to
 * - `behind`: the log shows less than what it had cosigned
 * - `stale`: no quorum has seen the log lately
 * - `bad-head`: what a source answers is not signed by whom it should be
 * - `unreachable`: a source does not answer
 * - `unavailable`: the log does not serve what it commits to
 * - `promise-file`: a promise that is none
 */
export type AlarmKind =
  | 'fork'
  | 'rolled-back'
  | 'promise'
  | 'rule'
  | 'unproven-head'
  | 'behind'
  | 'stale'
  | 'bad-head'
  | 'unreachable'
  | 'unavailable'
  | 'promise-file';

export interface Alarm {
  origin: string;
  kind: AlarmKind;
  /** What it is about: a source, a size, an index or a file. One alarm for each kind and subject. */
  subject: string;
  message: string;
  todo: string;
  /** Path of the file that proves it; null where nothing does. */
  evidence: string | null;
}

const send =
  'Send the evidence file to everybody who relies on this log: tally evidence verify shows them. Trust nothing of it that is newer.';

/** What to do about each kind: a sentence or two. */
export const remedies: Record<AlarmKind, string> = {
  fork: send,
  'rolled-back': send,
  promise: send,
  rule: send,
  'unproven-head':
    'Ask the operators of log and cosigner which history that is. It is proven by itself once the log grows past it.',
  behind:
    'Ask the operator of the log whether a backup was restored. Nothing newer reaches clients until it catches up.',
  stale:
    'See whether the log or its cosigners are down. Licenses in the field run on their own grace meanwhile.',
  'bad-head':
    'See whether the address and the trust root are the right ones. If so, ask who runs that source.',
  unreachable: 'See whether the address is right and the network is up.',
  unavailable:
    'See whether the token is right and the log is up. A log that keeps hiding what it commits to is at fault.',
  'promise-file': 'Save promises as they were answered, in JSON.',
};

export function keyOf({ origin, kind, subject }: Pick<Alarm, 'origin' | 'kind' | 'subject'>): string {
  return JSON.stringify([origin, kind, subject]);
}
