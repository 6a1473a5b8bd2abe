/** Whether a decision was made about the change that the log has. */
import { type DecisionInput, type Directory, type Effect, effectOf, resourceOf } from '@tallystick/gate';
import type { CauseDocument, GateCauseDocument } from '@tallystick/ledger';
import type { ApprovalDocument, Change, LicenseDocument, TallyDocument } from '@tallystick/license';
import type { LoggedChanges } from './logged-commands.ts';

const amounts = ['extendsDays', 'termDays', 'seats', 'rolesChanged'] as const satisfies (keyof Effect)[];

/** Returns what of the input is not what the change says, as one sentence without its period; null where nothing is. */
export function changeProblem(
  input: DecisionInput,
  cause: CauseDocument,
  changes: LoggedChanges,
  directory: Directory,
): string | null {
  const { documents } = changes;
  const wrong = actionProblem(input, cause, requestIn(cause, documents));
  if (wrong !== null) return wrong;
  // What waits for approval is decided on as if it were carried out, and is so again when it is.
  if (cause.command === 'approval.request' && input.action !== cause.command) return null;
  return contentProblem(input, changes, directory);
}

/** The request that a command of the gate is about. */
export function requestIn(
  { command, ...cause }: Pick<CauseDocument, 'command'> & { approvals?: GateCauseDocument['approvals'] },
  documents: readonly TallyDocument[],
): ApprovalDocument | undefined {
  if (!command.startsWith('approval.')) return undefined;
  const id = cause.approvals?.approval;
  return documents.find((each) => each.type === 'approval' && (id === undefined || each.id === id)) as
    | ApprovalDocument
    | undefined;
}

/** As `changeProblem`, of amounts and owner alone. */
export function contentProblem(
  input: DecisionInput,
  changes: LoggedChanges,
  directory: Directory,
): string | null {
  return amountProblem(input, changes, directory) ?? resourceProblem(input, changes.documents);
}

/** What is stored until others approve it, and carried out then, was decided on as the command that it is. */
function actionProblem(
  { action, principal }: DecisionInput,
  { command }: CauseDocument,
  approval: ApprovalDocument | undefined,
): string | null {
  if (action === command) return null;
  const isEnrolling = command === 'credential.create' && action === 'credential.enroll';
  if (isEnrolling) return null;
  const isOfRequest = command === 'approval.request' || command === 'approval.execute';
  const isAsStored =
    isOfRequest && approval?.command['type'] === action && approval.author.principal === principal.id;
  return isAsStored ? null : `it was decided on ${action}, and ${command} was carried out`;
}

function amountProblem(
  { context }: DecisionInput,
  { documents, licenses }: LoggedChanges,
  directory: Directory,
): string | null {
  const before = (type: 'license' | 'principal', id: string) =>
    type === 'license' ? licenses.get(id) : directory.principal(id);
  const effect = effectOf(documents.map(asChange), before);
  const name = amounts.find((each) => String(effect[each]) !== String(context[each]));
  if (name === undefined) return null;
  return `it was decided on ${name} ${String(context[name])}, and the change says ${String(effect[name])}`;
}

/** Only the document is looked at. */
export function asChange(document: TallyDocument): Change {
  const { type, id, rev } = document;
  return { type: 'license.amended', subject: { type, id }, rev, document, companion: null };
}

function resourceProblem({ principal, resource }: DecisionInput, documents: TallyDocument[]): string | null {
  const document = documents.find((each) => resourceOf(each, () => undefined).type === resource.type);
  if (document === undefined) return null;
  const { owner } = resourceOf(document, () => undefined);
  const isOwn = owner !== null && owner === principal.id;
  if (resource.own !== isOwn)
    return `it was decided on something of ${resource.own ? 'the caller' : 'others'}`;
  if (document.type !== 'license') return null;
  const product = productOf(documents)?.code ?? null;
  if (resource.product === product) return null;
  return `it was decided on the product ${resource.product}, and the change is about ${product ?? 'several'}`;
}

/** The one product whose licenses a command changes; null where they are of several, or there are none. */
export function productOf(documents: readonly TallyDocument[]): LicenseDocument['product'] | null {
  const products = documents.flatMap((each) => (each.type === 'license' ? [each.product] : []));
  const [first] = products;
  return first !== undefined && products.every(({ id }) => id === first.id) ? first : null;
}
