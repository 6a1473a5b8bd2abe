import { randomUUID } from 'node:crypto';

/** Who is being loaded: Tallystick itself, or the hand-written server it is compared with. */
export type TargetName = 'ours' | 'baseline';

/** One request, without the headers that the client adds itself (Host, Content-Length). */
export interface LoadRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Makes a new request each time it is called. */
export type RequestGenerator = () => LoadRequest;

export interface TargetOptions {
  readonly token: string;
  readonly plan: string;
  /** Customer ids that the server knows; at least one. */
  readonly customers: readonly string[];
}

/**
 * Visits the customers in a scattered, repeatable order, so that every round asks for the same ones and
 * neighboring requests do not hit neighboring index pages.
 */
function scattered(customers: readonly string[]): () => string {
  if (customers.length === 0) throw new Error('at least one customer is needed');
  const step = 7_368_787;
  let position = 0;
  return () => {
    position = (position + step) % customers.length;
    return customers[position] as string;
  };
}

function issueLicense(options: TargetOptions, body: (customer: string) => object): RequestGenerator {
  const nextCustomer = scattered(options.customers);
  const authorization = `Bearer ${options.token}`;
  return () => ({
    method: 'POST',
    path: '/v1/licenses',
    headers: {
      Authorization: authorization,
      'Content-Type': 'application/json',
      'Idempotency-Key': randomUUID(),
    },
    body: JSON.stringify(body(nextCustomer())),
  });
}

/** The one place that knows what each server wants to be asked. */
export const TARGETS: Readonly<Record<TargetName, (options: TargetOptions) => RequestGenerator>> = {
  ours: (options) => issueLicense(options, (customer) => ({ plan: options.plan, customer })),
  baseline: (options) => issueLicense(options, (customer) => ({ plan: options.plan, customer })),
};

export function isTargetName(text: string): text is TargetName {
  return Object.hasOwn(TARGETS, text);
}
