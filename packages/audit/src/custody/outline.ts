/** A proven custody report as people read it: titles, and names with values. Terminal and PDF show the same. */
import { type CauseStatement, formatInstant, gapMeanings, type JsonObject } from '@tallystick/core';
import type {
  ProvenAccess,
  ProvenApproval,
  ProvenAuthor,
  ProvenCustody,
  ProvenDecision,
  ProvenRevision,
  ProvenSigner,
  ProvenStep,
} from './verify/proven.ts';

export type OutlineRow = readonly [name: string, value: string];

export interface OutlineSection {
  title: string;
  /** Not made safe to print yet. */
  rows: OutlineRow[];
}

export interface Outline {
  title: string;
  sections: OutlineSection[];
}

/** @param sha256 of the report's bytes, in hexadecimal, by which this page names it */
export function outlineOf(proven: ProvenCustody, sha256: string): Outline {
  const { license, revisions, approvals, access, gaps } = proven;
  let before: object = {};
  const changes = revisions.map((revision): OutlineSection => {
    const section = revisionSection(revision, proven, before);
    before = revision.document ?? {};
    return section;
  });
  return {
    title: `Chain of custody of license ${license}`,
    sections: [
      { title: 'What this is', rows: [...subjectRows(proven), ['report', `SHA-256 ${sha256}`]] },
      {
        title: 'What is missing, and what no report can show',
        rows: gaps.map(({ code, index }): OutlineRow => {
          const where = index === null ? '' : `entry ${index}: `;
          return [code, `${where}${gapMeanings[code].text}`];
        }),
      },
      ...changes,
      ...approvals.flatMap((approval) => approvalSections(approval, proven)),
      ...(access === null ? [] : [accessSection(access)]),
    ],
  };
}

function subjectRows(proven: ProvenCustody): OutlineRow[] {
  const { ns, namespaceName, mode, anchor, trustVersion, range, revisions } = proven;
  const { origin, size, root, asOf, cosigners } = anchor;
  return [
    ['vendor', `${namespaceName} (namespace ${ns}${mode === 'test' ? ', for tests' : ''})`],
    ['log', origin],
    ['proven under', `the checkpoint of ${size} entries with the root ${root}`],
    ['as of', `${formatInstant(asOf)}: no later than this was the last revision the newest`],
    ['cosigned by', cosigners.map(({ name, at }) => `${name} at ${formatInstant(at)}`).join(', ')],
    ['trust root', `version ${trustVersion}`],
    ['revisions', `${revisions.length}, none missing in between or at the end`],
    [
      'shown in full',
      range === null ? 'none' : range.from === range.to ? `${range.from}` : `${range.from} to ${range.to}`,
    ],
  ];
}

function revisionSection(
  revision: ProvenRevision,
  { anchor }: ProvenCustody,
  before: object,
): OutlineSection {
  const { rev, recordType, isShown, document } = revision;
  const shown: OutlineRow[] = isShown
    ? [
        ...causeRows(revision),
        ...unapprovedRows(revision),
        ...(document === null ? [] : changedRows(before, document)),
      ]
    : [['shown', 'no: outside of the time that was asked for']];
  return {
    title: `Revision ${rev}: ${recordType}`,
    rows: [
      recordedRow(revision),
      ...shown,
      ...(document === null ? ([['committed to', revision.commitment]] satisfies OutlineRow[]) : []),
      ...proofRows(revision, anchor),
    ],
  };
}

function unapprovedRows({ unapproved, perHour }: ProvenRevision): OutlineRow[] {
  if (unapproved === null && perHour !== null)
    return [['not counted', `above ${perHour} an hour others had to approve: tally audit replay counts`]];
  if (unapproved === null) return [];
  const how = 'either nobody else could be asked, or the server let its author act alone';
  return [['not approved', `the rules wanted ${unapproved}: ${how}`]];
}

function recordedRow({ at }: ProvenStep): OutlineRow {
  return ['recorded', `${at}, as the server says`];
}

function proofRows(
  { signers, index, leaf, proofLength }: ProvenStep,
  { size }: ProvenCustody['anchor'],
): OutlineRow[] {
  return [
    ['signed by', signers.map(describeSigner).join(', ')],
    ['entry', `${index}, leaf ${leaf}`],
    ['included', `by ${proofLength} hashes under the checkpoint of ${size} entries`],
  ];
}

function causeRows({ cause, author, decision }: ProvenStep): OutlineRow[] {
  if (cause === null) return [['who', 'not held any more']];
  const { why, command, n, request, at, approvals } = cause;
  const rows: (OutlineRow | null)[] = [
    ['who', describeAuthor(cause.who, author)],
    ['why', why ?? 'no reason was given'],
    ['command', `${command}, decided at ${at}${n > 1 ? `, one of ${n} records` : ''}`],
    request && ['request', `key ${request.key}, hash ${request.hash}`],
    ['allowed by', decision === null ? 'no decision is on record' : describeDecision(decision)],
    approvals && ['approved', `${approvals.approval}, by ${approvals.by.map(describeApprover).join(', ')}`],
    author?.signedGone == null ? null : ['request signed', describeGone(author.signedGone)],
    author?.signed == null
      ? null
      : ['request signed', `${Object.values(author.signed).join(' ')}, by the key of the credential`],
  ];
  return rows.filter((row) => row !== null);
}

