/** Writing trust roots: the payload that the holders of root keys sign. */
import { base64 } from '../encoding/base64.ts';
import { utf8 } from '../encoding/bytes.ts';
import { formatVerifierKey, type VerifierKey } from '../log/note.ts';
import { type PublicKey, publicKeyJson } from './key.ts';
import type { AlgorithmRequirement, KeyThreshold } from './trust-root.ts';

export interface TrustRootContent {
  version: number;
  /** H(payload of version 1) and H(payload before); both null in version 1. */
  genesis: Uint8Array | null;
  prev: Uint8Array | null;
  expires: string;
  root: KeyThreshold;
  log: { origin: string; vkeys: readonly VerifierKey[] };
  quorum: QuorumContent;
  freshness: { offlineMax: string };
  namespaces: ReadonlyMap<string, NamespaceTrustContent>;
}

export interface NamespaceTrustContent {
  authority: KeyThreshold;
  require: ReadonlyMap<string, readonly AlgorithmRequirement[]>;
}

/** Cosigners and how many of each kind it takes. */
export interface QuorumContent {
  witnesses: CosignerGroup;
  replayers: CosignerGroup;
}

export interface CosignerGroup {
  threshold: number;
  members: readonly CosignerMember[];
}

/** One operator with all keys that it signs with. The group is met by those whose every key signed. */
export interface CosignerMember {
  name: string;
  vkeys: readonly VerifierKey[];
  url: string | null;
}

/** The payload bytes, in the one encoding that `parseTrustRoot` takes. */
export function encodeTrustRootPayload(content: TrustRootContent): Uint8Array {
  const { version, genesis, prev, expires, root, log, quorum, freshness, namespaces } = content;
  return utf8(
    JSON.stringify({
      v: 1,
      version,
      genesis: genesis && base64(genesis),
      prev: prev && base64(prev),
      expires,
      root: thresholdJson(root),
      log: { origin: log.origin, vkeys: log.vkeys.map(formatVerifierKey) },
      quorum: formatQuorum(quorum),
      freshness: { offlineMax: freshness.offlineMax },
      namespaces: Object.fromEntries([...namespaces].map(([ns, trust]) => [ns, namespaceJson(trust)])),
    }),
  );
}

/**
 * The quorum as tlog-policy text, in the shape that verifiers ask for. A cosigner of several keys is a group of its
 * own, which takes all of them: `<name>/<algorithm>` are the names of its keys.
 */
export function formatQuorum({ witnesses, replayers }: QuorumContent): string {
  return [
    ...[...witnesses.members, ...replayers.members].flatMap(memberLines),
    groupLine('witnesses', witnesses),
    groupLine('replayers', replayers),
    'group quorum all witnesses replayers',
    'quorum quorum',
    '',
  ].join('\n');
}

function memberLines({ name, vkeys, url }: CosignerMember): string[] {
  const line = (own: string, vkey: VerifierKey): string =>
    ['witness', own, formatVerifierKey(vkey), ...(url === null ? [] : [url])].join(' ');
  const [first, ...others] = vkeys;
  if (first !== undefined && others.length === 0) return [line(name, first)];
  const names = vkeys.map(({ alg }) => `${name}/${alg}`);
  return [
    ...vkeys.map((vkey, at) => line(names[at] as string, vkey)),
    `group ${name} all ${names.join(' ')}`,
  ];
}

function groupLine(name: string, group: CosignerGroup): string {
  return `group ${name} ${group.threshold} ${group.members.map((member) => member.name).join(' ')}`;
}

function thresholdJson(rule: KeyThreshold): { threshold: number; keys: { alg: string; key: string }[] } {
  return { threshold: rule.threshold, keys: rule.keys.map((key: PublicKey) => publicKeyJson(key)) };
}

function namespaceJson(trust: NamespaceTrustContent): object {
  const require: Record<string, AlgorithmRequirement[]> = {};
  for (const [usage, rules] of trust.require)
    require[usage] = rules.map(({ from, algs, perpetual }) => ({
      from,
      algs,
      ...(perpetual && { perpetual }),
    }));
  return { authority: thresholdJson(trust.authority), require };
}
