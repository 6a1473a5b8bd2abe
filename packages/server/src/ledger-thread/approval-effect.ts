/** What approvers look at: who asks, and what the command would do if it were carried out now. */
import type { ApprovalDocument, Command } from '@tallystick/license';
import type { ServedLog } from './served-log.ts';
import { shownDocument } from './shown-document.ts';

interface Effect {
  changes: {
    type: string;
    subject: { type: string; id: string };
    rev: number;
    before: object | null;
    after: object;
  }[];
  refusal: { code: string; detail: string } | null;
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

/** A dry run of the command; nothing where the request is over, or where this server cannot decide commands. */
export async function effectOfRequest(
  log: Pick<ServedLog, 'read' | 'submit'>,
  { state, command }: ApprovalDocument,
): Promise<{ effect?: Effect }> {
  if (state !== 'pending' && state !== 'approved') return {};
  try {
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
