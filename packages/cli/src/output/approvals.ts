/** Requests for approval for people: what is asked for, what it would change, and what is missing. */
import type { AnyDocument, ApprovalDocument, ApprovalItem } from '@tallystick/contract';
import { memberRows, type Row } from './documents.ts';
import type { Printer } from './printer.ts';
import { describeSignedEffect, signedRows } from './signed-effect.ts';
import { properties } from './table.ts';

/** @param now milliseconds */
export function describeApproval(item: ApprovalItem, print: Printer, now: number): string[] {
  const { document, index, effect, names = {} } = item;
  const nameOf = (id: string): string => (names[id] === undefined ? id : `${names[id]} (${id})`);
  const { command, author, why, state, notAfter, rejected } = document;
  const { type, ...members } = command;
  const lines = [
    print.style('bold', `${document.id}: ${String(type)}, ${state}`),
    ...properties([
      ['asked by', nameOf(author.principal)],
      ['with', `${author.credential}, entry ${index} of the log`],
      ['why', why],
      ['until', state === 'pending' || state === 'approved' ? notAfter : null],
      ...missingOf(document).map((text): Row => ['waits for', text]),
      ...document.approvals.map(
        ({ principal, role, at }): Row => ['approved by', `${nameOf(principal)} as ${role}, ${at}`],
      ),
      ['rejected by', rejected && `${nameOf(rejected.principal)}, ${rejected.at}`],
      ['because', rejected?.why ?? null],
    ]),
    '',
    print.style('bold', 'What is asked for'),
    ...properties(signedRows(command) ?? memberRows(members)),
  ];
  if (effect === undefined) return lines;
  const { changes, refusal } = effect;
  const refused = refusal === null ? [] : [print.style('red', `It would be refused now: ${refusal.detail}`)];
  const effects =
    signedRows(command) === null
      ? changes.flatMap((change) => ['', ...describeChange(change, print)])
      : describeSignedEffect(effect, print, now);
  return [...lines, '', print.style('bold', 'What it would change now'), ...refused, ...effects];
}

/** What is still missing before a request is carried out, as `1 more of issuer`. */
function missingOf({ state, approvers, approvals }: ApprovalDocument): string[] {
  if (state !== 'pending') return [];
  return approvers.flatMap(({ role, count }) => {
    const missing = count - approvals.filter((each) => each.role === role).length;
    return missing > 0 ? [`${missing} more of ${role}`] : [];
  });
}

type EffectChange = NonNullable<ApprovalItem['effect']>['changes'][number];

function describeChange({ type, subject, before, after }: EffectChange, print: Printer): string[] {
  // A dry run draws ids that the real one does not get.
  const name = before === null ? 'new' : subject.id;
  return [print.style('bold', `${type}  ${name}`), ...properties(differences(before, after))];
}

/** Members that differ, as old → new; of something new, all of them. */
function differences(before: AnyDocument | null, after: AnyDocument): Row[] {
  const was = new Map(before === null ? [] : memberRows(before));
  const is = new Map(memberRows(after));
  const names = [...new Set([...was.keys(), ...is.keys()])];
  return names.flatMap((name): Row[] => {
    const [from, to] = [was.get(name) ?? '-', is.get(name) ?? '-'];
    if (from === to) return [];
    return [[name, before === null ? to : `${from} → ${to}`]];
  });
}
