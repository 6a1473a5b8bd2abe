/** `tally brake`: what can be tightened without the authority. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { registerMutation } from './mutations.ts';

export function registerBrake(program: Command, context: Context): void {
  const brake = program.command('brake').summary('lock the namespace, or end a key, without the authority');
  registerMutation(brake, context, {
    command: 'brake.tighten',
    name: 'tighten',
    summary: 'tighten the namespace; only its authority loosens again',
    argument: null,
  });
}
