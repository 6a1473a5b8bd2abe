/** Whether what was decided on is what its hash says, and what is known of the same request. */
import { canonicalInput, type DecisionInput, inputHash } from '@tallystick/gate';

/** What a cause says of a request. */
export interface KnownRequest {
  /** The command that was carried out. */
  command: string;
  who: { kind: string; id: string };
  why: string | null;
  signed: object | string | null;
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
  const said: [string, unknown, unknown][] = [
    ['principal.id', input.principal.id, cause.who.id],
    ['principal.kind', input.principal.kind, cause.who.kind],
    ['context.reason', input.context.reason, cause.why !== null],
    ['context.signed', input.context.signed, cause.signed !== null],
    ['context.approved', input.context.approved, cause.approvals !== null || isWaiting(input, cause)],
  ];
  const wrong = said.find(([, decided, logged]) => decided !== logged);
  if (wrong !== undefined)
    return `it was decided on ${wrong[0]} ${String(wrong[1])}, and the cause says otherwise`;
  const { weekday, hour } = input.context;
  return isTimeOf(input.context, cause.at)
    ? null
    : `it was decided on hour ${hour} of weekday ${weekday}, and the cause says otherwise`;
}

/** What has to wait for approval is decided on a moment before the request for that is in the log. */
const momentMs = 60_000;

function isTimeOf({ weekday, hour }: DecisionInput['context'], at: string): boolean {
  const logged = Date.parse(at);
  return [logged, logged - momentMs].some((ms) => {
    const time = new Date(ms);
    return hour === time.getUTCHours() && weekday === (time.getUTCDay() || 7);
  });
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
