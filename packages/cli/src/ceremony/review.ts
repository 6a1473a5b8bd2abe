/** What a proposal changes, as data: everything that people have to know before they sign. */
import {
  type CosignerGroup,
  equalBytes,
  formatVerifierKey,
  hex,
  type KeyAlgorithm,
  type KeyThreshold,
  keyFingerprint,
  keyFingerprintText,
  keyIdOf,
  type PublicKey,
  parseInstant,
  type TrustRoot,
} from '@tallystick/core';
import { type PolicyWarning, policyReport } from '../offline/policy-report.ts';
import type { ThresholdProgress } from './collect.ts';
import type { Holders } from './key-line.ts';
import { type Proposal, payloadHash } from './proposal.ts';
import { quorumOf } from './quorum.ts';
import { reviewWarnings, type Warning } from './review-warnings.ts';

export interface ReviewedKey {
  id: string;
  /** SHA-256 over algorithm and key, 64 hexadecimal digits. */
  fingerprint: string;
  alg: KeyAlgorithm;
  /** Whom the reader's own list names; null where there is none, or the key is not in it. */
  holder: string | null;
}

/** People who together may do something, before and after. */
export interface ReviewedKeys {
  threshold: { before: number; after: number };
  count: { before: number; after: number };
  added: ReviewedKey[];
  removed: ReviewedKey[];
  kept: ReviewedKey[];
  /** Most keys of one kind, classical or post-quantum: whoever takes part has one of each. */
  holders: number;
  /** True where the keys of neither kind reach the threshold alone; null where there is one kind. */
  needsBothKinds: boolean | null;
  /** So many keys may be lost, and the rest can still sign: n − t. */
  canBeLost: number;
  /** So many people with a key of each kind have to act together, for good or bad. */
  mustCollude: number;
}

/** k of n cosigners of one kind. */
export interface ReviewedCosigners {
  threshold: { before: number; after: number };
  count: { before: number; after: number };
  added: ReviewedCosigner[];
  removed: ReviewedCosigner[];
  kept: ReviewedCosigner[];
  /** 2k − n − 1: so many may collude, and no two histories come about. Negative where two can without anybody. */
  colluding: number;
  /** n − k: so many may be absent. */
  absent: number;
}

interface ReviewedCosigner {
  name: string;
  vkeys: string[];
  url: string | null;
}

export interface ReviewedProgress {
  version: number;
  threshold: number;
  met: boolean;
  signed: ReviewedKey[];
  missing: ReviewedKey[];
}

export interface Review {
  rehearsal: boolean;
  version: number;
  origin: string;
  /** 64 hexadecimal digits each. */
  payloadHash: string;
  previousHash: string;
  genesis: string;
  root: ReviewedKeys;
  authorities: (ReviewedKeys & { ns: string })[];
  expires: { before: string; after: string; daysLeft: number };
  log: { added: string[]; removed: string[]; kept: string[] };
  witnesses: ReviewedCosigners;
  replayers: ReviewedCosigners;
  offlineMax: { before: string; after: string };
  /** Namespaces and requirements that come new; none can go or change. */
  newNamespaces: string[];
  newRequirements: string[];
  signatures: ReviewedProgress[];
  warnings: (Warning | PolicyWarning)[];
}

export interface ReviewContext {
  proposal: Proposal;
  holders: Holders;
  progress: readonly ThresholdProgress[];
  /** Milliseconds. */
  now: number;
}

const dayMs = 86_400_000;

export function reviewOf(current: TrustRoot, next: TrustRoot, context: ReviewContext): Review {
  const { proposal, holders, progress, now } = context;
  const key = (each: PublicKey): ReviewedKey => reviewedKey(each, holders);
  const [before, after] = [quorumOf(current), quorumOf(next)];
  const review = {
    rehearsal: proposal.rehearsal,
    version: next.version,
    origin: next.log.origin,
    payloadHash: payloadHash(proposal),
    previousHash: hex(current.hash),
    genesis: hex(next.genesis),
    root: reviewKeys(current.root, next.root, holders),
    authorities: reviewAuthorities(current, next, holders),
    expires: {
      before: current.expires,
      after: next.expires,
      daysLeft: Math.floor((parseInstant(next.expires) - now) / dayMs),
    },
    log: difference(current.log.vkeys.map(formatVerifierKey), next.log.vkeys.map(formatVerifierKey)),
    witnesses: reviewCosigners(before.witnesses, after.witnesses),
    replayers: reviewCosigners(before.replayers, after.replayers),
    offlineMax: { before: current.freshness.offlineMax, after: next.freshness.offlineMax },
    newNamespaces: [...next.namespaces.keys()].filter((ns) => !current.namespaces.has(ns)),
    newRequirements: newRequirements(current, next),
    signatures: progress.map(({ version, threshold, met, signed, missing }) => ({
      version,
      threshold,
      met,
      signed: signed.map(key),
      missing: missing.map(key),
    })),
  };
  const { warnings } = policyReport(next.quorum);
  return { ...review, warnings: [...reviewWarnings(review), ...warnings.filter(isAboutOperators)] };
}

