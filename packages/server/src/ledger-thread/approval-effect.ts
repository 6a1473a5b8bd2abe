/** What approvers look at: who asks, and what the command would do if it were carried out now. */
import { decodeUtf8, loosenings, parseNamespace, parseTrustRoot, type TrustRoot } from '@tallystick/core';
import { type ApprovalDocument, type Command, isSignedCommand } from '@tallystick/license';
import type { ServedLog } from './served-log.ts';
import { shownDocument } from './shown-document.ts';
import { problemOfSigned, SignedElsewhere } from './signed-elsewhere.ts';

interface Effect {
  changes: {
    type: string;
    subject: { type: string; id: string };
    rev: number;
    before: object | null;
    after: object;
  }[];
  refusal: { code: string; detail: string } | null;
  /** What a revision of the namespace loosens, a phrase each; left out where there is none. */
  loosens?: string[];
  /** What the versions of the trust root say that would come, and those before them; left out where there are none. */
  trustRoots?: { version: number; before: object; after: object }[];
}

/** What the principals that a request speaks of are called: an approver may not be somebody who reads principals. */
export async function namesIn(
  { read }: Pick<ServedLog, 'read'>,
  { author, approvals, rejected }: ApprovalDocument,
): Promise<{ names: Record<string, string> }> {
  const ids = new Set(
    [author, ...approvals, ...(rejected === null ? [] : [rejected])].map((each) => each.principal),
  );
  const names: Record<string, string> = {};
  for (const id of ids) {
    const document = (await read.current(id))?.document;
    if (document?.type === 'principal') names[id] = document.name;
  }
  return { names };
}

type EffectLog = Pick<ServedLog, 'read' | 'submit' | 'governing' | 'trust'>;

/** What was signed elsewhere says itself what it changes. */
async function effectOfSigned(
  { governing, trust }: EffectLog,
  signed: SignedElsewhere,
  stored: object,
): Promise<Effect> {
  const command = SignedElsewhere.read(stored);
  const refusal = await signed.check(command).then(() => null, refusalOf);
  const revision = command.type === 'namespace.revise' ? command : command.namespace;
  const envelopes = command.type === 'trust.publish' ? command.envelopes : [];
  const roots = envelopes.map((each) => parseTrustRoot(Buffer.from(each, 'base64')));
  const trustRoots = roots.map((root, nth) => {
    const before = roots[nth - 1] ?? trust.version(root.version - 1) ?? trust.current;
    return { version: root.version, before: payloadOf(before), after: payloadOf(root) };
  });
  const versions = trustRoots.length === 0 ? {} : { trustRoots };
  if (revision === undefined) return { changes: [], refusal, ...versions };
  const { namespace, brake } = governing;
  const next = parseNamespace(Buffer.from(revision.document, 'base64'));
  const change = {
    type: 'namespace.updated',
    subject: { type: 'namespace', id: 'namespace' },
    rev: next.rev,
    before: namespace,
    after: next,
  };
  return { changes: [change], refusal, loosens: loosenings(namespace, next, brake), ...versions };
}

function payloadOf({ envelope }: TrustRoot): object {
  return JSON.parse(decodeUtf8(envelope.payload)) as object;
}

/** Why it would not be taken; rethrows what says nothing about it. */
function refusalOf(error: unknown): { code: string; detail: string } {
  const problem = problemOfSigned(error);
  if (problem === null) throw error;
  return problem;
}

/** A dry run of the command; nothing where the request is over, or where this server cannot decide commands. */
export async function effectOfRequest(
  log: EffectLog,
  signed: SignedElsewhere,
  { state, command }: ApprovalDocument,
): Promise<{ effect?: Effect }> {
  if (state !== 'pending' && state !== 'approved') return {};
  try {
    if (isSignedCommand(command)) return { effect: await effectOfSigned(log, signed, command) };
    const result = await log.submit({
      command: command as unknown as Command,
      cause: { who: { kind: 'system', id: 'gate' }, why: null },
      request: null,
      dryRun: true,
    });
    if ('refused' in result) {
      const { code, message } = result.refused;
      return { effect: { changes: [], refusal: { code, detail: message } } };
    }
    const changes: Effect['changes'] = [];
    for (const { change, current } of result.changes) {
      const { type, subject, rev } = change;
      const before = rev === 0 ? undefined : await log.read.current(subject.id);
      changes.push({
        type,
        subject,
        rev,
        before: before === undefined ? null : shownDocument(before.document),
        after: shownDocument(current.document),
      });
    }
    return { effect: { changes, refusal: null } };
  } catch {
    // The request is shown whether or not its effect can be told: a server that follows decides nothing.
    return {};
  }
}
