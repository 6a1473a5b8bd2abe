/** `tally access`: who may do what, and who did. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { registerAccessLog } from './log.ts';
import { registerAccessPolicy } from './policy.ts';

export function registerAccess(program: Command, context: Context): void {
  const access = program.command('access').summary('rule who may do what, and see who did');
  registerAccessPolicy(access, context);
  registerAccessLog(access, context);
}
