/** What passes between the HTTP side and the thread of a shadow. */
import type { ShadowProgress, ShadowReport } from '@tallystick/contract';
import type { PolicySource } from '@tallystick/gate';
import type { StorePlace } from '../setup/store-place.ts';
import type { ShadowSpan } from './shadow-policy.ts';

export interface ShadowTask extends ShadowSpan {
  place: StorePlace;
  /** null where no access log is kept. */
  accessFile: string | null;
  /** As in `ShadowedLogs`. */
  droppedBefore: string | null;
  candidate: PolicySource;
  /** Now. Instant. */
  at: string;
}

export type FromShadow =
  | { progress: ShadowProgress }
  | { report: ShadowReport }
  /** `isOfCandidate` where the policy is none that can be evaluated. */
  | { failed: string; isOfCandidate: boolean };
