import { decodeBase64, effectiveUntil, entitledKeys, hex, tightestBrake } from '@tallystick/core';
import type { Change } from '../change.ts';
import { LOCK_LEVELS } from '../check-transition.ts';
import type { BrakeTighten, KeyCut } from '../commands.ts';
import type { BrakeDocument, LockLevel, NamespaceDocument, NamespaceKey } from '../documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { expected, refuseNoChange } from './subjects.ts';

/** The brake: what may be tightened without the authority, by whoever runs the system or watches it. */

const NEEDED_USAGES = ['product', 'plan', 'customer', 'license'] as const;

/** Locks the namespace further, raises its smallest epoch, ends the range of keys, or says that they are destroyed. */
export function tightenBrake(view: View, command: BrakeTighten, env: Environment): Change[] {
  const named = view.subject('namespace', 'namespace');
  const namespace = expected(named, 'namespace', 'namespace', undefined).document;
  const current = expected(view.subject('brake', 'brake'), 'brake', 'brake', command.expectedRev);
  const before = tightestBrake(namespace.epoch, [current.document, env.signedBrake]);
  const until = lowerCuts(before.until, command.until ?? [], namespace, env.index);
  const destroyed = moreDestroyed(before.destroyed ?? [], command.destroyed ?? [], namespace, {
    until,
    now: env.index,
  });
  const tightened = {
    lock: tighterLock(before.lock, command.lock),
    minEpoch: higherEpoch(before.minEpoch, command.minEpoch, namespace),
    until,
    ...(destroyed.length > 0 && { destroyed }),
  };
  const document: BrakeDocument = {
    ...current.document,
    rev: current.rev + 1,
    epoch: namespace.epoch,
    ...tightened,
  };
  if (saysTheSame(current.document, document)) refuseNoChange(document);
  if (command.mayStopIssuing !== true) checkStillIssuing(namespace, current.document, document, env.index);
  const subject = { type: 'brake', id: 'brake' } as const;
  return [{ type: 'brake.updated', subject, rev: document.rev, document, companion: null }];
}

/** What to do instead. */
const loosening = 'Only a namespace revision with a higher epoch loosens.';

function tighterLock(before: LockLevel, wanted: LockLevel | undefined): LockLevel {
  if (wanted === undefined) return before;
  if (LOCK_LEVELS.indexOf(wanted) < LOCK_LEVELS.indexOf(before)) {
    refuse(
      'may_only_tighten',
      `The brake is at ${before}, and it cannot be loosened to ${wanted}. ${loosening}`,
      {
        path: '$.lock',
      },
    );
  }
  return wanted;
}

function higherEpoch(before: number, wanted: number | undefined, { epoch }: NamespaceDocument): number {
  if (wanted === undefined) return before;
  if (wanted < before) {
    refuse('may_only_tighten', `The brake asks for epoch ${before} at least. ${loosening}`, {
      path: '$.minEpoch',
    });
  }
  if (wanted > epoch) {
    refuse(
      'input_invalid',
      `The namespace is at epoch ${epoch}, and no license can be of a later one. Name that one at most.`,
      {
        path: '$.minEpoch',
      },
    );
  }
  return wanted;
}

function lowerCuts(
  before: BrakeDocument['until'],
  cuts: readonly KeyCut[],
  namespace: NamespaceDocument,
  now: number,
): BrakeDocument['until'] {
  const until = new Map(before.map(({ id, index }) => [id, index]));
  for (const [at, cut] of cuts.entries()) {
    const path = `$.until[${at}].key`;
    const { id, usages } = keyNamed(namespace, cut.key, path);
    if (usages.includes('brake')) {
      refuse('input_invalid', 'The brake cannot end its own key. That takes a namespace revision.', { path });
    }
    const known = until.get(id);
    // Asked for without an index, it may have ended before: then it stays so.
    const index = cut.index ?? Math.min(now, known ?? now);
    if (known !== undefined && index > known) {
      refuse('may_only_tighten', `The key ends at index ${known} already. ${loosening}`, {
        path: `$.until[${at}].index`,
      });
    }
    until.set(id, index);
  }
  return [...until].map(([id, index]) => ({ id, index }));
}

/** Nothing could undo it, so it is said only of keys that have ended. */
function moreDestroyed(
  before: BrakeDocument['until'],
  names: readonly string[],
  namespace: NamespaceDocument,
  { until, now }: Pick<BrakeDocument, 'until'> & { now: number },
): BrakeDocument['until'] {
  const destroyed = new Map(before.map(({ id, index }) => [id, index]));
  for (const [at, name] of names.entries()) {
    const path = `$.destroyed[${at}]`;
    const key = keyNamed(namespace, name, path);
    if (destroyed.has(key.id)) continue;
    if (effectiveUntil(namespace, { epoch: namespace.epoch, until }, key) > now) {
      refuse('state_forbids', `The key ${name} has not ended. End its range first.`, { path });
    }
    destroyed.set(key.id, now);
  }
  return [...destroyed].map(([id, index]) => ({ id, index }));
}

function keyNamed(namespace: NamespaceDocument, name: string, path: string): NamespaceKey {
  const found = namespace.keys.find(({ id }) => id === name || shortId(id) === name);
  if (found === undefined) {
    refuse('input_invalid', `The namespace lists no key ${name}. Name one by its id or fingerprint.`, {
      path,
    });
  }
  return found;
}

function shortId(id: string): string {
  return hex(decodeBase64(id).subarray(0, 8));
}

/** Whoever ends a key in the course of a rotation does not mean to stop the business. */
function checkStillIssuing(
  namespace: NamespaceDocument,
  before: BrakeDocument,
  after: BrakeDocument,
  index: number,
): void {
  const next = index + 1;
  // Of each algorithm by itself: none can do another one's work.
  const stopped = NEEDED_USAGES.find((usage) => {
    const left = entitledKeys(namespace, after, usage, next);
    return entitledKeys(namespace, before, usage, index).some(
      (key) => !left.some(({ alg }) => alg === key.alg),
    );
  });
  if (stopped === undefined) return;
  refuse(
    'in_use',
    `No key would be left that signs ${stopped} records. List another one in the namespace first, or say that this is meant.`,
    { path: '$.until' },
  );
}

function saysTheSame(before: BrakeDocument, after: BrakeDocument): boolean {
  const told = ({ epoch, lock, minEpoch, until, destroyed }: BrakeDocument): string =>
    JSON.stringify({ epoch, lock, minEpoch, until, destroyed });
  return told(before) === told(after);
}
