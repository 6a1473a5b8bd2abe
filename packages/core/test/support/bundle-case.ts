/** What a case of bundle verification consists of, and the helpers that the cases share. */
import { type Bundle, encodeBundle, type IntegrityCode, type Remembered } from '../../src/index.ts';
import { b64, type NoteSigner, type Signer } from './signers.ts';
import { type Anchor, licenseId, otherLicenseId, startSeconds, World } from './world.ts';

/** What an accepted bundle must prove. */
export interface ValidBundle {
  licenseId: string;
  /** base64, null where the license was never issued. */
  document: string | null;
  recordType: string | null;
  keyOfflineMaxMs: number | null;
  size: number;
  root: string;
  asOf: number;
  trustVersion: number;
  /** Left out where what is to be remembered is not the point. */
  remembered?: Remembered;
}

/** One language-neutral vector. */
export interface BundleCase {
  name: string;
  /** The exact text of the file. */
  bundle: string;
  /** Trust root envelopes, version 1 first, base64. */
  pin: string[];
  namespace: string;
  remembered: Remembered | null;
  expect: { code: IntegrityCode } | { valid: ValidBundle };
}

export interface CaseOptions {
  id?: string;
  pin?: Uint8Array[];
  namespace?: string;
  remembered?: Remembered | null;
}

/** A case that must fail with `code`. */
export function refused(
  name: string,
  code: IntegrityCode,
  world: World,
  bundle: Bundle | string,
  options: CaseOptions = {},
): BundleCase {
  return {
    name,
    bundle: typeof bundle === 'string' ? bundle : encodeBundle(bundle),
    pin: (options.pin ?? world.trustEnvelopes.slice(0, 1)).map(b64),
    namespace: options.namespace ?? 'acme',
    remembered: options.remembered ?? null,
    expect: { code },
  };
}

/** A case that must be accepted; `changes` replace what the honest world says. */
export function accepted(
  name: string,
  world: World,
  anchor: Anchor,
  bundle: Bundle,
  changes: Partial<ValidBundle> = {},
  options: CaseOptions = {},
): BundleCase {
  const id = options.id ?? licenseId;
  const head = world.history(id).findLast((each) => each.index < anchor.size);
  const valid: ValidBundle = {
    licenseId: id,
    document: head === undefined ? null : b64(head.document),
    recordType: head === undefined ? null : `license.${head.rev === 0 ? 'issued' : 'amended'}`,
    keyOfflineMaxMs: null,
    size: anchor.size,
    root: b64(world.tree.root(anchor.size)),
    asOf: anchor.seconds,
    trustVersion: 1,
    remembered: { ...memory(world, anchor, [id]), trustVersion: changes.trustVersion ?? 1 },
    ...changes,
  };
  return { ...refused(name, 'MALFORMED', world, bundle, options), expect: { valid } };
}

/** What a client remembers that has seen these licenses under an anchor, and nothing before. */
export function memory(world: World, anchor: Anchor, ids: readonly string[] = [licenseId]): Remembered {
  const newest = (id: string) => world.history(id).findLast((each) => each.index < anchor.size);
  const heads: Record<string, number> = {};
  for (const id of ids) {
    const index = newest(id)?.index;
    if (index !== undefined) heads[b64(world.subjectKey(id))] = index;
  }
  const remembered = (id: string): Remembered['namespace'] => ({
    index: newest(id)?.index ?? -1,
    document: Buffer.from(newest(id)?.document ?? []).toString(),
  });
  return {
    v: 1,
    genesis: b64(world.genesis),
    ns: 'acme',
    size: anchor.size,
    root: b64(world.tree.root(anchor.size)),
    asOf: anchor.seconds,
    trustVersion: 1,
    floor: anchor.seconds,
    heads,
    namespace: remembered('namespace'),
    brake: remembered('brake'),
  };
}

/** A world with two licenses under an anchor, then a change of the first under another one. */
export function story(world: World = new World()): { world: World; first: Anchor; second: Anchor } {
  world.record({ id: licenseId });
  world.record({ id: otherLicenseId });
  const first = world.anchor();
  world.record({ id: licenseId, document: { status: { state: 'suspended' } } });
  const second = world.anchor({ seconds: startSeconds + 600 });
  return { world, first, second };
}

/** A bundle with one part changed in place. */
export function edited(bundle: Bundle, edit: (bundle: Bundle) => void): Bundle {
  edit(bundle);
  return bundle;
}

export function stateOf(bundle: Bundle, at = 0): NonNullable<Bundle['subjects'][number]['state']> {
  const state = bundle.subjects[at]?.state;
  if (state === null || state === undefined) throw new Error('the subject has no state');
  return state;
}

export const cosigning = (
  parties: readonly NoteSigner[],
  seconds: number = startSeconds,
): { party: NoteSigner; seconds: number }[] => parties.map((party) => ({ party, seconds }));

export const publicKeys = (signers: readonly Signer[]): Bundle['keys'] =>
  signers.map(({ alg, key }) => ({ alg, key }));