/** The counts above are of cosigners; these say where several of them are one operator's. */
function isAboutOperators({ code }: PolicyWarning): boolean {
  return code === 'operator_alone' || code === 'counts_twice';
}

export function reviewedKey(key: PublicKey, holders: Holders): ReviewedKey {
  const holder = holders.get(keyFingerprintText(key)) ?? null;
  return { id: keyIdOf(key), fingerprint: hex(keyFingerprint(key)), alg: key.alg, holder };
}

function reviewKeys(before: KeyThreshold, after: KeyThreshold, holders: Holders): ReviewedKeys {
  const has = (keys: readonly PublicKey[], key: PublicKey): boolean =>
    keys.some((each) => each.alg === key.alg && equalBytes(each.key, key.key));
  const reviewed = (keys: PublicKey[]): ReviewedKey[] => keys.map((key) => reviewedKey(key, holders));
  return {
    threshold: { before: before.threshold, after: after.threshold },
    count: { before: before.keys.length, after: after.keys.length },
    added: reviewed(after.keys.filter((key) => !has(before.keys, key))),
    removed: reviewed(before.keys.filter((key) => !has(after.keys, key))),
    kept: reviewed(after.keys.filter((key) => has(before.keys, key))),
    canBeLost: after.keys.length - after.threshold,
    ...reviewKinds(after),
  };
}

/** Classical and post-quantum keys: whoever takes part has one of each kind, as far as there are so many. */
function reviewKinds({
  keys,
  threshold,
}: KeyThreshold): Pick<ReviewedKeys, 'holders' | 'needsBothKinds' | 'mustCollude'> {
  const postQuantum = keys.filter(({ alg }) => alg === 'ml-dsa-44').length;
  const classical = keys.length - postQuantum;
  const holders = Math.max(postQuantum, classical);
  const pairs = Math.min(postQuantum, classical);
  return {
    holders,
    needsBothKinds: pairs === 0 ? null : threshold > holders,
    mustCollude: threshold <= 2 * pairs ? Math.ceil(threshold / 2) : threshold - pairs,
  };
}

function reviewAuthorities(current: TrustRoot, next: TrustRoot, holders: Holders): Review['authorities'] {
  const none: KeyThreshold = { threshold: 0, keys: [] };
  return [...next.namespaces].map(([ns, { authority }]) => ({
    ns,
    ...reviewKeys(current.namespaces.get(ns)?.authority ?? none, authority, holders),
  }));
}

function reviewCosigners(before: CosignerGroup, after: CosignerGroup): ReviewedCosigners {
  const [old, present] = [reviewedCosigners(before), reviewedCosigners(after)];
  const isIn = (list: readonly ReviewedCosigner[], each: ReviewedCosigner): boolean =>
    list.some(
      ({ name, vkeys, url }) => name === each.name && vkeys.join() === each.vkeys.join() && url === each.url,
    );
  const [k, n] = [after.threshold, present.length];
  return {
    threshold: { before: before.threshold, after: k },
    count: { before: old.length, after: n },
    added: present.filter((each) => !isIn(old, each)),
    removed: old.filter((each) => !isIn(present, each)),
    kept: present.filter((each) => isIn(old, each)),
    colluding: 2 * k - n - 1,
    absent: n - k,
  };
}

function reviewedCosigners({ members }: CosignerGroup): ReviewedCosigner[] {
  return members.map(({ name, vkeys, url }) => ({ name, vkeys: vkeys.map(formatVerifierKey), url }));
}

/** Rules that were there cannot change: whatever stands behind them is new. */
function newRequirements(current: TrustRoot, next: TrustRoot): string[] {
  return [...next.namespaces].flatMap(([ns, { require }]) =>
    [...require].flatMap(([usage, rules]) => {
      const known = current.namespaces.get(ns)?.require.get(usage)?.length ?? 0;
      return rules.slice(known).map(({ from, algs, perpetual }) => {
        const more = perpetual === undefined ? '' : `, and perpetual ones ${perpetual.join(' and ')}`;
        return `${ns}: ${usage} records from entry ${from} on need ${algs.join(' and ')}${more}`;
      });
    }),
  );
}

function difference(before: readonly string[], after: readonly string[]): Review['log'] {
  return {
    added: after.filter((each) => !before.includes(each)),
    removed: before.filter((each) => !after.includes(each)),
    kept: after.filter((each) => before.includes(each)),
  };
}