function describeGone({ by }: NonNullable<ProvenAuthor['signedGone']>): string {
  if (by === null) return 'yes, and what was signed is not held any more: nothing here says why';
  return `yes; what was signed was erased on ${by.at} with entry ${by.index}, and its signature with it`;
}

function describeAuthor(who: CauseStatement['who'], author: ProvenAuthor | null): string {
  const device = Object.entries(who.device ?? {}).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const called = [author?.credentialKind, author?.credentialName].filter((each) => each != null).join(' ');
  const details = [
    author?.name == null ? null : `called ${author.name}`,
    who.credential === null
      ? null
      : `with credential ${who.credential}${called === '' ? '' : ` (${called})`}`,
    who.session === null ? null : `session ${who.session}`,
    who.address === null ? null : `from ${who.address}`,
    device.length === 0 ? null : `device: ${device.join(', ')}`,
  ];
  return [`${who.kind} ${who.id}`, ...details.filter((each) => each !== null)].join(', ');
}

function describeDecision({ policy, reasons, rev, input, carriedAt }: ProvenDecision): string {
  const { roles = [] } = input.principal as { roles?: string[] };
  const source = rev === null ? 'the policy that came with the software' : `revision ${rev} of the policy`;
  return `${reasons.join(', ')} for the roles ${roles.join(', ') || 'none'}, in ${source} (${policy}); decided on as of entry ${carriedAt}`;
}

function describeApprover({
  principal,
  credential,
  at,
}: {
  principal: string;
  credential: string;
  at: string;
}): string {
  return `${principal} with ${credential} at ${at}`;
}

function approvalSections(approval: ProvenApproval, { anchor }: ProvenCustody): OutlineSection[] {
  const { id, state, author, command, why, approvers, approvals, binding, steps } = approval;
  return [
    {
      title: `Request for approval ${id}: ${state}`,
      rows: [
        ['asked by', `${author.principal} with ${author.credential}`],
        ['why', why ?? 'no reason was given'],
        ['command', command],
        ['needed', approvers.map(({ role, count }) => `${count} × ${role}`).join(', ')],
        ...approvals.map((each): OutlineRow => ['approved by', `${describeApprover(each)}, as ${each.role}`]),
        ['bound to', binding],
      ],
    },
    ...steps.map((step) => ({
      title: `${id}, revision ${step.rev}: ${step.recordType}`,
      rows: [recordedRow(step), ...causeRows(step), ...proofRows(step, anchor)],
    })),
  ];
}

function accessSection({ origin, size, asOf, dropped, records }: ProvenAccess): OutlineSection {
  return {
    title: 'Who asked for it',
    rows: [
      ['access log', `${origin}, ${size} leaves, cosigned ${formatInstant(asOf)}`],
      ...(dropped === null ? [] : [['dropped', `what was asked before ${dropped}`] satisfies OutlineRow]),
      ...records.map(({ leaf, record }): OutlineRow => {
        const { at, route, status, code, who, address, why } = record;
        const by = who === null ? 'somebody unknown' : `${who.kind} ${who.id} with ${who.credential}`;
        const reason = why === null ? '' : `, because: ${why}`;
        return [
          at,
          `${route}: ${status}${code === null ? '' : ` ${code}`}, by ${by} from ${address}${reason}; leaf ${leaf}`,
        ];
      }),
    ],
  };
}

function describeSigner({ alg, id, from, until }: ProvenSigner): string {
  return `${alg} key ${id}, valid from entry ${from} ${until === null ? 'on' : `up to entry ${until}`}`;
}

const headMembers: ReadonlySet<string> = new Set(['v', 'type', 'ns', 'id', 'rev', 'crit']);

/** Every member that is another one than in the revision before. */
function changedRows(before: object, after: object): OutlineRow[] {
  const old = flat(before);
  const now = flat(after);
  const names = [...new Set([...now.keys(), ...old.keys()])];
  return names.flatMap((name): OutlineRow[] => {
    const value = now.get(name);
    if (value === old.get(name)) return [];
    if (old.size === 0) return value === 'null' ? [] : [[name, value ?? '']];
    return [[name, `${value ?? 'nothing'}, before: ${old.get(name) ?? 'nothing'}`]];
  });
}

function flat(value: object, path = '', into: Map<string, string> = new Map()): Map<string, string> {
  for (const [name, member] of Object.entries(value as JsonObject)) {
    if (path === '' && headMembers.has(name)) continue;
    const at = path === '' ? name : `${path}.${name}`;
    const isNested = typeof member === 'object' && member !== null && !Array.isArray(member);
    if (isNested && Object.keys(member).length > 0) flat(member, at, into);
    else into.set(at, typeof member === 'string' ? member : JSON.stringify(member));
  }
  return into;
}
