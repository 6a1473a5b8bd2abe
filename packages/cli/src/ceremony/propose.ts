/** The payload of the next version: the current one with the changes made to it, and nothing else. */
import {
  encodeTrustRootPayload,
  formatVerifierKey,
  type KeyThreshold,
  keyIdOf,
  type QuorumContent,
  type TrustRoot,
  type TrustRootContent,
  type VerifierKey,
} from '@tallystick/core';
import type { CosignerChanges, KeyChanges, TrustRootChanges } from './changes.ts';
import type { HolderKey, KeyRole } from './key-line.ts';
import { quorumOf } from './quorum.ts';
import { refusal } from './refusal.ts';

const correct = 'Correct the file of changes.';

/**
 * Throws a refusal for changes that do not fit the current version. What a changed trust root may be is for
 * `checkProposal` to say.
 */
export function nextPayload(current: TrustRoot, changes: TrustRootChanges, rehearsal: boolean): Uint8Array {
  if (changes.version !== current.version + 1) {
    throw refusal(
      `The changes make version ${changes.version}, and the current version is ${current.version}: the next is ${current.version + 1}.`,
      'Propose from the newest trust root, and say version and changes anew.',
    );
  }
  const before = contentOf(current);
  const content: TrustRootContent = {
    ...before,
    version: changes.version,
    genesis: current.genesis,
    prev: current.hash,
    expires: changes.expires ?? current.expires,
    root: changeKeys(before.root, changes.root, 'root', rehearsal),
    log: { origin: before.log.origin, vkeys: changeLog(before.log.vkeys, changes.log) },
    quorum: {
      witnesses: changeCosigners(before.quorum.witnesses, changes.witnesses, 'witnesses'),
      replayers: changeCosigners(before.quorum.replayers, changes.replayers, 'replayers'),
    },
    namespaces: changeNamespaces(before.namespaces, changes, rehearsal),
  };
  const sameAsBefore = encodeTrustRootPayload({
    ...before,
    version: content.version,
    genesis: content.genesis,
    prev: content.prev,
  });
  const payload = encodeTrustRootPayload(content);
  if (Buffer.compare(payload, sameAsBefore) !== 0) return payload;
  throw refusal(
    'The changes change nothing.',
    'Say at least a new expiry; see the page on the key ceremony.',
  );
}

/** What the writer of trust roots takes, from one that was read. */
function contentOf(trust: TrustRoot): TrustRootContent {
  const { version, genesis, prev, expires, root, log, freshness, namespaces } = trust;
  return { version, genesis, prev, expires, root, log, freshness, namespaces, quorum: quorumOf(trust) };
}

function changeKeys(
  before: KeyThreshold,
  changes: KeyChanges,
  role: KeyRole,
  rehearsal: boolean,
): KeyThreshold {
  const kept = before.keys.filter((key) => !changes.remove.includes(keyIdOf(key)));
  const ids = before.keys.map(keyIdOf);
  const missing = changes.remove.find((id) => !ids.includes(id));
  if (missing !== undefined)
    throw refusal(`There is no ${role} key ${missing} that could be removed.`, correct);
  for (const added of changes.add) checkRole(added, role, rehearsal);
  const keys = [...kept, ...changes.add.map(({ key }) => key)];
  return { threshold: changes.threshold ?? before.threshold, keys };
}

/** A key is listed for what its holder made it for. A rehearsal takes any. */
function checkRole({ holder, role }: HolderKey, wanted: KeyRole, rehearsal: boolean): void {
  if (role === wanted || rehearsal) return;
  const what =
    role === 'rehearsal'
      ? `The key of ${holder} is for rehearsals, and can stand in no real trust root.`
      : `The key of ${holder} was made as a ${role} key, and not as a ${wanted} key.`;
  throw refusal(what, 'Ask its holder for another one, made with tally root key.');
}

function changeLog(before: readonly VerifierKey[], changes: TrustRootChanges['log']): VerifierKey[] {
  const texts = before.map(formatVerifierKey);
  const missing = changes.remove.find((text) => !texts.includes(text));
  if (missing !== undefined) throw refusal(`There is no log key ${missing} that could be removed.`, correct);
  return [...before.filter((_, at) => !changes.remove.includes(texts[at] ?? '')), ...changes.add];
}

function changeCosigners(
  before: QuorumContent['witnesses'],
  changes: CosignerChanges,
  what: string,
): QuorumContent['witnesses'] {
  const missing = changes.remove.find((name) => before.members.every((member) => member.name !== name));
  if (missing !== undefined)
    throw refusal(`${missing} is not among the ${what}, and cannot be removed.`, correct);
  const kept = before.members.filter(({ name }) => !changes.remove.includes(name));
  const added = changes.add.map(({ name, vkeys, url }) => ({ name, vkeys, url }));
  return { threshold: changes.threshold ?? before.threshold, members: [...kept, ...added] };
}

function changeNamespaces(
  before: TrustRootContent['namespaces'],
  { authority: authorities, require: required }: Pick<TrustRootChanges, 'authority' | 'require'>,
  rehearsal: boolean,
): TrustRootContent['namespaces'] {
  const unknown = [...authorities.keys(), ...required.keys()].find((ns) => !before.has(ns));
  if (unknown !== undefined) throw refusal(`There is no namespace ${unknown}.`, correct);
  const none: KeyChanges = { threshold: null, add: [], remove: [] };
  return new Map(
    [...before].map(([ns, { authority, require }]) => {
      const changed = changeKeys(authority, authorities.get(ns) ?? none, 'authority', rehearsal);
      const rules = new Map(require);
      for (const [usage, added] of required.get(ns) ?? [])
        rules.set(usage, [...(rules.get(usage) ?? []), ...added]);
      return [ns, { authority: changed, require: rules }];
    }),
  );
}
