import type { Change, Current } from './change.ts';
import { checkTransition } from './check-transition.ts';
import type { SubjectType } from './documents.ts';
import { ModelError } from './errors.ts';

/**
 * The state of a subject after a change. `current` is undefined exactly for the change that opens its chain.
 * Throws ModelError (illegal) when the change does not continue the chain, its document is not that of the
 * subject, or a record of its type may not make this step.
 */
export function apply<T extends SubjectType>(current: Current<T> | undefined, change: Change<T>): Current<T> {
  const { subject, document, rev } = change;
  if (document.type !== subject.type || document.id !== subject.id) {
    throw new ModelError('illegal', '$.id', 'the document is not that of the subject of the change');
  }
  if (document.rev !== rev) {
    throw new ModelError('illegal', '$.rev', `the document says revision ${document.rev}, the change ${rev}`);
  }
  if (subject.type !== 'license' && change.companion !== null) {
    throw new ModelError('illegal', '$', `a ${subject.type} has no companion`);
  }
  const problem = checkTransition(change.type, current === undefined ? null : current.document, document);
  if (problem !== null) throw new ModelError('illegal', problem.path, problem.message);
  return { document, companion: change.companion, rev };
}
