/** A review in plain words, for a terminal and for paper. */
import type { Printer } from '../output/printer.ts';
import { printable, properties } from '../output/table.ts';
import type { Review, ReviewedCosigners, ReviewedKey, ReviewedKeys, ReviewedProgress } from './review.ts';

/** Digits of the payload hash that whoever signs types: enough to make people look at it. */
export const confirmationLength = 8;

export function describeReview(review: Review, print: Printer): string[] {
  const { version, origin, expires, authorities, witnesses, replayers, signatures, warnings } = review;
  return [
    ...rehearsalLines(review.rehearsal, print),
    print.style(
      'bold',
      `Version ${version} of the trust root of ${printable(origin)}, to follow version ${version - 1}`,
    ),
    ...properties([
      ['payload hash', review.payloadHash],
      ['follows', review.previousHash],
      ['genesis', review.genesis],
    ]),
    '',
    ...keyLines('Root keys', review.root),
    ...authorities.flatMap((each) => keyLines(`Authority of ${printable(each.ns)}`, each)),
    `Expires: ${describeExpiry(expires)}`,
    ...logLines(review.log),
    ...cosignerLines('Witnesses', witnesses),
    ...cosignerLines('Replayers', replayers),
    `Offline at most: ${review.offlineMax.after}${was(review.offlineMax)}`,
    ...review.newNamespaces.map((ns) => `New namespace: ${printable(ns)}`),
    ...review.newRequirements.map((rule) => `New requirement: ${printable(rule)}`),
    '',
    ...(warnings.length === 0 ? ['No warnings.'] : []),
    ...warnings.map(({ message }) => `${print.style('yellow', 'Warning:')} ${printable(message)}`),
    '',
    ...progressLines(signatures),
  ];
}

/** A rehearsal says so first, wherever it says anything. */
export function rehearsalLines(rehearsal: boolean, print: Printer): string[] {
  return rehearsal
    ? [print.style('yellow', 'REHEARSAL: nothing of this is a real trust root, nor can become one.')]
    : [];
}

export function progressLines(signatures: readonly ReviewedProgress[]): string[] {
  return signatures.flatMap(({ version, threshold, met, signed, missing }) => [
    `Signatures for version ${version}: ${signed.length} of the ${threshold} that are needed${met ? ', enough' : ''}`,
    ...signed.map((key) => `  signed   ${keyText(key)}`),
    ...missing.map((key) => `  missing  ${keyText(key)}`),
  ]);
}

function keyText({ id, alg, holder }: ReviewedKey): string {
  return `${id}  ${alg}${holder === null ? '' : `  ${holder}`}`;
}

function keyLines(title: string, keys: ReviewedKeys): string[] {
  const { threshold, count, added, removed, kept, canBeLost, mustCollude, needsBothKinds } = keys;
  const rule = {
    before: `${threshold.before} of ${count.before}`,
    after: `${threshold.after} of ${count.after}`,
  };
  const isSame = rule.before === rule.after && added.length + removed.length === 0;
  return [
    `${title}: ${rule.after} must sign${isSame ? ', as before' : was(rule)}`,
    ...added.flatMap((key) => [`  + added    ${keyText(key)}`, `             ${key.fingerprint}`]),
    ...removed.flatMap((key) => [`  - removed  ${keyText(key)}`, `             ${key.fingerprint}`]),
    ...kept.map((key) => `    stays    ${keyText(key)}`),
    `  It can lose ${counted(canBeLost, 'key', 'keys')} and go on; it takes ${counted(mustCollude, 'person', 'people')} to misuse it.`,
    ...(needsBothKinds === true ? ['  No algorithm is enough without the other one.'] : []),
  ];
}

function logLines({ added, removed, kept }: Review['log']): string[] {
  return [
    `Log keys: ${added.length + kept.length}${added.length + removed.length === 0 ? ', as before' : ''}`,
    ...added.map((vkey) => `  + added    ${printable(vkey)}`),
    ...removed.map((vkey) => `  - removed  ${printable(vkey)}`),
  ];
}

function cosignerLines(title: string, cosigners: ReviewedCosigners): string[] {
  const { threshold, count, added, removed, colluding, absent } = cosigners;
  const rule = {
    before: `${threshold.before} of ${count.before}`,
    after: `${threshold.after} of ${count.after}`,
  };
  const tolerated =
    colluding < 0
      ? `does not rule out two histories, and tolerates ${absent} absent`
      : `tolerates ${colluding} colluding and ${absent} absent`;
  const line = ({ name, vkeys, url }: (typeof added)[number]): string =>
    printable([name, ...vkeys, url ?? ''].join(' ').trim());
  const isSame = rule.before === rule.after && added.length + removed.length === 0;
  return [
    `${title}: ${rule.after} must cosign${isSame ? ', as before' : was(rule)}; ${tolerated}`,
    ...added.map((each) => `  + added    ${line(each)}`),
    ...removed.map((each) => `  - removed  ${line(each)}`),
  ];
}

function describeExpiry({ before, after, daysLeft }: Review['expires']): string {
  const days = daysLeft < 0 ? 'expired' : `in ${counted(daysLeft, 'day', 'days')}`;
  return `${after} (${days})${before === after ? ', as before' : `; before: ${before}`}`;
}

function was({ before, after }: { before: string; after: string }): string {
  return before === after ? '' : ` (before: ${before})`;
}

function counted(count: number, one: string, many: string): string {
  if (count === 0) return `no ${one}`;
  return `${count} ${count === 1 ? one : many}`;
}
