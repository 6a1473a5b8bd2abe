/** The verdict on one request. */

/** What a caller can add to a request that was denied. */
export type Lack = 'step_up' | 'reason' | 'signature';

export interface Decision {
  allowed: boolean;
  /** Ids of the policies that determined it, sorted. */
  reasons: string[];
  /** Errors of evaluation or validation: with one, the verdict is always a denial, and always an alarm. */
  errors: string[];
  /** base64 hash of the policy set */
  policy: string;
  /** base64 hash of the schema */
  schema: string;
  /** base64 hash of the canonical input */
  entities: string;
  /**
   * On a denial: what would turn it into an allowance, found by asking again with it. Where it takes more than
   * one, the one to begin with; null where nothing that a caller can add would help.
   */
  lacks: Lack | null;
}
