/**
 * Decision tables: what a policy set has to say, cell by cell, in lines of comma-separated values.
 *
 * Two forms, told apart by the first line. A matrix has a row for each action and a column for each role:
 * `action,viewer,issuer`, `license.issue,deny,allow`. A list has a case in each row: `roles,kind,action,given,expect`,
 * where `given` says what differs from a caller with every proof, as `context.reason=false resource.own=true`, and
 * several roles are separated by spaces. Lines that begin with `#` are comments.
 *
 * What is expected is `allow`, `deny`, or what the caller has to add: `reason`, `step_up`, `signature`.
 */
import { actions } from './actions.ts';
import type { Decision } from './decision.ts';
import type { PolicyEngine } from './engine.ts';
import { canonicalInput, type DecisionInput, type PrincipalKind, principalKinds } from './input.ts';
import { PolicyError } from './policy-source.ts';

const outcomes = ['allow', 'deny', 'reason', 'step_up', 'signature'] as const;
export type Outcome = (typeof outcomes)[number];

export interface TableCase {
  /** From 1, in the file. */
  line: number;
  input: DecisionInput;
  expect: Outcome;
}

export interface TableFailure extends TableCase {
  decision: Decision;
}

/** A caller with every proof that its kind can have, in the admin zone, on a Monday noon. */
export function provenInput(kind: PrincipalKind, roles: readonly string[], action: string): DecisionInput {
  const isPerson = kind === 'person';
  return {
    principal: { id: `prn_${kind}`, kind, roles: [...roles].sort() },
    action,
    resource: {
      type: actions[action]?.resource ?? 'Log',
      product: null,
      state: null,
      purpose: null,
      own: false,
    },
    context: {
      zone: 'admin',
      strength: isPerson ? 3 : 2,
      stepUp: isPerson,
      signed: !isPerson,
      reason: true,
      approved: false,
      purpose: null,
      networks: [],
      device: { managed: false, encrypted: false, attested: false },
      weekday: 1,
      hour: 12,
      lock: 'open',
      epoch: 1,
      extendsDays: null,
      termDays: null,
      seats: null,
      rolesChanged: [],
    },
  };
}

/** Returns the cases of a table. `kind` is that of the callers of a matrix. Throws PolicyError with the line. */
export function readTable(text: string, kind: PrincipalKind = 'person'): TableCase[] {
  const rows = text
    .split(/\r?\n/)
    .map((content, at) => ({ line: at + 1, cells: content.split(',').map((cell) => cell.trim()), content }))
    .filter(({ content }) => content.trim() !== '' && !content.startsWith('#'));
  const [head, ...body] = rows;
  if (head === undefined) throw new PolicyError('the table is empty');
  if (head.cells[0] === 'action') return body.flatMap((row) => readMatrixRow(head.cells.slice(1), row, kind));
  if (head.cells.join() === listHead) return body.map(readListRow);
  throw unreadable(head.line, `begin with action,<role>,… or with ${listHead}`);
}

/** Returns the cases that a policy set does not decide as expected. */
export function failuresOf(engine: PolicyEngine, cases: readonly TableCase[]): TableFailure[] {
  return cases
    .map((each) => ({ ...each, decision: engine.decide(each.input) }))
    .filter(({ expect, decision }) => outcomeOf(decision) !== expect);
}

export function outcomeOf({ allowed, lacks }: Decision): Outcome {
  return allowed ? 'allow' : (lacks ?? 'deny');
}

interface Row {
  line: number;
  cells: string[];
}

const listHead = 'roles,kind,action,given,expect';

function readMatrixRow(roles: readonly string[], { line, cells }: Row, kind: PrincipalKind): TableCase[] {
  const [action = '', ...expected] = cells;
  if (expected.length !== roles.length)
    throw unreadable(line, `${roles.length} roles, ${expected.length} cells`);
  return expected.map((expect, at) => ({
    line,
    input: provenInput(kind, [roles[at] ?? ''], knownAction(line, action)),
    expect: readOutcome(line, expect),
  }));
}

function readListRow({ line, cells }: Row): TableCase {
  const [roles = '', kind = '', action = '', given = '', expect = ''] = cells;
  if (cells.length !== 5) throw unreadable(line, `five cells: ${listHead}`);
  const known = principalKinds.find((each) => each === kind);
  if (known === undefined) throw unreadable(line, `${kind} is none of ${principalKinds.join(', ')}`);
  const proven = provenInput(known, words(roles), knownAction(line, action));
  const input = words(given).reduce((so, change) => withMember(line, so, change), proven);
  return { line, input, expect: readOutcome(line, expect) };
}

/** `context.device.managed=true`: the value is read as JSON, and as text where it is none. */
function withMember(line: number, input: DecisionInput, change: string): DecisionInput {
  const [, path, value] = /^((?:principal|resource|context)(?:\.[A-Za-z]+){1,2})=(.*)$/.exec(change) ?? [];
  if (path === undefined || value === undefined) throw unreadable(line, `${change} is no <member>=<value>`);
  const copy = JSON.parse(canonicalInput(input)) as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  let holder: unknown = copy;
  for (const name of names) holder = isRecord(holder) ? holder[name] : undefined;
  if (!isRecord(holder) || !Object.hasOwn(holder, last)) throw unreadable(line, `an input has no ${path}`);
  holder[last] = Array.isArray(holder[last]) ? value.split('+') : readValue(value);
  return copy as unknown as DecisionInput;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function readValue(text: string): unknown {
  return /^(?:null|true|false|-?\d+)$/.test(text) ? JSON.parse(text) : text;
}

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

function knownAction(line: number, action: string): string {
  if (!Object.hasOwn(actions, action)) throw unreadable(line, `${action} is no action`);
  return action;
}

function readOutcome(line: number, text: string): Outcome {
  const outcome = outcomes.find((each) => each === text);
  if (outcome === undefined) throw unreadable(line, `${text} is none of ${outcomes.join(', ')}`);
  return outcome;
}

function unreadable(line: number, message: string): PolicyError {
  return new PolicyError(`line ${line} of the table: ${message}`);
}
