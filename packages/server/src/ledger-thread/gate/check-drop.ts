import {
  addDuration,
  type Command,
  compareInstants,
  type Duration,
  instantToMs,
  msToInstant,
  type SignedCommand,
} from '@tallystick/license';
import { ServiceProblem } from '../service-problem.ts';

/** How long records of access logs are kept at least, where nothing is configured. */
export const keptAtLeast: Duration = 'P90D';

/**
 * Refuses to drop, or to let others approve that, what the configuration of the host protects: it is out of reach of whoever has
 * a session or a key.
 *
 * @param at now, an instant
 */
export function checkDrop(command: Command | SignedCommand, at: string, keepAtLeast: Duration): void {
  const asked = command.type === 'approval.request' ? command.command : command;
  if (asked['type'] !== 'policy.drop_access') return;
  const { before } = asked as { before?: unknown };
  // What is no command is refused for that.
  if (typeof before !== 'string' || compareInstants(addDuration(before, keepAtLeast), at) <= 0) return;
  throw new ServiceProblem(
    'state_forbids',
    `This server keeps what was asked for ${keepAtLeast} at least. Name a time that long ago, or change keepAtLeast of its configuration.`,
    '$.before',
  );
}

/**
 * Up to when a server may drop what the log says is dropped, an instant: another server may have let that through whose host
 * protects less.
 *
 * @param at now, an instant
 */
export function droppable(before: string, at: string, keepAtLeast: Duration): string {
  for (let upTo = before; ; ) {
    const early = instantToMs(addDuration(upTo, keepAtLeast)) - instantToMs(at);
    if (early <= 0) return upTo;
    upTo = msToInstant(instantToMs(upTo) - early);
  }
}
