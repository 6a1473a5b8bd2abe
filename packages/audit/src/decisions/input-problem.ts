/** Whether what was decided on is what its hash says, and what is known of the same request. */
import { canonicalInput, type DecisionInput, inputHash } from '@tallystick/gate';

/** What a cause says of a request. */
export interface KnownRequest {
  /** The command that was carried out. */
  command: string;
  who: { kind: string; id: string };
  why: string | null;
  signed: object | null;
  approvals: object | null;
  /** Instant. */
  at: string;
}

/** What the log knows of a request besides the input must be what the input says of it. */
export function inputProblem(
  { input, entities }: { input: DecisionInput; entities: string },
  cause: KnownRequest,
): string | null {
  const canonical = encode(input);
  if (canonical === null || canonical !== JSON.stringify(input))
    return 'what it was decided on is not in its one encoding';
  if (inputHash(canonical) !== entities) return 'what it was decided on is not what its hash says';
  const at = new Date(cause.at);
  const said: [string, unknown, unknown][] = [
    ['principal.id', input.principal.id, cause.who.id],
    ['principal.kind', input.principal.kind, cause.who.kind],
    ['context.reason', input.context.reason, cause.why !== null],
    ['context.signed', input.context.signed, cause.signed !== null],
    ['context.approved', input.context.approved, cause.approvals !== null || isWaiting(input, cause)],
    ['context.hour', input.context.hour, at.getUTCHours()],
    ['context.weekday', input.context.weekday, at.getUTCDay() || 7],
  ];
  const wrong = said.find(([, decided, logged]) => decided !== logged);
  return wrong === undefined
    ? null
    : `it was decided on ${wrong[0]} ${String(wrong[1])}, and the cause says otherwise`;
}

/** What is stored for others to approve is judged as it would be if they had. */
function isWaiting({ action }: DecisionInput, { command }: KnownRequest): boolean {
  return command === 'approval.request' && action !== command;
}

function encode(input: DecisionInput): string | null {
  try {
    return canonicalInput(input);
  } catch {
    // What has not the members of an input has no encoding either.
    return null;
  }
}
