/** `tally witness`: a witness of one's own, for logs of other people. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { registerAddLog } from './add-log.ts';
import { registerInitWitness } from './init.ts';
import { registerListLogs } from './list.ts';
import { registerRemoveLog } from './remove-log.ts';
import { registerServeWitness } from './serve.ts';
import { registerPolicyLine } from './show-policy-line.ts';

export function registerWitness(program: Command, context: Context): void {
  const witness = program
    .command('witness')
    .summary('run a witness for logs of other people')
    .description(
      'A witness cosigns checkpoints of logs that only ever grew, as C2SP tlog-witness has it. It sees nothing of what is in a log.',
    );
  for (const register of [
    registerInitWitness,
    registerServeWitness,
    registerAddLog,
    registerRemoveLog,
    registerListLogs,
    registerPolicyLine,
  ]) {
    register(witness, context);
  }
}
